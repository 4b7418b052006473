// Problem details, RFC 9457, for those who speak no dialect of their own.

extension Dialect {
    /// The types for shortages are those of draft-ietf-httpapi-ratelimit-headers-11, section 6;
    /// others have none of their own and are named after their status (RFC 9457 section 4.2.1).
    static func problem(_ facts: ErrorFacts) -> InlineArray<12, ErrorPiece> {
        let type: String
        let title: String
        var end = "\"}\n"
        if facts.isQuota {
            type = "https://iana.org/assignments/http-problem-types#quota-exceeded"
            title = "Request cannot be satisfied as assigned quota has been exceeded"
            end =
                switch facts.quota {
                case .share: "\",\"violated-policies\":[\"share\"]}\n"
                case .requests: "\",\"violated-policies\":[\"requests\"]}\n"
                case .tokens: "\",\"violated-policies\":[\"tokens\"]}\n"
                }
        } else if facts.isShortage {
            type = "https://iana.org/assignments/http-problem-types#temporary-reduced-capacity"
            title = "Request cannot be satisfied due to temporary server capacity constraints"
        } else {
            type = "about:blank"
            title = facts.title
        }
        return [
            .text("{\"type\":\""), .text(type), .text("\",\"title\":\""), .text(title),
            .text("\",\"status\":"), .status, .text(",\"detail\":\""), .text(facts.message),
            .text("\",\"reason\":\""), .text(facts.code), .text(end), .nothing,
        ]
    }
}
