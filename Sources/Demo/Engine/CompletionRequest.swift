// What the simulated backend understands of a chat completion's body. It is read by looking for two
// keys, not by parsing JSON: the only client that the demo promises to serve is its own, and curl
// with the same two keys.

/// A request to make so many tokens.
package struct CompletionRequest: Equatable, Sendable {
    /// Tokens to make, 1...4096.
    package var tokens: Int
    /// Whether each token is sent as an event when it is made.
    package var isStreamed: Bool

    /// A request for `tokens` tokens.
    package init(tokens: Int, isStreamed: Bool) {
        self.tokens = tokens
        self.isStreamed = isStreamed
    }

    /// Reads a body; without `max_tokens` it asks for 16, as OpenAI's completions do.
    package init(body: [UInt8]) {
        tokens = min(
            max(CompletionRequest.number(after: "\"max_tokens\":", in: body) ?? 16, 1), 4096)
        let stream = CompletionRequest.value(after: "\"stream\":", in: body)
        isStreamed = stream?.starts(with: "true".utf8) ?? false
    }

    /// The request as a body.
    package var body: String {
        "{\"model\":\"demo\",\"max_tokens\":\(tokens),\"stream\":\(isStreamed),"
            + "\"messages\":[{\"role\":\"user\",\"content\":\"Hello.\"}]}"
    }

    private static func number(after key: String, in body: [UInt8]) -> Int? {
        guard let value = value(after: key, in: body) else { return nil }
        let digits = value.prefix { $0 >= 0x30 && $0 <= 0x39 }
        return digits.isEmpty || digits.count > 9
            ? nil : digits.reduce(0) { $0 * 10 + Int($1 - 0x30) }
    }

    /// What follows `key` and any blanks.
    private static func value(after key: String, in body: [UInt8]) -> ArraySlice<UInt8>? {
        let key = Array(key.utf8)
        guard body.count >= key.count else { return nil }
        for start in 0...(body.count - key.count)
        where body[start..<(start + key.count)].elementsEqual(key) {
            return body[(start + key.count)...].drop { $0 == 0x20 }
        }
        return nil
    }
}
