// What clients bear, learnt for each tenant in each class. Who leaves early teaches about himself: one
// tenant's impatience, real or feigned, never shortens what others may wait.

extension FairQueue {
    /// Seconds from a request's arrival to the first byte of its response that most of the flow's
    /// clients bear; infinite while that is unknown.
    @inline(__always) func patienceSeconds(_ tenant: Int32, _ row: Int, now: Instant) -> Double {
        guard flows[tenant, row].patience.hasDepartures else { return .infinity }
        let own = flows[tenant, row].patience.assumedSeconds(now: now)
        return own.isFinite ? own : classes[row].patience.assumedSeconds(now: now)
    }

    /// A client left that had waited for so long.
    mutating func left(_ tenant: Int32, _ row: Int, afterSeconds age: Double, now: Instant) {
        guard age >= 0 else { return }
        let prior = settings.maxWait.inSeconds
        flows[tenant, row].patience.left(afterSeconds: age, prior: prior, now: now)
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
}
