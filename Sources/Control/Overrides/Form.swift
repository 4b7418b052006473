// Names with values as browsers send forms and `curl -d` does (WHATWG URL section 5, application/x-www-form-urlencoded):
// what the control socket is asked with, and what one process of a gateway tells the next.

internal import Policy

/// Names, each with one value.
struct Form: Equatable {
    private(set) var values: [String: String] = [:]

    /// Nothing.
    init() {}

    /// What `text` says; nil where it cannot be read, or says a name twice.
    init?(_ text: String) {
        for pair in text.split(separator: "&") {
            let parts = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard parts.count == 2, let name = Form.decoded(parts[0]),
                let value = Form.decoded(parts[1]), values[name] == nil
            else { return nil }
            values[name] = value
        }
    }

    /// The value of `name`; nil where there is none.
    subscript(name: String) -> String? {
        get { values[name] }
        set { values[name] = newValue }
    }

    /// The form as text, its names in their order.
    var text: String {
        values.sorted { $0.key < $1.key }
            .map { "\($0.key.percentEncoded)=\($0.value.percentEncoded)" }.joined(separator: "&")
    }

    private static func decoded(_ text: Substring) -> String? {
        String(text).replacing("+", with: " ").percentDecoded
    }
}
