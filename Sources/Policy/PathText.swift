// Paths that the gateway itself writes into requests: each of them has to mean the same to every server.

/// Reads paths that are put together with those of requests.
enum PathText {
    /// Bytes of the longest one.
    static let maxBytes = 1024

    /// Reads the beginning of a path, such as `/openai/v1`: segments without a slash behind the last.
    static func prefix(_ text: String) throws(Fault) -> String {
        if text.hasSuffix("/") {
            let rest = String(text.dropLast())
            throw Fault(
                "\(text.quoted) ends with a slash",
                rest.isEmpty ? "leave it out: nothing goes before / anyway" : "write \(rest.quoted)"
            )
        }
        if text.contains("*") {
            throw Fault("\(text.quoted) has a `*`", "write segments as they are, such as /openai")
        }
        try check(text)
        return text
    }

    /// Reads a path in which a `*` is a whole segment or all that follows, such as `/v1/*`.
    static func rewrite(_ text: String) throws(Fault) -> String {
        try check(text)
        for segment in text.split(separator: "/") where segment.contains("*") && segment != "*" {
            throw Fault(
                "\(text.quoted) has a `*` that does not stand for whole segments",
                "write it alone between slashes, as in /v1/* or /models/*/infer")
        }
        return text
    }

    /// How many `*` a path or a pattern has.
    static func stars(in text: String) -> Int { text.count { $0 == "*" } }

    /// Whether a path is one that all servers read in the same way.
    static func check(_ text: String) throws(Fault) {
        guard text.hasPrefix("/") else {
            throw Fault("\(text.quoted) does not begin with /", "write \("/\(text)".quoted)")
        }
        if text.contains(where: { "?#".contains($0) }) {
            throw Fault("\(text.quoted) has more than a path", "remove what follows the path")
        }
        guard text.utf8.count <= maxBytes, text.utf8.allSatisfy({ (0x21...0x7e).contains($0) })
        else {
            throw Fault(
                "\(text.quoted) is not a path as it stands in a request",
                "percent-encode it and keep it within \(maxBytes) bytes")
        }
        let escapes = text.split(separator: "%", omittingEmptySubsequences: false).dropFirst()
        guard
            escapes.allSatisfy({ $0.prefix(2).count == 2 && $0.prefix(2).allSatisfy(\.isHexDigit) })
        else {
            throw Fault("\(text.quoted) has a bad percent-encoding", "write % as %25")
        }
        let isRead = ["2e", "2f", "5c", "00"]
        let segments = text.split(separator: "/", omittingEmptySubsequences: false).dropFirst()
        if segments.contains(".") || segments.contains("..") || text.contains("\\")
            || text.contains("//")
            || escapes.contains(where: { isRead.contains($0.prefix(2).lowercased()) })
        {
            throw Fault(
                "\(text.quoted) means another path to some servers",
                "write it without dot segments, empty ones, backslashes and encoded slashes or dots"
            )
        }
    }
}
