// How long requests of each kind usually take, whatever the level. A new level shows in their times once those that began
// before it have ended, and long requests take longer to end than short ones.

/// Running means of the times of eight kinds of requests.
struct UsualKindTimes: Sendable {
    /// Share of a new time in the mean.
    private static let weight = 0.125

    private var means = InlineArray<8, Double>(repeating: 0)

    /// Takes in a request of a kind that took so long; kinds that are the same modulo eight count as one.
    @inline(__always) mutating func learn(seconds: Double, kind: UInt8) {
        let index = Int(kind) % means.count
        let mean = means[index]
        means[index] = mean == 0 ? seconds : mean + Self.weight * (seconds - mean)
    }

    /// Seconds that a request of that kind usually takes; 0 before the first one.
    @inline(__always) func seconds(of kind: UInt8) -> Double { means[Int(kind) % means.count] }
}
