// Which requests go to which pool, and what becomes of them on the way.

/// Which requests go to which pool.
package struct Route: Equatable, Sendable {
    /// The path that matches.
    package var path: PathPattern
    /// Names that the request's authority must have, lower case and without port; empty for any.
    package var hosts: [String] = []
    /// Methods that match; empty for any.
    package var methods: [String] = []
    /// Names of models, or patterns with `*`, one of which the request must name; empty for any,
    /// and then the body is not read.
    package var models: [String] = []
    /// Index into `Policy.pools`; of a route with a `split` the first of its pools.
    package var pool: Int
    /// The pools that requests are shared among; empty where all go to `pool`.
    package var split: [Part] = []
    /// Which requests go to the same pool of the split.
    package var stickiness = Stickiness.none
    /// Whether what one pool of the split refuses for want of capacity goes to the next.
    package var spills = false
    /// Where requests go that would wait too long; `nil` for nowhere.
    package var fallback: Fallback?
    /// Where copies of requests go; `nil` for nowhere.
    package var mirror: Mirror?
    /// Time between the comments that a request for a stream gets until its first event, 100 ms..1 h;
    /// `nil` for none.
    package var streamKeepAlive: Duration?
    /// What browsers are told; `nil` where that is left to the backends.
    package var crossOrigin: CrossOriginSettings?
    /// Whether backends are asked for the usage of streams whose clients did not ask.
    package var streamUsage = StreamUsage.asClient
    /// What backends are not told of the path's beginning, without a slash at its end; `nil` for nothing.
    package var stripPrefix: String?
    /// The path that backends are asked for, each `*` of which stands for what that of `path` has found; `nil` for
    /// the one that came.
    package var rewrite: String?
    /// What becomes of the fields of requests, in all pools that they go to.
    package var request = FieldRules()
    /// What becomes of the fields of responses.
    package var response = FieldRules()
    /// Bytes of a request's body, 0..1 TiB; `nil` for what `server` says.
    package var maxBodyBytes: Int?
    /// How long backends are waited for, in all pools that requests go to.
    package var timeouts = Timeouts()

    /// A route for `path` to the pool at index `pool`.
    package init(path: PathPattern, pool: Int) {
        self.path = path
        self.pool = pool
    }

    /// Time-outs instead of those of a pool, each 1 ms..24 h; `nil` for the pool's.
    package struct Timeouts: Equatable, Sendable {
        /// From the forwarded request to the response's first byte.
        package var firstByte: Duration?
        /// Between two reads of a response that is no stream of an inference server's.
        package var idle: Duration?
        /// Between two reads of such a stream after its first event.
        package var streamStall: Duration?
        /// Without a byte in either direction of a WebSocket tunnel.
        package var tunnelIdle: Duration?

        /// Those of the pools.
        package init() {}
    }

    /// Another pool for requests that would wait too long.
    package struct Fallback: Equatable, Sendable {
        /// Index into `Policy.pools`.
        package var pool = 0
        /// The longest predicted wait in the route's own pool, 0..1 h.
        package var maxWait = Duration.seconds(1)
        /// The model that the request then names; `nil` for the one that it came with.
        package var model: String?

        /// The defaults.
        package init() {}
    }

    /// A path, or a form of paths.
    package enum PathPattern: Equatable, Sendable {
        /// `/v1/models`: this path only.
        case exact(String)
        /// `/v1/*`: every path that begins with `/v1/`, held as that; `*` or `/*` matches all, held
        /// as "".
        case prefix(String)
        /// `/v2/models/*/infer`: paths of this form, in which each `*` is one segment; it may be the
        /// last one. Where `isPrefix`, it is the beginning of paths and ends with `/`.
        case template(String, isPrefix: Bool)
    }
}

extension Route {
    /// Whether backends are asked for another path than clients ask for.
    package var changesPath: Bool { stripPrefix != nil || rewrite != nil }
}
