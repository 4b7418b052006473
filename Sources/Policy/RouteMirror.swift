// What a route sends copies of its requests to, and how much of that there may be at a time.

extension Route {
    /// A pool that gets copies of requests, whose answers nobody sees.
    package struct Mirror: Equatable, Sendable {
        /// Index into `Policy.pools`.
        package var pool = 0
        /// The share of the route's requests that is copied, 0...1.
        package var share = 0.01
        /// Bytes of the largest body that is copied, 0..16 MiB.
        package var maxBodyBytes = 256 << 10
        /// Copies that one thread may have under way, 1..10,000.
        package var maxInFlight = 64
        /// Bytes of requests that these may have in memory, 1 KiB..1 GiB.
        package var maxBytes = 16 << 20

        /// The defaults.
        package init() {}
    }
}

extension PolicySections {
    /// `mirror` of a route.
    static let mirror = Section<Route.Mirror>(
        blank: Route.Mirror(),
        keys: [
            Key("pool", \.pool, poolName, required: true, "Name of the pool that gets the copies."),
            Key(
                "share", \.share, .number(0...1),
                "Share of the requests that is copied, of those that are forwarded."),
            Key(
                "max_body", \.maxBodyBytes, .size(0...16 << 20),
                "Bytes of the largest body that is copied. One that is longer, or not yet there as a whole when its "
                    + "request is forwarded, is not."),
            Key(
                "max_in_flight", \.maxInFlight, .integer(1...10_000),
                "Copies that one thread has under way at most; beyond it none are made."),
            Key(
                "max_bytes", \.maxBytes, .size(1 << 10...1 << 30),
                "Bytes of requests that these have in memory at most; beyond it none are made."),
        ],
        hints: ["percent": "write share: 0.01 for one in a hundred"])
}
