// What clients bear, learnt for each tenant in each class. Who leaves early teaches about himself: one
// tenant's impatience, real or feigned, never shortens what others may wait.

extension FairQueue {
    /// What is assumed at least where most of those stay whose requests are begun, over the time to the first
    /// byte.
    private static let leastPatience = 1.25

    /// Seconds from a request's arrival to the first byte of its response that most of the flow's
    /// clients bear; infinite while that is unknown.
    ///
    /// It is not so little that nobody would be served any more, while most are there for their response: a
    /// quarter of a tenant's clients that leave after what a request takes would have all the others refused,
    /// and nobody left to learn better from.
    @inline(__always) func patienceSeconds(
        _ tenant: Int32, _ row: Int, firstByteSeconds: Double, now: Instant
    ) -> Double {
        guard flows[tenant, row].patience.hasDepartures else { return .infinity }
        let own = flows[tenant, row].patience.assumedSeconds(now: now)
        let assumed = own.isFinite ? own : classes[row].patience.assumedSeconds(now: now)
        guard assumed <= firstByteSeconds, flows[tenant, row].patience.isServiceBorne else {
            return assumed
        }
        return Self.leastPatience * firstByteSeconds
    }

    /// A client left that had waited for so long, before its request was begun or after it.
    mutating func left(
        _ tenant: Int32, _ row: Int, afterSeconds age: Double, isStarted: Bool, now: Instant
    ) {
        guard age >= 0 else { return }
        let prior = settings.maxWait.inSeconds
        flows[tenant, row].patience.left(
            afterSeconds: age, isStarted: isStarted, prior: prior, now: now)
        classes[row].patience.left(tenant, afterSeconds: age, prior: prior, now: now)
    }

    /// A client was still there when it had waited for so long.
    @inline(__always) mutating func stayed(
        _ tenant: Int32, _ row: Int, forSeconds age: Double, now: Instant
    ) {
        guard flows[tenant, row].patience.hasDepartures else { return }
        flows[tenant, row].patience.stayed(forSeconds: age, now: now)
        classes[row].patience.stayed(forSeconds: age, now: now)
    }

    /// A request of the flow was refused on arrival because it would have waited too long.
    @inline(__always) mutating func refusedOnArrival(
        _ tenant: Int32, _ row: Int, firstByteSeconds: Double, now: Instant
    ) {
        let borne = patienceSeconds(tenant, row, firstByteSeconds: firstByteSeconds, now: now)
        guard borne.isFinite else { return }
        flows[tenant, row].surplus.refused(now: now, stretchSeconds: borne)
    }

    /// Whether others come at once in the place of a request of the flow that makes room.
    @inline(__always) mutating func hasSurplus(
        _ tenant: Int32, _ row: Int, patienceSeconds: Double, now: Instant
    ) -> Bool {
        flows[tenant, row].surplus.isPlenty(now: now, stretchSeconds: patienceSeconds)
    }
}
