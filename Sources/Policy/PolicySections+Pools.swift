// The keys of a pool, but for its `limit`.

import Admission

extension PolicySections {
    static let poolPattern = "[a-z0-9][a-z0-9_-]{0,62}"

    /// The pools by name; their order is the file's.
    static let pools = Kind<[PoolSettings]>(
        .named(.section(pool.shape), pattern: "^\(poolPattern)$", counts: 1...maxElements)
    ) { node, path, pools, reading in
        guard case .mapping(let entries) = node.content else {
            let fault = Fault("found \(node.description)", "write a mapping of names to pools")
            reading.report(fault, path: path, at: node.position)
            return
        }
        guard (1...maxElements).contains(entries.count) else {
            let fault = Fault("has \(entries.count) pools", "write 1 to \(maxElements)")
            reading.report(fault, path: path, at: node.position)
            return
        }
        var first: [String: Position] = [:]
        pools = []
        for entry in entries {
            let path = Reading.join(path, entry.key)
            if let earlier = first[entry.key] {
                let fault = Fault.repeated(earlier, in: reading, at: entry.position)
                reading.report(fault, path: path, at: entry.position)
                continue
            }
            first[entry.key] = entry.position
            if !isPoolName(entry.key) {
                let fault = Fault(
                    "\(entry.key.quoted) is not a name for a pool",
                    "write up to 63 of a-z, 0-9, _ and -, beginning with a letter or figure")
                reading.report(fault, path: path, at: entry.position)
            }
            var settings = blankPool
            settings.name = entry.key
            pool.read(entry.value, path, &settings, &reading)
            if let shared = reading.sharedTenant,
                reading.position(of: Reading.join(path, "tenant")) == nil
            {
                tenant.read(shared, "tenant", &settings, &reading)
            }
            pools.append(settings)
            reading.poolNames.append(entry.key)
        }
    } write: { pools in
        .mapping(pools.map { ($0.name, pool.write($0)) })
    }

    static func isPoolName(_ name: String) -> Bool {
        let isAllowed = name.allSatisfy {
            ("a"..."z").contains($0) || $0.isASCIIDigit || $0 == "_" || $0 == "-"
        }
        return isAllowed && (1...63).contains(name.utf8.count) && name.first != "_"
            && name.first != "-"
    }

    static let blankPool = PoolSettings(name: "", backends: [])

    static let pool = Section<PoolSettings>(
        blank: blankPool,
        keys: [
            Key(
                "backends", \.self, backends,
                "URLs of servers that can serve the same requests, or where to look them up; required without `workers`."
            ),
            Key(
                "workers", \.workers, poolWorkers.kind().optional(blank: poolWorkers.blank),
                "Takes workers, which come to the listener under `workers`, beside backends or alone. Each gets as many "
                    + "requests at once as it has idle connections open; `limit` and `ejection` are not for them."
            ),
            Key(
                "tls", \.tls, tls.kind(),
                "TLS towards https:// backends. Its files are read at the start and at each reload."
            ),
            Key(
                "host", \.host, hostRule,
                "Host field of forwarded requests: what the client sent, the backend's own, or a name."
            ),
            Key(
                "strip_prefix", \.stripPrefix, pathPrefix.optional(blank: ""),
                "Beginning of requests' paths in whose place the backends' URLs have their own: `/v1` before "
                    + "`https://api.example.com/openai/v1`. A path that does not begin with it stays whole."
            ),
            Key(
                "request", \.request, requestFields.kind(),
                "Fields of requests to the backends that are set and removed, after those of the route. With a value from a "
                    + "file or the environment, or a field for keys, backends get no keys of clients."
            ),
            Key(
                "response", \.response, responseFields.kind(),
                "Fields of their responses that are set and removed, before those of the route."),
            Key(
                "limit", \.admission.limit, limit,
                "How many requests each backend gets at once: a number, or an algorithm that finds it "
                    + "(knee, where nothing is said)."),
            Key(
                "seats", \.seats, seats.kind().optional(blank: SeatSettings()),
                "Long requests take several units of the limit; without this each takes one."),
            Key(
                "bytes_per_second", \.byteRates.down, byteRate,
                "Bytes a second of its responses' bodies, over all requests and threads, all of which get the same "
                    + "while they want more; streams of events have no part in it. `off` for no bound."
            ),
            Key(
                "bytes_per_second_up", \.byteRates.up, byteRate,
                "The same of its requests' bodies."),
            Key(
                "mode", \.admission.mode, .words,
                "`observe` decides, counts and logs everything and starts every request at once: for "
                    + "trying a policy without risk."),
            Key("queue", \.admission.queue, queue.kind(), "What may wait for a free backend."),
            // Tenants name classes, so these come first.
            Key("priority", \.self, priority, "Which requests go first."),
            Key("tenant", \.self, tenant, "Whose requests they are, and what each may have."),
            Key(
                "deadline", \.deadlines, deadlines.kind(), "How long responses are wanted."),
            Key(
                "websocket", \.webSocket, .words,
                "Whether requests may change to WebSocket: `refuse` answers them with 403, `allow` "
                    + "makes a tunnel of the connection, which takes a slot of the limit from its client's "
                    + "first byte until it has been quiet for a second."),
            Key("responses", \.responses, responses.kind(), "What refused clients are told."),
            Key(
                "ejection", \.admission.ejection, ejection.kind(),
                "How long a backend that refuses connections is ejected."),
            Key(
                "cancel", \.admission.cancel, .words,
                "What the backends' engines do when a client leaves and its connection is closed. "
                    + "`stops`: the work ends, and its slot is free at once. `continues`: it goes on, "
                    + "so the response is read to its end and the slot is free then. `auto`: that is "
                    + "learnt for each backend, streams apart."),
            Key(
                "retry", \.admission.retry, retry.kind(),
                "How much is tried again at another backend when one has failed before its client "
                    + "had anything."),
            Key(
                "health", \.health, health.kind().optional(blank: health.blank),
                "Checks of the backends, each on a connection of its own. One whose checks fail is sent "
                    + "nothing, unless more than half of the pool's backends would get next to nothing "
                    + "then."),
            Key(
                "signals", \.signals, signals.kind(),
                "Who is asked what the backends may be sent, beside what their responses say."),
            Key(
                "affinity", \.affinity, affinity.kind(),
                "Whether requests go to the backend that knows the beginning of their prompt already."
            ),
            Key("timeouts", \.self, poolTimeouts.kind(), "Time-outs of backend connections."),
            Key("keep_alive", \.self, keepAlive.kind(), "Unused backend connections."),
        ],
        rules: [
            Rule("backends", "workers") { pool in
                pool.backends.isEmpty && pool.discovery == nil && pool.workers == nil
                    ? Fault("has no backends", "write backends: [URL], or workers: {}") : nil
            },
            Rule("mode", "workers") { pool in
                pool.workers != nil && pool.admission.mode == .observe
                    ? Fault(
                        "is `observe`, which starts requests that workers have no place for",
                        "write mode: enforce, or remove workers") : nil
            },
        ],
        hints: [
            "api_key":
                "write request: {set_fields: {Authorization: {file: PATH, prefix: \"Bearer \"}}}",
            "set_fields": "write request: {set_fields: {NAME: VALUE}}",
            "health_check": "write health: {path: PATH}",
            "healthcheck": "write health: {path: PATH}", "check": "write health: {path: PATH}",
            "file_sd_configs": "write backends: {file: PATH}",
            "sticky": "write affinity: {by: header, header: NAME}",
            "session_affinity": "write affinity: {by: header, header: NAME}",
            "cache_aware": "write affinity: {by: prefix}",
            "agent": "write signals: {agent: tcp://:PORT}",
            "agent_check": "write signals: {agent: tcp://:PORT}",
            "backend": "write backends: [URL]", "urls": "write backends: [URL]",
            "servers": "write backends: [URL]", "max_requests": "write queue: {max_requests: ...}",
            "max_wait": "write queue: {max_wait: ...}", "max_concurrency": "write limit: ...",
            "tenants": "write tenant: {named: [...]}",
            "classes": "write priority: {classes: [...]}",
            "worker": "write workers: {}", "credits": "write workers: {max_credits: NUMBER}",
        ],
        settle: { pool, _ in
            if pool.workers != nil {
                pool.admission.takesWorkers = true
                pool.admission.discoversBackends = true
            }
        })

    /// Bytes a second, of pools and of tenants.
    static let byteRate = Kind<Int>.size(1 << 10...1 << 40)
        .optional(blank: 1 << 20, absent: "off")

    private static let seats = Section<SeatSettings>(
        blank: SeatSettings(),
        keys: [
            Key(
                "tokens", \.tokens, .integer(1...100_000_000),
                "Expected tokens of prompt and response for each unit of the limit."),
            Key("max", \.most, .integer(2...1_000), "Most units for one request."),
        ])

    private static let tls = Section<TLSSettings>(
        blank: TLSSettings(),
        keys: [
            Key("verify", \.verify, .boolean, "Whether certificates and names are verified."),
            Key(
                "ca_file", \.authorityFile, absolutePath.optional(blank: ""),
                "PEM file of the trusted authorities instead of the system's."),
            Key(
                "certificate_file", \.certificateFile, absolutePath.optional(blank: ""),
                "PEM file of the client certificate's chain."),
            Key(
                "key_file", \.keyFile, absolutePath.optional(blank: ""),
                "PEM file of the client certificate's key, closed to everybody but its owner and group."
            ),
        ],
        rules: [
            Rule("certificate_file", "key_file") { settings in
                switch (settings.certificateFile, settings.keyFile) {
                case (.some, nil):
                    Fault("a certificate is given without its key", "set key_file too")
                case (nil, .some):
                    Fault("a key is given without its certificate", "set certificate_file too")
                case (nil, nil), (.some, .some): nil
                }
            },
            Rule("ca_file", "verify") { settings in
                settings.verify || settings.authorityFile == nil
                    ? nil
                    : Fault(
                        "authorities are of no use when nothing is verified",
                        "set verify: true, or remove ca_file")
            },
        ],
        hints: ["cert_file": "write certificate_file", "insecure": "write verify: false"])

    static let absolutePath = Kind<String>.text(
        "the absolute path of a file", pattern: "^/.+$", parse: FilePath.parse, write: { $0 })

    private static let hostRule = Kind<HostRule>(
        .either([
            .words(["preserve", "backend"]),
            .text("a host name with or without a port", pattern: "^[^\\s/]+$"),
        ])
    ) { (node) throws(Fault) in
        let text = try node.text("`preserve`, `backend` or a host name")
        if text == "preserve" { return .preserve }
        if text == "backend" { return .backend }
        let (host, port) = text.contains("/") ? (text, nil) : HostName.split(text)
        _ = try HostName.parse(host)
        if let port { _ = try HostName.port(port, in: 1...65535) }
        return .fixed(text)
    } write: {
        switch $0 {
        case .preserve: .text("preserve")
        case .backend: .text("backend")
        case .fixed(let name): .text(name)
        }
    }

    private static let queue = Section<QueueSettings>(
        blank: QueueSettings(),
        keys: [
            Key(
                "max_requests", \.maxRequests, .integer(0...1_000_000),
                "Requests that may wait at once; 0 rejects whatever cannot start at once."),
            Key(
                "max_bytes", \.maxBytes, .size(0...64 << 30),
                "Bytes that waiting requests may hold in memory."),
            Key("max_wait", \.maxWait, .duration(.zero...Duration.seconds(3600)), "Longest wait."),
            Key(
                "cold_wait", \.coldWait, .duration(.zero...Duration.seconds(3600)),
                "Longest wait while no backend has served anything yet and none can be connected "
                    + "to, such as while models are loaded; `max_wait` if that is longer. At 0 they do not wait "
                    + "for it."),
            Key(
                "overflow", \.overflow, .words,
                "What happens when the queue is full: the new request is refused; or the oldest one "
                    + "of the lowest class gives way, if that class is not above the new one's; or "
                    + "the newest one of a class below the new one's."),
            Key(
                "starvation_bound", \.starvationBound, .integer(2...1_000),
                "While a lower class waits, at least one start in this many is of it."),
            Key(
                "hashed_flows", \.hashedFlows, .integer(1...65_536),
                "Flows that tenants which are not named are hashed into."),
        ])

    private static let deadlines = Section<DeadlineSettings>(
        blank: DeadlineSettings(),
        keys: [
            Key(
                "headers", \.readsFields, .words(true: "read", false: "ignore"),
                "Whether a request's own deadline counts: `grpc-timeout`, `x-request-timeout` and "
                    + "`request-timeout` (seconds, or with ms, s, m or h), "
                    + "`x-envoy-expected-rq-timeout-ms` and `x-stainless-read-timeout`; the "
                    + "smallest, and what is no time is ignored."),
            Key(
                "longest", \.longest,
                Kind<Duration>.duration(timeouts).optional(blank: .seconds(60), absent: "off"),
                "Deadline of every request, from its first byte on; `off` for none."),
            Key(
                "pass_on", \.isPassedOn, .boolean,
                "Whether backends are told the time that is left, in the request's own fields, and "
                    + "with `longest` in `x-envoy-expected-rq-timeout-ms`."),
        ])

    private static let responses = Section<ResponseSettings>(
        blank: ResponseSettings(),
        keys: [
            Key(
                "overload_status", \.overloadStatus,
                overloadStatus.optional(blank: 503, absent: "dialect"),
                "Status of refusals for want of capacity; `dialect` is 503, and 529 for Anthropic's "
                    + "interface. A tenant that is over its share gets 429 in any case."),
            Key(
                "envoy_overloaded", \.saysEnvoyOverloaded, .boolean,
                "Whether a 503 for want of capacity says `x-envoy-overloaded: true`, on which Envoy "
                    + "does not retry."),
            Key(
                "rate_limit", \.tellsShares, .boolean,
                "Whether tenants are told their quotas in `RateLimit`, `x-ratelimit-*` or "
                    + "`anthropic-ratelimit-*` fields, and their share of the limits in `RateLimit` "
                    + "fields: in refusals for being over it, and in responses while more than 70 % of "
                    + "the limits are in use. Needs `tenant`."),
            Key(
                "timing", \.saysTimes, .boolean,
                "Whether forwarded responses say in `X-Penstock-Queue-Ms` and `Server-Timing` how long "
                    + "their requests waited."),
            Key(
                "stop_retries", \.stopsRetries, .boolean,
                "Whether a tenant that has asked for more than twice what it gets for 20 s is told "
                    + "`x-should-retry: false`, on which OpenAI's and Anthropic's clients give up "
                    + "at once."),
        ])

    private static let overloadStatus = Kind<Int>(
        .either(overloadStatuses.map { .integer($0...$0) })
    ) { node, path, status, reading in
        var number = 0
        Kind.integer(0...999).read(node, path, &number, &reading)
        if reading.isFaulty(path) { return }
        if overloadStatuses.contains(number) {
            status = number
        } else {
            let fault = Fault(
                "\(number) does not say that it is worth trying again", "write 429, 503 or 529")
            reading.report(fault, path: path, at: node.position)
        }
    } write: {
        .integer($0)
    }

    private static let overloadStatuses = [429, 503, 529]

    private static let ejection = Section<EjectionSettings>(
        blank: EjectionSettings(),
        keys: [
            Key(
                "base", \.base, .duration(ejectionTimes),
                "Time after the first refusal; each further one doubles it."),
            Key("max", \.max, .duration(ejectionTimes), "Longest time; not less than `base`."),
        ],
        rules: [
            Rule("base", "max") { settings in
                settings.base <= settings.max
                    ? nil : Fault("base is longer than max", "set max to at least base")
            }
        ])

    private static let retry = Section<RetrySettings>(
        blank: RetrySettings(),
        keys: [
            Key(
                "budget", \.share, .number(0...1),
                "Retries for each request, over the last ten to twenty seconds."),
            Key(
                "floor", \.floorPerSecond, .number(0...1_000),
                "Retries a second that may be made however few requests there are."),
        ])

    private static let health = Section<HealthSettings>(
        blank: HealthSettings(path: ""),
        keys: [
            Key(
                "path", \.path,
                .backendPath("/health"), required: true,
                "Path that backends answer with a status of 200 to 299 while all is well."),
            Key(
                "interval", \.rules.interval,
                .duration(Duration.seconds(1)...Duration.seconds(3600)),
                "Time from one check of a backend to the next; a tenth of it is left to chance."),
            Key(
                "timeout", \.timeout, .duration(Duration.seconds(3)...Duration.seconds(300)),
                "How long a check may take. A time-out does not count while the backend has sent a part of "
                    + "a response within the last `interval`: engines that are busy answer late."),
            Key(
                "fall", \.rules.fall, .integer(1...100),
                "Failed checks in a row after which a backend is sent nothing."),
            Key(
                "rise", \.rules.rise, .integer(1...100),
                "Good checks in a row after which it is sent requests again: 2, 4, 8 .. at once. What "
                    + "requests have shown of a backend is not cleared by checks."),
        ],
        hints: [
            "uri": "write path: PATH", "url": "write path: PATH",
            "unhealthy_threshold": "write fall: NUMBER", "healthy_threshold": "write rise: NUMBER",
        ])

    private static let ejectionTimes = Duration.milliseconds(10)...Duration.seconds(3600)
}
