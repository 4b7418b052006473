// What part of a backend's responses says overload, by the limit in force. Where it is no less at half of a limit,
// the limit is not the reason: a quota of somebody else's, or an engine that refuses at random. To cut it further
// would only cost what is served.
//
// That is only believed of parts that are no more than two fifths. Of n requests in flight an engine with room for
// C < n refuses n - C, and at n / 2 none unless C < n / 2: then it refuses more than half.

/// Ends of requests and drops among them, by half octaves of the limit.
struct DropShares: Sendable {
    private struct Ends: Sendable {
        /// The highest limit among those counted here.
        var limit = 0
        var all = 0.0
        var drops = 0.0

        var share: Double { all > 0 ? drops / all : 0 }
    }

    private static let buckets = 32
    /// Ends that say enough of a lower limit, and of which half is forgotten.
    private static let enough = 16.0
    private static let most = 400.0
    /// The shares that the limit may have nothing to do with, and the part of one that there has to be at half of
    /// the limit: less is a burst now and then.
    private static let shares = 0.03...0.4
    private static let sameShare = 0.5

    private var ends = InlineArray<32, Ends>(repeating: Ends())
    private var successesBefore = 0
    private var dropsBefore = 0

    /// Counts what has ended since the last call, throughout which that limit was in force.
    mutating func count(_ limit: Double, _ meter: ConcurrencyMeter) {
        let drops = Double(meter.drops - dropsBefore)
        let all = drops + Double(meter.successes - successesBefore)
        successesBefore = meter.successes
        dropsBefore = meter.drops
        guard all > 0 else { return }
        let index = Self.index(of: limit)
        ends[index].limit = max(ends[index].limit, Int(limit))
        ends[index].all += all
        ends[index].drops += drops
        if ends[index].all > Self.most {
            ends[index].all /= 2
            ends[index].drops /= 2
        }
    }

    /// Whether drops are as frequent at half of the limit, or less, as at that.
    func areIndependent(of limit: Double) -> Bool {
        guard mayBeIndependent(of: limit) else { return false }
        let lower = upToHalf(of: limit)
        return lower.all >= Self.enough
            && lower.share >= Self.sameShare * ends[Self.index(of: limit)].share
    }

    /// Whether so few drops come at a limit that it may have nothing to do with them.
    func mayBeIndependent(of limit: Double) -> Bool {
        Self.shares.contains(ends[Self.index(of: limit)].share)
    }

    /// Whether enough has ended at half of the limit, or less, to say.
    func isHalfKnown(of limit: Double) -> Bool { upToHalf(of: limit).all >= Self.enough }

    private func upToHalf(of limit: Double) -> Ends {
        var sum = Ends()
        for lower in 0..<Self.index(of: limit) where 2 * ends[lower].limit <= Int(limit) {
            sum.all += ends[lower].all
            sum.drops += ends[lower].drops
        }
        return sum
    }

    private static func index(of limit: Double) -> Int {
        min(max(0, Int(2 * naturalLogarithm(max(1, limit)) / 0.693_147)), buckets - 1)
    }
}
