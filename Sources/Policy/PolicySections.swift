// Every key that a policy file may have at its top level, under `forwarding` and in a route: name,
// values, default and meaning, said once. The other `PolicySections+....swift` files have the rest.

/// The keys of policy files.
enum PolicySections {
    /// Time-outs and waits; longer ones are as good as none.
    static let timeouts = Duration.milliseconds(1)...Duration.seconds(24 * 3600)
    /// Elements of the longest lists.
    static let maxElements = 1000

    private static let reload = Section<Policy>(
        blank: Policy(
            listen: [], admin: nil, server: ServerSettings(), log: LogSettings(),
            forwarding: ForwardingSettings(), pools: [], routes: []),
        keys: [
            Key(
                "watch", \.watchesFiles, .boolean,
                "Whether that is done when the policy's file has changed, or one that it names: keys, the admin token, "
                    + "pools' certificates. What counts is what they hold.")
        ])

    static let policy = Section<Policy>(
        blank: Policy(
            listen: [],
            admin: AdminSettings(
                ListenSettings(.tcp(host: "127.0.0.1", port: 9090), access: .operators)),
            server: ServerSettings(), log: LogSettings(), forwarding: ForwardingSettings(),
            pools: [], routes: []),
        keys: [
            Key("version", \.self, version, "Version of the policy's format."),
            Key("listen", \.listen, listen, required: true, "Addresses that clients connect to."),
            Key(
                "include", \.self, include,
                "Files with more `pools`, `routes`, `models.aliases` and `tenant.named`, which follow those that stand here: "
                    + "paths, or a folder and which of its files, such as `pools.d/*.yaml`, in the order of their names. A "
                    + "relative path begins at the policy file's folder."),
            Key(
                "admin", \.admin, admin,
                "Address of the admin listener: /, /events, /metrics, /healthz, /readyz, /status, /backends."
            ),
            Key(
                "admin_token_file", \.adminToken,
                adminToken.optional(blank: AdminToken(file: "")),
                "File with the token that whoever says something of a backend has to send to the admin listener, "
                    + "16 to 1024 characters, closed to everybody but its owner and group; read again at every "
                    + "reload. A relative path begins at the "
                    + "policy file's folder. Without it nothing can be changed there."),
            Key(
                "control", \.control, control,
                "Unix socket for `penstock ctl`, which changes what is in force while the gateway serves; `off` for none."
            ),
            Key(
                "workers", \.workers, workers.kind().optional(blank: workers.blank),
                "Listener for workers: engines that the gateway does not dial, and that come to it instead. Which pools take "
                    + "some is said in these."),
            Key(
                "state", \.stateFile, absolutePath.optional(blank: "", absent: "off"),
                "File in which the limits that were found are kept, so that a gateway that is started anew begins "
                    + "from them; `off` for none. It is written twice a minute and at the end."),
            Key(
                "reload", \.self, reload.kind(),
                "When the policy is read again besides after SIGHUP."),
            Key(
                "threads", \.threads, Kind.integer(1...128).optional(blank: 1, absent: "auto"),
                "Threads that serve; `auto` for as many as the process may use processors. A reload "
                    + "does not change it."),
            Key(
                "server", \.server, server.kind(),
                "Limits, buffers and time-outs of the client side."),
            Key("log", \.log, log.kind(), "What is logged, and where."),
            Key(
                "forwarding", \.forwarding, forwarding.kind(),
                "Fields added to forwarded requests."),
            Key(
                "tenant", \.self, sharedTenant,
                "What tenants are and may claim, in all pools that have no `tenant` of their own."),
            Key(
                "pools", \.pools, pools, required: true,
                "Sets of backends by name, each with one queue."),
            Key(
                "routes", \.routes, routes, required: true,
                "Which requests go to which pool; the first route that matches wins, and what matches "
                    + "none is answered with 404."),
            Key(
                "models", \.models, models.kind(),
                "How requests are routed by the model that their bodies name."),
            Key(
                "bulk", \.bulk, bulk.kind().optional(blank: bulk.blank),
                "Requests that come as lines, each of which is answered by a line: where, and in which class. None "
                    + "where this is left out."),
            Key(
                "topics", \.topics, topics,
                "Topics of Kafka that requests are taken from, as many as there is room for. They need librdkafka, "
                    + "which gateways without topics do not."),
        ],
        rules: [
            Rule("admin", "admin_token_file") { policy in
                guard policy.admin?.tokenFor == .pages, policy.adminToken == nil else { return nil }
                return Fault(
                    "admin.token_for is `pages`, and there is no token",
                    "name its file in admin_token_file, or remove token_for")
            }
        ],
        hints: [
            "includes": "write include", "import": "write include",
            "backends": "backends belong to a pool: pools.NAME.backends",
            "upstreams": "write `pools`", "kafka": "write topics",
            "limit": "limits belong to a pool: pools.NAME.limit",
            "queue": "queues belong to a pool: pools.NAME.queue",
            "timeouts": "write server.timeouts or pools.NAME.timeouts",
        ])

    private static let adminToken = Kind<AdminToken>(keysPath.shape) {
        node, path, value, reading in
        keysPath.read(node, path, &value.file, &reading)
    } write: {
        .text($0.file)
    }

    /// Most things that a policy can be told to include.
    private static let includes = 0...64

    /// What is included is there already when settings are read, and a policy is written with it.
    private static let include = Kind<Policy>(patterns.shape) { node, path, _, reading in
        var found: [String] = []
        patterns.read(node, path, &found, &reading)
    } write: { _ in
        nil
    }

    private static let patterns = Kind<[String]>.list(
        of: pattern, blank: "", counts: includes, identity: { [$0] }
    ).orOne(pattern, blank: "")

    private static let pattern = Kind<String>.text(
        "a path such as pools.d/*.yaml", pattern: "^[^\\x00]*[^/\\x00]$",
        parse: { (text) throws(Fault) in
            _ = try FilePattern(text)
            return text
        }, write: { $0 })

    /// There is one version so far; the policy need not hold it.
    private static let version = Kind<Policy>(.integer(1...1)) { node, path, _, reading in
        var version = 1
        Kind.integer(1...1).read(node, path, &version, &reading)
    } write: { _ in
        .integer(1)
    }

    static let forwarding = Section<ForwardingSettings>(
        blank: ForwardingSettings(),
        keys: [
            Key(
                "via", \.via, pseudonym.optional(blank: "", absent: "off"),
                "Name in the Via field; `off` leaves Via as it is."),
            Key(
                "forwarded", \.forwarded, .words,
                "X-Forwarded-For, -Proto and -Host: `append` to what came from `trusted_proxies`, `set` "
                    + "anew whoever asks, `remove`, or `off` to pass on what came. `Forwarded` goes "
                    + "unless it came from a trusted proxy or this is `off`."),
            Key(
                "trusted_proxies", \.trustedProxies,
                .list(
                    of: trustedPeer, blank: .unixSockets, counts: 0...256, identity: { [$0.text] }),
                "Networks, addresses and `unix` (peers on unix sockets) whose X-Forwarded-For is "
                    + "believed; what others send is replaced."),
            Key(
                "request_id", \.keepRequestID, .words(true: "keep", false: "replace"),
                "Whether a client's X-Request-ID is kept; without one, one is made."),
        ])

    private static let trustedPeer = Kind.text(
        "a network such as 10.0.0.0/8, an address, or `unix`",
        pattern: "^(unix|[0-9A-Fa-f:.]+(/[0-9]{1,3})?)$",
        parse: TrustedPeer.parse, write: { $0.text })

    private static let pseudonym = Kind<String>.text(
        "a name of letters, figures and dashes", pattern: "^[!#$%&'*+.^_`|~0-9A-Za-z-]+$",
        parse: { (text) throws(Fault) in
            guard Token.isToken(text), text.utf8.count <= 64 else {
                throw Fault(
                    "\(text.quoted) is not a token", "write up to 64 letters, figures and dashes")
            }
            return text
        }, write: { $0 })

    // MARK: Routes

    private static let keepAliveTimes = Duration.milliseconds(100)...Duration.seconds(3600)

    private static let routes = Kind.list(
        of: route.kind(), blank: route.blank, counts: 1...maxElements,
        identity: nil)

    static let route = Section<Route>(
        blank: Route(path: .prefix(""), pool: Route.noPool),
        keys: [
            Key(
                "path", \.path, path, required: true,
                "`/v1/models` is this path alone, `/v1/*` every path that begins with /v1/, `/*` all. Before the "
                    + "end a `*` is one segment, any but an empty one: `/v2/models/*/infer`; with `$` behind it the "
                    + "last one is so too: `/v2/models/*$`. It is none that servers could take for several or for "
                    + "another one, such as `..` or `a%2Fb`. The order of routes decides, not how narrow they are."
            ),
            Key(
                "pool", \.pool, poolName,
                "Name of the pool that gets the requests; required without `split`."),
            Key(
                "split", \.self, split,
                "Pools that share the requests, instead of `pool`: each gets as many as its `share` is of all shares. "
                    + "Which requests it gets follows from their names alone, so that several gateways agree, and when "
                    + "shares change, only as many go elsewhere as must. Keys of clients and models are those of the "
                    + "first pool."),
            Key(
                "sticky", \.stickiness, stickiness,
                "What requests of a split that go to the same pool have in common: `tenant`, by the terms of the "
                    + "first pool; `{header: NAME}`, the value of that field; `none`, nothing but their "
                    + "`X-Request-ID`, which is made where there is none. Those without a tenant or the field go as "
                    + "with `none`."),
            Key(
                "spill", \.spills, .boolean,
                "Whether requests that their pool of the split refuses for want of capacity go to the next one, "
                    + "before a `fallback`. Otherwise they are refused there."),
            Key(
                "hosts", \.hosts, .list(of: host, blank: "", counts: 0...100, identity: { [$0] }),
                "Names one of which the request's Host must have, without port; none for any."),
            Key(
                "methods", \.methods,
                .list(of: method, blank: "", counts: 0...20, identity: { [$0] }),
                "Methods one of which the request must have; none for any."),
            Key(
                "models", \.models,
                .list(of: modelPattern, blank: "", counts: 0...100, identity: { [$0] }),
                "Models one of which the request must name, with `*` for any characters; none for any, "
                    + "and then bodies are not read."),
            Key(
                "fallback", \.fallback, fallback.kind().optional(blank: fallback.blank),
                "Another pool for what would wait too long; responses from there say so in "
                    + "`X-Penstock-Fallback`."),
            Key(
                "mirror", \.mirror, mirror.kind().optional(blank: mirror.blank),
                "A pool that gets copies of requests at its lowest class, and only while it has room; their answers "
                    + "are thrown away. They say `Penstock-Mirror: 1`, are charged to nobody, and never tried again."
            ),
            Key(
                "stream_keep_alive", \.streamKeepAlive,
                Kind<Duration>.duration(keepAliveTimes).optional(
                    blank: .seconds(15), absent: "off"),
                "Time between comments that keep a connection alive until a stream's first event, "
                    + "while its request waits as well. The first one commits 200 and "
                    + "`text/event-stream`: what fails later is told by an event, and no fallback is "
                    + "taken. For JSON bodies with `\"stream\": true`, which are held until they say so; "
                    + "not for Ollama's own interface. `off` for none."),
            Key(
                "cors", \.crossOrigin, crossOrigin.kind().optional(blank: crossOrigin.blank),
                "Pages of other origins that browsers let use the route. The gateway answers what they ask "
                    + "beforehand, without a key, and every response, refusals included, says who may read it, in "
                    + "place of what backends say. Without this all of it is left to the backends."),
            Key(
                "stream_usage", \.streamUsage, .words,
                "Usage at the end of streams of OpenAI's chats and completions: `as-client`, where the "
                    + "client asks for it, or `ask`, always; a client that did not ask does not see it. "
                    + "For JSON bodies that can be held whole, within half of `models.max_held`, and are "
                    + "not compressed; others pass as they came. Backends have to know `stream_options`."
            ),
            Key(
                "strip_prefix", \.stripPrefix, pathPrefix.optional(blank: ""),
                "Beginning of the path that backends are not told of; all paths of the route have to begin with it."
            ),
            Key(
                "rewrite", \.rewrite, rewrittenPath.optional(blank: ""),
                "Path that backends are asked for instead: with as many `*` as `path`, each of which stands for what that "
                    + "of `path` has found, or with none. The query stays as it is."),
            Key(
                "request", \.request, requestFields.kind(),
                "Fields of requests that are set and removed, whichever pool they go to; a `fallback` and a `mirror` do "
                    + "not get values that come from a file or the environment."),
            Key(
                "response", \.response, responseFields.kind(),
                "Fields of backends' responses that are set and removed; what the gateway itself answers stays as it is."
            ),
            Key(
                "max_body_size", \.maxBodyBytes, Kind.size(0...1 << 40).optional(blank: 0),
                "Largest body of a request, instead of `server.max_body_size`: more or less."),
            Key(
                "timeouts", \.timeouts, routeTimeouts.kind(),
                "Time-outs of backends instead of those of the pools."),
        ],
        rules: pathRules + [
            Rule("pool", "split") { route in
                route.pool == Route.noPool
                    ? Fault("has no pool", "write pool: NAME, or split: [{pool: NAME, share: 1}]")
                    : nil
            },
            Rule("fallback", "pool", "split") { route in
                route.fallback.map { route.pools.contains($0.pool) } == true
                    ? Fault("falls back to the route's own pool", "name another pool") : nil
            },
            Rule("mirror", "pool", "split") { route in
                route.mirror.map { route.pools.contains($0.pool) } == true
                    ? Fault("sends copies to the route's own pool", "name another pool") : nil
            },
            Rule("sticky", "split") { route in
                route.stickiness != .none && route.split.isEmpty
                    ? Fault("has no split to stick to", "add split, or remove sticky") : nil
            },
            Rule("spill", "split") { route in
                route.spills && route.split.isEmpty
                    ? Fault("has no split to spill over in", "add split, or remove spill") : nil
            },
            Rule("fallback", "models") { route in
                route.fallback?.model != nil && route.models.isEmpty
                    ? Fault(
                        "names a model, but the route does not read bodies",
                        "add models: [\"*\"] to the route, or remove fallback.model") : nil
            },
        ],
        hints: [
            "host": "write hosts: [NAME]", "method": "write methods: [NAME]",
            "model": "write models: [NAME]",
            "keep_alive": "write stream_keep_alive: 15s",
            "cross_origin": "write cors: {origins: [ORIGIN]}",
            "shadow": "write mirror: {pool: NAME, share: 0.01}",
            "pools": "write split: [{pool: NAME, share: 1}]",
            "prefix": "write strip_prefix: PATH", "rewrite_path": "write rewrite: PATH",
            "set_fields": "write request: {set_fields: {NAME: VALUE}}",
            "remove_fields": "write request: {remove_fields: [NAME]}",
            "headers": "write request: {set_fields: {NAME: VALUE}}",
            "timeout": "write timeouts: {first_byte: TIME}",
            "max_body": "write max_body_size: SIZE",
            "canary": "write split: [{pool: NAME, share: 95}, {pool: NAME, share: 5}]",
        ])

    private static let path = Kind.text(
        "a path such as /v1/models or /v1/*", pattern: "^(\\*|(/(\\*|[^/*?#]*))+\\$?)$",
        parse: Route.PathPattern.parse, write: { $0.text })

    static let host = Kind<String>.text(
        "a host name", pattern: "^(\\[[0-9A-Fa-f:.]+\\]|[A-Za-z0-9._-]+)$", parse: Route.host,
        write: { $0 })

    static let method = Kind<String>.text(
        "a method such as POST", pattern: "^[!#$%&'*+.^_`|~0-9A-Z-]+$", parse: Route.method,
        write: { $0 })

    /// Pools are read before routes, so all names are known by then.
    static let poolName = Kind<Int>(
        .text("the name of a pool", pattern: "^\(poolPattern)$")
    ) {
        node, path, index, reading in
        do throws(Fault) {
            let name = try node.text("the name of a pool")
            if let found = reading.poolNames.firstIndex(of: name) {
                index = found
            } else if reading.poolNames.isEmpty {
                // That there are none is said elsewhere.
                index = reading.strangePool(name)
            } else {
                let hint = Spelling.hint(name, among: reading.poolNames)
                let known = reading.poolNames.prefix(20).map(\.quoted).joined(separator: ", ")
                throw Fault("there is no pool \(name.quoted)", "\(hint)pools are \(known)")
            }
        } catch {
            reading.report(error, path: path, at: node.position)
        }
    } write: { _ in
        // A route alone does not know its pool's name: `PolicyDump` writes it.
        nil
    }
}
