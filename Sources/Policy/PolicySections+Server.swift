// The keys under `server` and `log`.

extension PolicySections {
    static let server = Section<ServerSettings>(
        blank: ServerSettings(),
        keys: [
            Key(
                "max_connections", \.maxConnections, .integer(1...1_000_000),
                "Client connections held at once; more wait in the kernel's backlog."),
            Key(
                "max_head_size", \.maxHeadBytes, .size(1 << 10...1 << 20),
                "Largest head of a request, request line included."),
            Key(
                "max_fields", \.maxFields, .integer(1...1_000),
                "Most fields of a request's head or trailer section."),
            Key("max_body_size", \.maxBodyBytes, .size(0...1 << 40), "Largest body of a request."),
            Key(
                "body_before_queue", \.bodyBeforeQueueBytes, .size(0...1 << 30),
                "Bodies up to this are read whole before their request asks for a slot of the limit; longer "
                    + "ones, and those of clients that wait to be asked, follow when it has one. `0B`: all do, for clients "
                    + "that read a response while they still send."),
            Key(
                "body_before_queue_total", \.bodyBeforeQueueTotalBytes, .size(0...1 << 40),
                "The same over all requests of a thread; what is beyond follows later."),
            Key(
                "body_min_rate", \.bodyMinRateBytes, .size(0...1 << 30),
                "Bytes a second that a body comes with at least, on average, while the gateway reads it; from "
                    + "`timeouts.head` on. `0B` for no such rate."),
            Key(
                "buffer", \.self, buffer.kind(),
                "Water marks of one direction of one connection."),
            Key(
                "per_network", \.perNetwork, perNetwork.kind(),
                "Shares of `max_connections` that one client network may have: an IPv4 address, or a /64 of IPv6. "
                    + "Loopback, unix sockets and `forwarding.trusted_proxies` have no such bound."),
            Key(
                "half_close", \.halfClose, .words,
                "What a client means that closes its sending side while its response is outstanding: `gone` "
                    + "cancels its request, `allow` still answers it."),
            Key(
                "ambiguous_paths", \.ambiguousPaths, .words,
                "Paths that mean another one to some servers, with dot segments, a backslash or an encoded slash "
                    + "(but in a model's name): `refuse` answers 400, `pass` forwards them as they stand."
            ),
            Key(
                "health_paths", \.healthPaths,
                .list(of: healthPath, blank: "", counts: 0...16, identity: { [$0] }),
                "Paths of the client listeners, such as `/health` and `/ping`, at which the gateway itself answers GET "
                    + "and HEAD, before routes are looked at and without a key: 200 while it takes requests, 503 "
                    + "while it drains. No backend is asked."),
            Key(
                "drain_timeout", \.drainTimeout, .duration(.zero...timeouts.upperBound),
                "Time that queued and running requests get after SIGTERM."),
            Key(
                "drain_delay", \.drainDelay, .duration(.zero...Duration.seconds(3600)),
                "Time after SIGTERM in which everything goes on but for `/readyz` and `health_paths`, which say 503, so that "
                    + "balancers look elsewhere before connections are refused."),
            Key(
                "readiness", \.readiness, .words,
                "What `/readyz` says: whether the `gateway` takes requests, or whether some of its `backends` "
                    + "can be used besides."),
            Key("timeouts", \.self, serverTimeouts.kind(), "Time-outs of client connections."),
        ])

    private static let healthPath = Kind<String>.text(
        "a path such as /health", pattern: "^/[^*?#]*$",
        parse: { (text) throws(Fault) in
            guard case .exact(let path) = try Route.PathPattern.parse(text) else {
                throw Fault("\(text.quoted) is more than one path", "write each path whole")
            }
            return path
        }, write: { $0 })

    private static let buffer = Section<ServerSettings>(
        blank: ServerSettings(),
        keys: [
            Key(
                "high", \.bufferHighBytes, .size(4 << 10...16 << 20),
                "Buffered bytes above which their source is no longer read."),
            Key(
                "low", \.bufferLowBytes, .size(0...16 << 20),
                "Buffered bytes below which reading resumes; less than `high`."),
            Key(
                "response", \.bufferResponseBytes, .size(0...256 << 20),
                "Bytes of a response that are taken from the backend as fast as it gives them although the client "
                    + "reads slowly, so that it does not keep the backend; not below `high`."),
            Key(
                "responses_total", \.bufferResponsesTotalBytes, .size(0...1 << 40),
                "The same over all such responses of a thread; beyond it backends wait for their clients."
            ),
        ],
        rules: [
            Rule("low", "high") { settings in
                settings.bufferLowBytes < settings.bufferHighBytes
                    ? nil
                    : Fault(
                        "low (\(Quantity.size.text(settings.bufferLowBytes))) is not below "
                            + "high (\(Quantity.size.text(settings.bufferHighBytes)))",
                        "set both, low to a quarter of high")
            }
        ])

    private static let perNetwork = Section<ServerSettings.NetworkShares>(
        blank: ServerSettings.NetworkShares(),
        keys: [
            Key(
                "connections", \.connections, .number(0...1, excludesLower: true),
                "Connections; more are closed at once."),
            Key(
                "heads", \.heads, .number(0...1, excludesLower: true),
                "Heads that have begun and are not complete, 16 at least; more are refused."),
            Key(
                "bodies", \.bodies, .number(0...1, excludesLower: true),
                "Bodies that are not complete, 16 at least; more are refused."),
        ])

    private static let serverTimeouts = Section<ServerSettings>(
        blank: ServerSettings(),
        keys: [
            Key(
                "head", \.headTimeout, .duration(timeouts),
                "From a request's first byte to the end of its head."),
            Key(
                "body_idle", \.bodyIdleTimeout, .duration(timeouts),
                "Between two reads of a request's body."),
            Key(
                "body", \.bodyTimeout,
                Kind<Duration>.duration(timeouts).optional(blank: .seconds(300), absent: "off"),
                "Until a request's body has come, without the time in which the gateway does not read it."
            ),
            Key(
                "keep_alive", \.keepAliveTimeout, .duration(timeouts),
                "Between two requests of a connection. One that has sent nothing yet gets `head`, while more than "
                    + "three quarters of `max_connections` are in use."),
            Key(
                "write_stall", \.writeStallTimeout, .duration(timeouts),
                "Without a sign that a client takes of what it has to take. Up to three times that, for as long as a "
                    + "reader of 2 kB/s needs for what its kernel took last."),
        ])

    // MARK: Log

    static let log = Section<LogSettings>(
        blank: LogSettings(),
        keys: [
            Key(
                "level", \.level, .words,
                "Least severe level of the operational log that is written."),
            Key("to", \.destination, destination, "Where the operational log goes."),
            Key(
                "access", \.self, access.kind(shorthand: "to"),
                "The access log, a JSON object a line for each request."),
        ])

    private static let access = Section<LogSettings>(
        blank: LogSettings(),
        keys: [
            Key(
                "to", \.access, destination.optional(blank: .standardOutput, absent: "off"),
                "Where the access log goes."),
            Key(
                "only", \.accessLevel, .words,
                "`all` requests, or `failures`: those with a reason or a status of 400 and more."),
            Key(
                "sample", \.accessSample, .number(0...1),
                "Share of requests that are written; those that ended with a 5xx always are."),
        ])

    private static let destination = Kind<LogSettings.Destination>(
        .either([
            .words(["stdout", "stderr"]), .text("the absolute path of a file", pattern: "^/.+$"),
        ])
    ) { (node) throws(Fault) in
        let wanted = "`stdout`, `stderr` or the absolute path of a file"
        switch try node.text(wanted) {
        case "stdout": return .standardOutput
        case "stderr": return .standardError
        case let text where text.contains("/"): return .file(path: try FilePath.parse(text))
        case let text:
            let hint = Spelling.hint(text, among: ["stdout", "stderr", "off"])
            throw Fault("\(text.quoted) is not known here", "\(hint)write \(wanted)")
        }
    } write: {
        .text($0.text)
    }
}

extension LogSettings.Destination {
    /// The destination as a policy file writes it.
    package var text: String {
        switch self {
        case .standardOutput: "stdout"
        case .standardError: "stderr"
        case .file(let path): path
        }
    }
}
