// How many tokens a usual request comes to: what makes a unit of cost out of a number of tokens.

/// The mean of the tokens of late requests.
///
/// It moves slowly: where a request's own tokens moved it, long requests would always be measured by
/// a larger unit than short ones.
struct UsualTokens: Sendable {
    private var mean = 0.0
    private var count = 0
    /// As many requests are averaged; with more, the newest counts as one of so many.
    private static let mostCounted = 1_000
    /// The cost of a request lies between these.
    private static let costs = 1e-3...1_000.0

    /// Takes a request into the mean that came to that many tokens.
    mutating func learn(_ tokens: Int) {
        guard tokens > 0 else { return }
        count = min(count + 1, Self.mostCounted)
        mean += (Double(tokens) - mean) / Double(count)
    }

    /// What that many tokens cost, 0.001...1,000; 1 before anything is known.
    func cost(ofTokens tokens: Int) -> Double {
        guard count > 0 else { return 1 }
        return min(max(Double(tokens) / mean, Self.costs.lowerBound), Self.costs.upperBound)
    }
}
