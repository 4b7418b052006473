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
        let parts = parts(answer)
        // The status has three digits.
        var count = self == .problem ? 3 : 0
        for index in parts.indices { count += parts[index].utf8.count }
        return count
    }

    /// Appends the body; all texts are literals without anything that JSON would escape.
    func appendBody(_ answer: LocalAnswer, to output: inout ByteBuffer) {
        let parts = parts(answer)
        for index in parts.indices {
            output.append(parts[index])
            if self == .problem && index == Dialect.partsBeforeStatus - 1 {
                output.append(decimal: answer.status)
            }
        }
    }

    private static let partsBeforeStatus = 5

    private func parts(_ answer: LocalAnswer) -> InlineArray<10, String> {
        switch self {
        case .problem:
            let problem = Problem(answer)
            return [
                "{\"type\":\"", problem.type, "\",\"title\":\"", problem.title,
                "\",\"status\":", ",\"detail\":\"", answer.message, "\",\"reason\":\"",
                answer.reason.name, problem.end,
            ]
        case .openAI:
            return [
                "{\"error\":{\"message\":\"", answer.message, "\",\"type\":\"",
                Dialect.kind(answer.status), "\",\"param\":null,\"code\":\"", answer.reason.name,
                "\"}}\n", "", "", "",
            ]
        }
    }

    /// OpenAI's error type for a status.
    private static func kind(_ status: Int) -> String {
        switch status {
        case 429: "rate_limit_error"
        case 503: "service_unavailable_error"
        case 500...: "server_error"
        default: "invalid_request_error"
        }
    }
}

/// The parts of problem details that depend on the kind of problem.
///
/// The types for shortages are those of draft-ietf-httpapi-ratelimit-headers-11, section 6; others
/// have none of their own and are named after their status (RFC 9457 section 4.2.1).
private struct Problem {
    let type: String
    let title: String
    var end = "\"}\n"

    init(_ answer: LocalAnswer) {
        if answer.status == 429 {
            type = "https://iana.org/assignments/http-problem-types#quota-exceeded"
            title = "Request cannot be satisfied as assigned quota has been exceeded"
            end = "\",\"violated-policies\":[\"share\"]}\n"
        } else if answer.isForWantOfCapacity {
            type = "https://iana.org/assignments/http-problem-types#temporary-reduced-capacity"
            title = "Request cannot be satisfied due to temporary server capacity constraints"
        } else {
            type = "about:blank"
            title = ReasonPhrase.of(answer.status)
        }
    }
}
