// The shape of an error's body, so that a client's library can read it.

internal import Admission
internal import HTTP1

/// How an answer of the gateway's own is written.
enum Dialect {
    /// `{"error":{"message","type","param","code"}}`, as the OpenAI clients unwrap it.
    case openAI
    /// RFC 9457 problem details.
    case problem

    /// OpenAI's for paths below `/v1/`, where its clients and the engines that imitate it are; else
    /// problem details.
    init(of head: borrowing RequestHead) {
        let path = head.span(head.path)
        self =
            path.count >= 4 && path[0] == 0x2f && path[1] == 0x76 && path[2] == 0x31
                && path[3] == 0x2f
            ? .openAI : .problem
    }

    /// Bytes that `appendBody` will append.
    func bodyCount(_ answer: LocalAnswer) -> Int {
        var count = answer.message.utf8.count + answer.reason.name.utf8.count
        let parts = parts(answer)
        for index in parts.indices { count += parts[index].utf8.count }
        return count + (self == .problem ? 3 : 0)
    }

    /// Appends the body; messages and names are literals without anything that JSON would escape.
    func appendBody(_ answer: LocalAnswer, to output: inout ByteBuffer) {
        let parts = parts(answer)
        output.append(parts[0])
        if self == .problem {
            output.append(decimal: answer.status)
            output.append(parts[1])
            output.append(answer.message)
            output.append(parts[2])
            output.append(answer.reason.name)
            output.append(parts[3])
        } else {
            output.append(answer.message)
            output.append(parts[1])
            output.append(parts[2])
            output.append(answer.reason.name)
            output.append(parts[3])
        }
    }

    private func parts(_ answer: LocalAnswer) -> InlineArray<4, String> {
        switch self {
        case .problem:
            ["{\"type\":\"about:blank\",\"status\":", ",\"title\":\"", "\",\"reason\":\"", "\"}\n"]
        case .openAI:
            [
                "{\"error\":{\"message\":\"", "\",\"type\":\"", Dialect.kind(answer.status),
                "\"}}\n",
            ]
        }
    }

    /// OpenAI's error type for a status.
    private static func kind(_ status: Int) -> String {
        switch status {
        case 503: "service_unavailable_error\",\"param\":null,\"code\":\""
        case 500...: "server_error\",\"param\":null,\"code\":\""
        default: "invalid_request_error\",\"param\":null,\"code\":\""
        }
    }
}
