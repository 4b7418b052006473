// The keys under a route's `cors`.

extension PolicySections {
    static let crossOrigin = Section<CrossOriginSettings>(
        blank: CrossOriginSettings(),
        keys: [
            Key(
                "origins", \.origins,
                .list(of: origin, blank: "", counts: 1...100, identity: { [$0] }),
                required: true,
                "Origins whose pages may read responses, such as https://app.example.com; `*` alone for any."
            ),
            Key(
                "methods", \.methods,
                .list(of: method, blank: "", counts: 1...20, identity: { [$0] }),
                "Methods that pages may use."),
            Key(
                "headers", \.headers,
                .list(of: fieldName, blank: "", counts: 0...100, identity: { [$0] }),
                "Fields that pages may set besides the few that they always may; `*` alone for those that they "
                    + "ask for."),
            Key(
                "expose", \.exposed,
                .list(of: exposedName, blank: "", counts: 0...100, identity: { [$0] }),
                "Fields of responses that pages may read besides Retry-After, X-Request-ID and the gateway's own."
            ),
            Key(
                "credentials", \.allowsCredentials, .boolean,
                "Whether the browser's cookies and certificates may come along; keys in `Authorization` need none "
                    + "of this."),
            Key(
                "max_age", \.maxAge, .duration(.zero...Duration.seconds(24 * 3600)),
                "How long browsers may keep what they were told before the request itself."),
        ],
        rules: [
            Rule("credentials", "origins") { settings in
                settings.allowsCredentials && settings.origins.contains("*")
                    ? Fault(
                        "lets pages of any origin use the browser's credentials",
                        "name the origins, or remove credentials") : nil
            },
            Rule("origins") { settings in
                settings.origins.contains("*") && settings.origins.count > 1
                    ? Fault("has origins beside `*`", "write [\"*\"], or name origins only") : nil
            },
            Rule("headers") { settings in
                settings.headers.contains("*") && settings.headers.count > 1
                    ? Fault("has fields beside `*`", "write [\"*\"], or name fields only") : nil
            },
        ],
        hints: [
            "origin": "write origins: [ORIGIN]", "allow_origins": "write origins: [ORIGIN]",
            "allowed_origins": "write origins: [ORIGIN]", "allow_methods": "write methods: [NAME]",
            "allow_headers": "write headers: [NAME]", "expose_headers": "write expose: [NAME]",
            "allow_credentials": "write credentials: true",
        ])

    private static let origin = Kind<String>.text(
        "an origin such as https://app.example.com, or `*`",
        pattern: "^(\\*|null|[A-Za-z][A-Za-z0-9+.-]*://[^/?# ]+)$", parse: originText,
        write: { $0 })

    /// Reads an origin as browsers write it (RFC 6454 section 6.2): in lower case and without its scheme's own
    /// port.
    private static func originText(_ text: String) throws(Fault) -> String {
        if text == "*" || text == "null" { return text }
        guard let mark = text.firstRange(of: "://") else {
            throw Fault(
                "\(text.quoted) is no origin", "write one such as \("https://\(text)".quoted)")
        }
        let scheme = text[..<mark.lowerBound].lowercased()
        let rest = String(text[mark.upperBound...])
        if rest.contains("@") {
            // Not quoted: what stands there may be a password, and diagnostics end up in logs.
            throw Fault("the origin has a user name", "remove it, with the @ behind it")
        }
        if let end = rest.firstIndex(where: { "/?#".contains($0) }) {
            throw Fault(
                "\(text.quoted) has more than a scheme, a host and a port",
                "write \("\(scheme)://\(rest[..<end])".quoted)")
        }
        if rest.contains("*") {
            throw Fault("\(text.quoted) has a `*`", "name each origin, or write `*` alone for any")
        }
        let isWeb = scheme == "http" || scheme == "https"
        // Extensions and applications have hosts of their own kinds.
        guard isWeb else { return try opaque("\(scheme)://\(rest)", text) }
        let (host, port) = HostName.split(rest)
        let name = try HostName.parse(host)
        let shown = name.contains(":") ? "[\(name)]" : name
        guard let port else { return "\(scheme)://\(shown)" }
        let number = try HostName.port(port, in: 1...65535)
        let usual = scheme == "https" ? 443 : 80
        return Int(number) == usual ? "\(scheme)://\(shown)" : "\(scheme)://\(shown):\(number)"
    }

    private static func opaque(_ origin: String, _ text: String) throws(Fault) -> String {
        guard origin.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7f }), origin.utf8.count <= 300,
            !origin.hasSuffix("://")
        else {
            throw Fault("\(text.quoted) is no origin", "write what the browser sends as Origin")
        }
        return origin
    }

    private static let fieldName = Kind<String>.text(
        "a field's name, or `*`", pattern: "^[!#$%&'*+.^_`|~0-9A-Za-z-]+$",
        parse: { (text) throws(Fault) in text == "*" ? text : try name(text) }, write: { $0 })

    private static let exposedName = Kind<String>.text(
        "a field's name", pattern: "^[!#$%&'+.^_`|~0-9A-Za-z-]+$", parse: name, write: { $0 })

    private static func name(_ text: String) throws(Fault) -> String {
        guard Token.isToken(text), text.utf8.count <= 64, !text.contains("*") else {
            throw Fault("\(text.quoted) is not a field's name", "write one such as x-trace-id")
        }
        return text.lowercased()
    }
}
