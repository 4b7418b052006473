// The keys `request` and `response` of routes and pools: fields that are set and removed on the way.
//
// Some fields cannot be either. Those that frame a message or belong to one connection are written anew for each hop,
// and two writers would be how requests are smuggled; others are what the gateway itself says, and have keys of
// their own.

/// Which way fields go.
private enum FieldDirection {
    case request, response
}

extension PolicySections {
    /// Fields of one message that are set, and names of those that are removed.
    static let mostFields = 32

    static let requestFields = fieldRules(.request)
    static let responseFields = fieldRules(.response)

    private static func fieldRules(_ direction: FieldDirection) -> Section<FieldRules> {
        let whose = direction == .request ? "the request" : "a backend's response"
        return Section<FieldRules>(
            blank: FieldRules(),
            keys: [
                Key(
                    "set_fields", \.fields, setFields(direction),
                    "Fields by name that \(whose) has from here on, in place of all that came under the name: a text, "
                        + "or `{file: PATH}` or `{env: NAME}` for what nobody is to read in the policy."
                ),
                Key(
                    "remove_fields", \.removed,
                    .list(
                        of: removedName(direction), blank: "", counts: 0...mostFields,
                        identity: { [plain($0)] }),
                    "Names of fields that go no further."),
            ],
            rules: [
                Rule("remove_fields", "set_fields") { rules in
                    let names = Set(rules.fields.map { plain($0.name) })
                    return rules.removed.first { names.contains(plain($0)) }.map { name in
                        Fault(
                            "has \(name.quoted), which set_fields has too",
                            "remove it here: what came under the name is replaced anyway")
                    }
                }
            ],
            hints: [
                "set": "write set_fields: {NAME: VALUE}", "add": "write set_fields: {NAME: VALUE}",
                "headers": "write set_fields: {NAME: VALUE}",
                "set_headers": "write set_fields: {NAME: VALUE}",
                "remove": "write remove_fields: [NAME]",
                "remove_headers": "write remove_fields: [NAME]",
            ])
    }

    private static func setFields(_ direction: FieldDirection) -> Kind<[SetField]> {
        Kind<[SetField]>(
            .named(fieldValue.shape, pattern: namePattern, counts: 0...mostFields)
        ) { node, path, fields, reading in
            guard case .mapping(let entries) = node.content, entries.count <= mostFields else {
                let fault = Fault(
                    "found \(node.description)",
                    "write a mapping of names to values, \(mostFields) at most")
                return reading.report(fault, path: path, at: node.position)
            }
            fields = []
            var first: [String: Position] = [:]
            for entry in entries {
                let path = Reading.join(path, entry.key)
                if let earlier = first.updateValue(entry.position, forKey: plain(entry.key)) {
                    reading.report(
                        .repeated(earlier, in: reading, at: entry.position), path: path,
                        at: entry.position)
                    continue
                }
                var field = SetField(name: entry.key, value: FieldValue())
                do throws(Fault) {
                    _ = try fieldName(entry.key, direction, isSet: true)
                } catch {
                    reading.report(error, path: path, at: entry.position)
                }
                reading.note(path, at: entry.value.position)
                fieldValue.read(entry.value, path, &field.value, &reading)
                // A text is shown where policies are; a key among them would be, too.
                if FieldRules.keyNames.contains(entry.key.lowercased()),
                    let name = reading.variable(at: entry.value.position)
                {
                    reading.report(
                        Fault(
                            "has a key from the variable \(name) in a text, which dumps would show",
                            "write {env: \(name)}, with what stands before it as prefix"),
                        path: path, at: entry.value.position)
                }
                fields.append(field)
            }
        } write: { fields in
            .mapping(
                fields.compactMap { field in
                    fieldValue.write(field.value).map { (field.name, $0) }
                })
        }
    }

    // MARK: Values

    static let fieldValue = Kind<FieldValue>(
        .either([plainValue.shape, .section(secretValue.shape)])
    ) { node, path, value, reading in
        if case .mapping = node.content {
            secretValue.read(node, path, &value, &reading)
        } else {
            plainValue.read(node, path, &value.text, &reading)
        }
    } write: { value in
        value.isSecret ? secretValue.write(value) : plainValue.write(value.text)
    }

    private static let plainValue = Kind<String>.text(
        "a field's value", pattern: "^[^\\u0000-\\u0008\\u000a-\\u001f\\u007f]*$",
        parse: fieldText, write: { $0 })

    private static let secretValue = Section<FieldValue>(
        blank: FieldValue(),
        keys: [
            Key(
                "file", \.file, keysPath.optional(blank: ""),
                "File with the value, up to 4096 bytes without the white space around them; read at the start and at each "
                    + "reload. Others than its owner and its group may neither read nor write it. A relative path begins "
                    + "at the policy file's folder."),
            Key(
                "env", \.variable, variableName.optional(blank: ""),
                "Variable of the process's environment with the value, which is what it was when the process was started."
            ),
            Key(
                "prefix", \.text, prefixText,
                "What stands before it, such as `\"Bearer \"`."),
        ],
        rules: [
            Rule("file", "env") { value in
                switch (value.file, value.variable) {
                case (nil, nil): Fault("says neither a file nor a variable", "set file or env")
                case (.some, .some): Fault("says a file and a variable", "remove one of them")
                default: nil
                }
            }
        ],
        hints: [
            "value": "write the text itself instead of a mapping", "from_file": "write file: PATH",
            "variable": "write env: NAME",
        ])

    private static let prefixText = Kind<String>.text(
        "the beginning of a field's value",
        pattern: "^[^\\u0000-\\u0008\\u000a-\\u001f\\u007f]*$",
        parse: { (text) throws(Fault) in
            try checkFieldText(text)
            return text
        }, write: { $0 })

    private static let variableName = Kind<String>.text(
        "the name of a variable", pattern: "^[A-Za-z_][A-Za-z0-9_]*$",
        parse: { (text) throws(Fault) in
            guard (1...256).contains(text.utf8.count), text.first?.isASCIIDigit == false,
                text.allSatisfy({ $0.isASCIILetter || $0.isASCIIDigit || $0 == "_" })
            else {
                throw Fault("\(text.quoted) is not a variable's name", "write one such as API_KEY")
            }
            return text
        }, write: { $0 })

    private static func fieldText(_ text: String) throws(Fault) -> String {
        try checkFieldText(text)
        if text.first == " " || text.last == " " || text.first == "\t" || text.last == "\t" {
            throw Fault("has white space around it, which servers drop", "write it without")
        }
        return text
    }

    /// What stands there is not quoted: it may be a key, and diagnostics end up in logs.
    private static func checkFieldText(_ text: String) throws(Fault) {
        guard text.utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x7f || $0 == 0x09 }) else {
            throw Fault(
                "has a line break or another control character",
                "write one line; the value of a field has no others (RFC 9110 section 5.5)")
        }
        guard text.utf8.count <= SecretReader.maxBytes else {
            throw Fault(
                "has \(text.utf8.count) bytes", "write at most \(SecretReader.maxBytes)")
        }
    }

    // MARK: Names

    private static let namePattern = "^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,64}$"

    private static func removedName(_ direction: FieldDirection) -> Kind<String> {
        .text(
            "a field's name", pattern: namePattern,
            parse: { (text) throws(Fault) in try fieldName(text, direction, isSet: false) },
            write: { $0 })
    }

    /// A name in lower case, if it is one that may be set or removed.
    private static func fieldName(
        _ text: String, _ direction: FieldDirection, isSet: Bool
    ) throws(Fault) -> String {
        guard Token.isToken(text), text.utf8.count <= 64 else {
            throw Fault("\(text.quoted) is not a field's name", "write one such as x-team")
        }
        if let remedy = reservedRemedy(plain(text), direction, isSet: isSet) {
            throw Fault("\(text.quoted) is written by the gateway itself", remedy)
        }
        return text.lowercased()
    }

    /// In lower case and with hyphens: some servers show programs both under one name (RFC 3875 section 4.1.18).
    static func plain(_ name: String) -> String {
        name.lowercased().replacing("_", with: "-")
    }

    /// What to do instead of setting or removing the field `name`; nil where that can be done.
    private static func reservedRemedy(
        _ name: String, _ direction: FieldDirection, isSet: Bool
    ) -> String? {
        if let remedy = reserved[name] { return remedy }
        if name.hasPrefix("penstock-") || name.hasPrefix("x-penstock-")
            || name.hasPrefix("endpoint-load-metrics")
        {
            return "remove it: it is between the gateway and its neighbours"
        }
        if name.hasPrefix("sec-websocket-") { return "remove it: it opens a WebSocket" }
        switch direction {
        case .request: return reservedOfRequests[name]
        case .response:
            guard isSet else { return nil }
            if name.hasPrefix("access-control-") { return "write cors on the route" }
            let isRate =
                name == "ratelimit" || name.hasPrefix("ratelimit-")
                || name.hasPrefix("x-ratelimit-") || name.hasPrefix("anthropic-ratelimit-")
            return isRate ? "write pools.NAME.responses.rate_limit" : reservedOfResponses[name]
        }
    }

    private static let framing = "remove it: it belongs to one connection and is written for each"

    private static let reserved: [String: String] = [
        "connection": framing, "content-length": framing, "transfer-encoding": framing,
        "te": framing, "trailer": framing, "upgrade": framing, "keep-alive": framing,
        "proxy-connection": framing, "host": "write pools.NAME.host", "via": "write forwarding.via",
        "x-request-id": "write forwarding.request_id",
        "x-envoy-degraded": "remove it: it is between the gateway and its neighbours",
    ]

    private static let reservedOfRequests: [String: String] = [
        "expect": framing, "max-forwards": framing,
        "x-forwarded-for": "write forwarding.forwarded",
        "x-forwarded-proto": "write forwarding.forwarded",
        "x-forwarded-host": "write forwarding.forwarded",
        "x-forwarded-client-cert": "write forwarding.forwarded",
        "forwarded": "write forwarding.forwarded",
        "accept-encoding": "remove it: the gateway reads responses, and asks for what it can read",
        "grpc-timeout": "write pools.NAME.deadline",
        "x-request-timeout": "write pools.NAME.deadline",
        "request-timeout": "write pools.NAME.deadline",
        "x-envoy-expected-rq-timeout-ms": "write pools.NAME.deadline",
        "x-stainless-read-timeout": "write pools.NAME.deadline",
    ]

    private static let reservedOfResponses: [String: String] = [
        "date": "remove it: it says when the response was made",
        "server-timing": "write pools.NAME.responses.timing",
        "retry-after": "remove it: backends and the gateway say it",
        "retry-after-ms": "remove it: backends and the gateway say it",
        "x-should-retry": "write pools.NAME.responses.stop_retries",
    ]

    // MARK: Paths and time-outs of routes

    static let pathPrefix = Kind<String>.text(
        "the beginning of a path, such as /openai", pattern: "^(/[^/*?#]+)+$",
        parse: PathText.prefix, write: { $0 })

    static let rewrittenPath = Kind<String>.text(
        "a path such as /v1/chat/completions or /v1/*", pattern: "^/[^?#]*$",
        parse: PathText.rewrite, write: { $0 })

    static let routeTimeouts = Section<Route.Timeouts>(
        blank: Route.Timeouts(),
        keys: [
            Key(
                "first_byte", \.firstByte, timeout,
                "From the forwarded request to the response's first byte, and from there to the first event of an "
                    + "inference server's stream."),
            Key(
                "idle", \.idle, timeout, "Between two reads of a response that is no such stream."),
            Key(
                "stream_stall", \.streamStall, timeout,
                "Between two reads of such a stream after its first event."),
            Key(
                "tunnel_idle", \.tunnelIdle, timeout,
                "Without a byte in either direction of a WebSocket tunnel."),
        ],
        hints: [
            "connect":
                "write pools.NAME.timeouts.connect: a connection is for requests of any route",
            "read": "write first_byte or idle",
        ])

    private static let timeout = Kind<Duration>.duration(timeouts).optional(blank: .seconds(60))

    /// Conditions on how a route's path is changed.
    static let pathRules: [Rule<Route>] = [
        Rule("rewrite", "strip_prefix") { route in
            route.rewrite != nil && route.stripPrefix != nil
                ? Fault("stands beside strip_prefix", "write rewrite alone, without the prefix")
                : nil
        },
        Rule("strip_prefix", "path") { route in
            guard let prefix = route.stripPrefix else { return nil }
            let path = route.path.text
            if path == prefix || path.hasPrefix(prefix + "/") { return nil }
            return Fault(
                "the route's paths do not all begin with \(prefix.quoted)",
                "write path: \("\(prefix)/*".quoted), or the prefix that they have")
        },
        Rule("rewrite", "path") { route in
            guard let rewrite = route.rewrite else { return nil }
            let (mine, theirs) = (PathText.stars(in: rewrite), PathText.stars(in: route.path.text))
            if mine == 0 || mine == theirs { return nil }
            return Fault(
                "has \(mine) `*`, and path has \(theirs)",
                "write as many, each for what that of path finds, or none")
        },
    ]
}
