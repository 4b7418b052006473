// `http://10.0.0.11:8000`, `https://host:8443`, `http+unix:///run/vllm.sock`.

extension BackendAddress {
    /// What must differ between the backends of a pool; the label is only how it was written.
    var identity: [String] { [scheme.rawValue, host, "\(port)", socketPath] }

    /// Reads a URL.
    static func parse(_ text: String) throws(Fault) -> BackendAddress {
        guard let separator = text.firstRange(of: "://") else {
            throw Fault("\(text.quoted) has no scheme", "write \("http://\(text)".quoted)")
        }
        let rest = String(text[separator.upperBound...])
        switch text[..<separator.lowerBound] {
        case "http": return try remote(.http, rest, defaultPort: 80, label: text)
        case "https": return try remote(.https, rest, defaultPort: 443, label: text)
        case "http+unix": return try socket(rest, label: text)
        case let scheme:
            let known = ["http", "https", "http+unix"]
            let hint = Spelling.hint(String(scheme), among: known)
            throw Fault(
                "the scheme \(String(scheme).quoted) is not known",
                "\(hint)write http://, https:// or http+unix://")
        }
    }

    private static func remote(
        _ scheme: Scheme, _ rest: String, defaultPort: UInt16, label: String
    ) throws(Fault) -> BackendAddress {
        let authority = rest.hasSuffix("/") ? String(rest.dropLast()) : rest
        if let index = authority.firstIndex(where: { "/?#@".contains($0) }) {
            if authority.contains("@") {
                // Not quoted: what stands there may be a password, and diagnostics end up in logs.
                throw Fault("the URL has a user name", "remove it, with the @ behind it")
            }
            throw Fault(
                "\(label.quoted) has more than a host and a port",
                "write \("\(scheme.rawValue)://\(authority[..<index])".quoted)")
        }
        let (host, port) = HostName.split(authority)
        return BackendAddress(
            scheme: scheme, host: try HostName.parse(host),
            port: try port.map { port throws(Fault) in try HostName.port(port, in: 1...65535) }
                ?? defaultPort,
            label: label)
    }

    private static func socket(_ rest: String, label: String) throws(Fault) -> BackendAddress {
        guard let path = rest.percentDecoded else {
            throw Fault("\(label.quoted) has a bad percent-encoding", "write % as %25")
        }
        return BackendAddress(
            scheme: .unix, host: "", port: 0, socketPath: try FilePath.socket(path), label: label)
    }
}

extension BackendAddress {
    /// Weights that a backend may have: as many as are told apart, few enough for exact products of two shares.
    static let weights = 0...1_000

    /// How it is called where its weight matters.
    package var weighedText: String {
        switch weight {
        case 1: label
        case 0: "\(label) (weight 0, gets nothing new)"
        default: "\(label) (weight \(weight))"
        }
    }
}

extension Kind<BackendAddress> {
    /// A backend: its URL, or a mapping of that and more.
    static var backend: Kind {
        let url = backendURL
        let section = Section<BackendAddress>(
            blank: BackendAddress(scheme: .http, host: "", port: 0, label: ""),
            keys: [
                Key("url", \.self, url, required: true, "URL of the backend."),
                Key(
                    "weight", \.weight, .integer(BackendAddress.weights),
                    "What it has in flight in comparison with others, as far as its limit allows: with twice the "
                        + "weight it has twice the share of its limit in flight while all have room. 0 for nothing new: "
                        + "what it has goes on."),
            ],
            hints: ["address": "write url: URL", "backup": "write a fallback on the route"])
        return Kind(.either([url.shape, .section(section.shape)])) { node, path, value, reading in
            if case .mapping = node.content {
                section.read(node, path, &value, &reading)
            } else {
                url.read(node, path, &value, &reading)
            }
        } write: { value in
            value.weight == 1 ? url.write(value) : section.write(value)
        }
    }

    /// The URL of a backend.
    private static var backendURL: Kind {
        .text(
            "a URL such as http://10.0.0.11:8000, https://host:8443 or http+unix:///run/vllm.sock",
            pattern:
                "^(https?://(\\[[0-9A-Fa-f:.]+\\]|[A-Za-z0-9._-]+)(:[0-9]{1,5})?/?|http\\+unix://.+)$",
            parse: BackendAddress.parse, write: { $0.label })
    }
}
