// AIMDLimit as Netflix concurrency-limits ships it (limit/AIMDLimit.java).

/// One more for each response in time, a tenth less for each drop and each response after 5 s.
struct NetflixAIMD: Sendable {
    private static let timeoutNanoseconds: Int64 = 5_000_000_000

    private(set) var limit = 20

    mutating func update(_ sample: Sample) {
        var next = limit
        if sample.isDropped || sample.latencyNanoseconds > Self.timeoutNanoseconds {
            next = Int(Double(limit) * 0.9)
        } else if 2 * sample.inFlight >= limit {
            next = limit + 1
        }
        limit = min(max(next, 20), 200)
    }
}
