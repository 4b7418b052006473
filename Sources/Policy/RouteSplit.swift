// How a route shares its requests among several pools, such as a version that is in use and one that is tried.

extension Route {
    /// One of the pools that a route shares its requests among.
    package struct Part: Equatable, Sendable {
        /// Index into `Policy.pools`.
        package var pool = 0
        /// What it gets of the requests, in comparison with the others, 0...1,000,000; 0 for none.
        package var share = 0.0

        /// Nothing for the first pool.
        package init() {}
    }

    /// What requests must have in common to go to the same pool.
    package enum Stickiness: Equatable, Sendable {
        /// Their ids: each goes by chance, as long as its client does not say one.
        case none
        /// Their tenant.
        case tenant
        /// The value of that field, in lower case.
        case header(String)
    }

    /// Parts of the longest split.
    package static let mostParts = 16

    /// The pools that the route's requests may go to, but for a fallback.
    package var pools: [Int] { split.isEmpty ? [pool] : split.map(\.pool) }

    /// The share of one of `split` in 0...1.
    package func share(of part: Part) -> Double {
        part.share / split.reduce(0) { $0 + $1.share }
    }
}

extension Route.Stickiness {
    /// In a word or two: `tenant`, `header x-user`, `none`.
    package var text: String {
        switch self {
        case .none: "none"
        case .tenant: "tenant"
        case .header(let name): "header \(name)"
        }
    }
}
