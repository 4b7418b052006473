// What clients bear, learnt for each tenant in each class. Who leaves early teaches about himself: one
// tenant's impatience, real or feigned, never shortens what others may wait.

extension FairQueue {
    /// What is assumed at least where most of those stay whose requests are begun, over the time to the first
    /// byte.
    private static let leastPatience = (usual: 1.25, outlived: 2.0)

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
        if flows[tenant, row].count <= 1, flows[tenant, row].patience.isOutlived {
            return max(assumed, Self.leastPatience.outlived * firstByteSeconds)
        }
        guard assumed <= firstByteSeconds, flows[tenant, row].patience.isServiceBorne else {
            return assumed
        }
        return Self.leastPatience.usual * firstByteSeconds
    }

    /// The time from grant to first byte that one in ten of a flow's requests exceeds, in seconds, where they come
    /// in one piece and in less than half of that of the pool's; else that.
    ///
    /// Short requests beside long ones would be refused for what these take. Streams' first bytes come so soon that they
    /// leave nothing for waits that were predicted too short; and what takes about as long is better known from all.
    @inline(__always) func firstByteSeconds(_ tenant: Int32, _ row: Int, ofPool: Double) -> Double {
        let own = flows[tenant, row].lateWhole.value
        return own > 0 && own < ofPool / 2 ? own : ofPool
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

    /// A client was still there when it had waited for so long; its response ended so many seconds after its grant.
    @inline(__always) mutating func stayed(
        _ tenant: Int32, _ row: Int, forSeconds age: Double, serviceSeconds: Double,
        isStreamed: Bool, now: Instant
    ) {
        guard flows[tenant, row].patience.hasDepartures else { return }
        flows[tenant, row].patience.stayed(forSeconds: age, now: now)
        if !isStreamed { flows[tenant, row].lateWhole.take(serviceSeconds, downSteps: 9) }
        classes[row].patience.stayed(forSeconds: age, now: now)
    }

    /// A request of the flow was refused on arrival because it would have waited too long.
    @inline(__always) mutating func refusedOnArrival(
        _ tenant: Int32, _ row: Int, patienceSeconds: Double, now: Instant
    ) {
        flows[tenant, row].surplus.refused(now: now, stretchSeconds: patienceSeconds)
    }

    /// Whether a request of the flow waits although its client would hardly bear that: of a flow that has nothing
    /// waiting one in so many seconds, since whom nobody serves, nobody learns to know better.
    @inline(__always) mutating func isTried(
        _ tenant: Int32, _ row: Int, everySeconds seconds: Double, now: Instant
    ) -> Bool {
        guard flows[tenant, row].count == 0,
            now.seconds(since: flows[tenant, row].triedAt) > seconds
        else { return false }
        flows[tenant, row].triedAt = now
        return true
    }

    /// Whether the request of the flow that comes at `now` is tried.
    @inline(__always) func isTrial(_ tenant: Int32, _ row: Int, now: Instant) -> Bool {
        flows[tenant, row].triedAt == now && flows[tenant, row].count == 0
    }

    /// Whether others come at once in the place of a request of the flow that makes room.
    @inline(__always) mutating func hasSurplus(
        _ tenant: Int32, _ row: Int, patienceSeconds: Double, now: Instant
    ) -> Bool {
        flows[tenant, row].surplus.isPlenty(now: now, stretchSeconds: patienceSeconds)
    }
}
