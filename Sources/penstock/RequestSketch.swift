// A request as somebody asks about it: `POST /v1/chat/completions key=sk-1 model=llama x-tenant:acme`.

internal import Gateway
internal import Reactor

/// A request in a few words.
struct RequestSketch {
    private var method = ""
    private var target = ""
    private var host = "localhost"
    private var fields: [String] = []
    private var model: String?
    private var isStream = false
    private(set) var peer = PeerAddress()

    /// What the words are, for who got one wrong.
    static let form =
        "write METHOD PATH, then any of key=KEY, model=NAME, stream=true, host=NAME, from=ADDRESS, FIELD:VALUE"

    /// Reads the words.
    init(_ text: String) throws(ValidationError) {
        var words = text.split(separator: " ").map(String.init)[...]
        guard let method = words.popFirst(), let target = words.popFirst(),
            target.hasPrefix("/") || target == "*" || target.contains("://")
        else { throw ValidationError("--explain: \(Self.form)") }
        self.method = method
        self.target = target
        for word in words { try take(word) }
    }

    private mutating func take(_ word: String) throws(ValidationError) {
        let mark = word.firstIndex { $0 == "=" || $0 == ":" }
        guard let mark, mark > word.startIndex,
            word.utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x7f })
        else { throw ValidationError("--explain: '\(word)' says nothing; \(Self.form)") }
        let (name, value) = (word[..<mark], String(word[word.index(after: mark)...]))
        if word[mark] == ":" {
            fields.append("\(name): \(value)")
            return
        }
        switch name {
        case "key": fields.append("Authorization: Bearer \(value)")
        case "model": model = value
        case "stream": isStream = value == "true"
        case "host": host = value
        case "from":
            guard let found = PeerAddress(numeric: value) else {
                throw ValidationError("--explain: '\(value)' is no numeric address")
            }
            peer = found
        default: throw ValidationError("--explain: '\(name)' is not known; \(Self.form)")
        }
    }

    /// The request as it comes over a connection.
    var bytes: [UInt8] {
        let body = hasBody ? "{\(members.joined(separator: ", "))}" : ""
        var lines = ["\(method) \(target) HTTP/1.1", "Host: \(host)"] + fields
        if hasBody {
            lines += ["Content-Type: application/json", "Content-Length: \(body.utf8.count)"]
        }
        return Array((lines.joined(separator: "\r\n") + "\r\n\r\n" + body).utf8)
    }

    private var hasBody: Bool {
        model != nil || isStream || ["POST", "PUT", "PATCH"].contains(method)
    }

    private var members: [String] {
        var members: [String] = []
        if let model {
            let escaped = model.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"")
            members.append("\"model\": \"\(escaped)\"")
        }
        if isStream { members.append("\"stream\": true") }
        return members
    }
}
