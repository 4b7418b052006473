// For how long requests hold their places that say nothing of their tokens: those of a flow beside those of all. A tenant of
// short requests beside one of long ones would else be taken to wait as long as that one's take, be refused for it, and
// get less than its share.

/// The mean of the times that late requests took, in seconds times places.
struct UsualTime: Sendable {
    private var mean = 0.0
    private var count: UInt32 = 0
    /// As many requests are averaged; with more, the newest counts as one of so many.
    static let mostCounted: UInt32 = 64
    /// Requests of a flow from which on something is assumed.
    private static let enough: UInt32 = 8
    /// The cost of a request lies between these: an estimate is corrected in the end.
    private static let costs = 1.0 / 64...64.0

    /// Takes in a request that held its places for so long.
    ///
    /// As many of a flow are averaged as of all. So a single flow's requests cost 1, whatever happens to their times.
    @inline(__always) mutating func learn(_ seconds: Double) {
        count = min(count + 1, Self.mostCounted)
        mean += (seconds - mean) / Double(count)
    }

    /// What a request costs that takes so long, in units of one that takes as long as all do, 1/64...64; nil while too little
    /// is known.
    @inline(__always) func cost(beside all: UsualTime) -> Double? {
        guard count >= Self.enough, all.mean > 0 else { return nil }
        return min(max(mean / all.mean, Self.costs.lowerBound), Self.costs.upperBound)
    }
}
