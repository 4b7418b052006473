// When requests arrive, whatever became of those before: the open loop. Clients that wait for their
// response before they ask again would slow down with the server and hide its trouble.

package import Admission
internal import Glibc

/// A Poisson process: arrivals that do not know of each other.
package struct PoissonArrivals: Sendable {
    private let ratePerSecond: Double
    private var random: SplitMix64
    /// When the next request arrives.
    package private(set) var next: Instant

    /// Arrivals from `start` on, on average `ratePerSecond` of them a second, which must be above
    /// 0.
    package init(ratePerSecond: Double, from start: Instant, seed: UInt64) {
        precondition(ratePerSecond > 0, "a rate of no arrivals")
        self.ratePerSecond = ratePerSecond
        random = SplitMix64(seed: seed)
        next = start
        advance()
    }

    /// Goes on to the arrival after `next`.
    package mutating func advance() {
        // The time between two arrivals is exponentially distributed; 1 - u is never 0.
        let seconds = -log(1 - Double.random(in: 0..<1, using: &random)) / ratePerSecond
        next = next.advanced(byNanoseconds: Int64(seconds * 1e9))
    }
}
