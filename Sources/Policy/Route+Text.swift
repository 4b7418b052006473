// Hosts, methods and models of routes, and which route covers which; `PathPattern+Text.swift` has paths.

extension Route {
    /// Whether every request that `other` matches is matched by this route too.
    func covers(_ other: Route) -> Bool {
        path.covers(other.path) && Self.covers(hosts, other.hosts)
            && Self.covers(methods, other.methods)
            && (Self.covers(models, other.models) || models.contains("*") && !other.models.isEmpty)
    }

    /// Whether the gateway itself answers all that this route matches.
    func isForHealth(_ server: ServerSettings) -> Bool {
        guard case .exact(let path) = path, server.healthPaths.contains(path) else { return false }
        return !methods.isEmpty && Set(methods).isSubset(of: ["GET", "HEAD"])
    }

    /// Empty stands for everything.
    private static func covers(_ mine: [String], _ others: [String]) -> Bool {
        mine.isEmpty || (!others.isEmpty && Set(mine).isSuperset(of: others))
    }

    /// Reads a host: a name without port, in lower case, IPv6 in brackets as in `Host`.
    static func host(_ text: String) throws(Fault) -> String {
        let (host, port) = text.contains("/") ? (text, nil) : HostName.split(text)
        if port != nil, !host.contains(":") || host.hasSuffix("]") {
            throw Fault("\(text.quoted) has a port", "write \(host.quoted): ports are not compared")
        }
        let name = try HostName.parse(text)
        return name.contains(":") ? "[\(name)]" : name
    }

    /// Reads a pattern of models' names: up to 256 bytes without control characters.
    static func modelPattern(_ text: String) throws(Fault) -> String {
        let isName = text.utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7F }
        guard isName, (1...256).contains(text.utf8.count) else {
            throw Fault(
                "\(text.quoted) is not a model's name",
                "write 1 to 256 bytes without control characters")
        }
        return text
    }

    /// Reads a model's name.
    static func modelName(_ text: String) throws(Fault) -> String {
        if text.contains("*") {
            throw Fault("\(text.quoted) has a `*`", "write one model's name")
        }
        return try modelPattern(text)
    }

    /// Reads a method: a token (RFC 9110 section 9.1) without lower-case letters.
    static func method(_ text: String) throws(Fault) -> String {
        if text == "CONNECT" { throw Fault("CONNECT cannot be forwarded", "remove it") }
        guard Token.isToken(text), text.utf8.count <= 32 else {
            throw Fault("\(text.quoted) is not a method", "write one such as POST")
        }
        guard text == text.uppercased() else {
            throw Fault(
                "\(text.quoted) would match nothing: methods have capitals",
                "write \(text.uppercased().quoted)")
        }
        return text
    }
}

/// Tokens of HTTP.
enum Token {
    /// Whether `text` is a token (RFC 9110 section 5.6.2).
    static func isToken(_ text: String) -> Bool {
        !text.isEmpty
            && text.allSatisfy {
                $0.isASCIILetter || $0.isASCIIDigit || "!#$%&'*+-.^_`|~".contains($0)
            }
    }
}
