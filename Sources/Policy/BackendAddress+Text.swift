// `http://10.0.0.11:8000`, `https://host:8443`, `http+unix:///run/vllm.sock`.

extension BackendAddress {
    /// What must differ between the backends of a pool; the label is only how it was written.
    var identity: [String] { [scheme.rawValue, host, "\(port)", socketPath, path] }

    /// Reads a URL with a path, such as clients are given; nil where it is none, and `problem` says why, and what
    /// would be right.
    package static func read(url text: String, _ problem: inout String) -> BackendAddress? {
        do throws(Fault) {
            return try parse(text, takesPath: true)
        } catch {
            problem = "\(error.problem); \(error.remedy)"
            return nil
        }
    }

    /// Reads a URL; one of `http` or `https` may have a path where `takesPath`.
    static func parse(_ text: String, takesPath: Bool = false) throws(Fault) -> BackendAddress {
        guard let separator = text.firstRange(of: "://") else {
            throw Fault("\(text.quoted) has no scheme", "write \("http://\(text)".quoted)")
        }
        let rest = String(text[separator.upperBound...])
        switch text[..<separator.lowerBound] {
        case "http": return try remote(.http, rest, 80, takesPath, label: text)
        case "https": return try remote(.https, rest, 443, takesPath, label: text)
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
        _ scheme: Scheme, _ rest: String, _ defaultPort: UInt16, _ takesPath: Bool, label: String
    ) throws(Fault) -> BackendAddress {
        let end = rest.firstIndex { "/?#".contains($0) } ?? rest.endIndex
        let authority = String(rest[..<end])
        var path = String(rest[end...])
        if path.hasSuffix("/") { path.removeLast() }
        if rest.contains("@") {
            // Not quoted: what stands there may be a password, and diagnostics end up in logs.
            throw Fault("the URL has a user name", "remove it, with the @ behind it")
        }
        let bare = "\(scheme.rawValue)://\(authority)"
        if !path.isEmpty, !takesPath {
            throw Fault(
                "\(label.quoted) has more than a host and a port", "write \(bare.quoted)")
        }
        if path.contains(where: { "?#".contains($0) }) {
            let kept = path.prefix { !"?#".contains($0) }
            throw Fault(
                "\(label.quoted) has more than a host, a port and a path",
                "write \("\(bare)\(kept)".quoted)")
        }
        if !path.isEmpty { path = try PathText.prefix(path) }
        let (host, port) = HostName.split(authority)
        return BackendAddress(
            scheme: scheme, host: try HostName.parse(host),
            port: try port.map { port throws(Fault) in try HostName.port(port, in: 1...65535) }
                ?? defaultPort,
            path: path, label: label)
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
            "a URL such as http://10.0.0.11:8000, https://host:8443/v1 or http+unix:///run/vllm.sock",
            pattern:
                "^(https?://(\\[[0-9A-Fa-f:.]+\\]|[A-Za-z0-9._-]+)(:[0-9]{1,5})?(/[^?#\\s]*)?|http\\+unix://.+)$",
            parse: { (text) throws(Fault) in try BackendAddress.parse(text, takesPath: true) },
            write: { $0.label })
    }
}
