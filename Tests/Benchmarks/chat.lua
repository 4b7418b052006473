-- wrk's requests: chat requests whose prompt has about as many bytes as the first argument says.
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"

function init(arguments)
    local words = string.rep("the quick brown fox ", math.ceil(tonumber(arguments[1]) / 20))
    wrk.body = '{"model":"x","messages":[{"role":"user","content":"' .. words .. '"}],"max_tokens":16}'
    request_text = wrk.format()
end

function request()
    return request_text
end
