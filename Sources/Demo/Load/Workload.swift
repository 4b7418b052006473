// The requests of one run, decided by the seed alone. Both sides of the demo get the very same
// ones.

package import Admission

/// One request, before it is sent.
package struct PlannedRequest: Equatable, Sendable {
    /// When its client wants to send it.
    package var at: Instant
    /// What it asks for.
    package var completion: CompletionRequest
    /// Whether the client would come back once if it is told when.
    package var comesBack: Bool
}

/// A seeded source of requests in the order of their arrival.
package struct Workload: Sendable {
    private var arrivals: PoissonArrivals
    private var random: SplitMix64
    private let tokens: TokenDistribution
    private let retryShare: Double

    /// Requests from `start` on; a share of `retryShare`, 0...1, of their clients comes back when
    /// told to.
    package init(
        ratePerSecond: Double, tokens: TokenDistribution, retryShare: Double, from start: Instant,
        seed: UInt64
    ) {
        var seeds = SplitMix64(seed: seed)
        arrivals = PoissonArrivals(ratePerSecond: ratePerSecond, from: start, seed: seeds.next())
        random = SplitMix64(seed: seeds.next())
        self.tokens = tokens
        self.retryShare = retryShare
    }

    /// When the next request arrives.
    package var nextArrival: Instant { arrivals.next }

    /// Takes the next request; every other one, on average, wants a stream.
    package mutating func next() -> PlannedRequest {
        let at = arrivals.next
        arrivals.advance()
        let tokens = tokens.draw(using: &random)
        return PlannedRequest(
            at: at,
            completion: CompletionRequest(tokens: tokens, isStreamed: Bool.random(using: &random)),
            comesBack: Double.random(in: 0..<1, using: &random) < retryShare)
    }
}
