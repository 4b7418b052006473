// How many backends the pool wants: looked at when somebody asks, in O(backends), and counted on the way of requests by
// next to nothing.

extension AdmissionController {
    /// How many backends the pool wants at `now`.
    ///
    /// Where a limit is known, that is what is asked for over what a backend takes. A limit that nobody has tried yet may
    /// be far below what the backend can do, so while none is known no more than there are is wanted; and of a pool
    /// without a backend that can be used at least one, while somebody asks for it.
    package func wantedBackends(now: Instant) -> WantedBackends {
        let now = max(clock, now)
        var result = WantedBackends()
        var inFlight = 0
        var present = 0
        let atWork = demand.placesAtWork
        for index in backends.indices {
            inFlight += demanded(index, atWork)
            if backends[index].isPresent { present += 1 }
            if isShownUsable(index, now: now) { result.usable += 1 }
        }
        let replicas = settings.limit.replicas
        result.seatSeconds = demand.seatSeconds
        result.demand = demand.places(inFlight: inFlight, waiting: queue.places, now: now)
        result.limit = (atWork ?? learntLimit(now: now).map(Double.init)).map {
            $0 * Double(replicas)
        }
        let places = result.limit ?? Double(mostAllowed * replicas)
        result.wanted = result.demand / (WantedBackends.utilization * places)
        if result.limit == nil {
            result.wanted = min(result.wanted, Double(present) / Double(replicas))
        }
        if result.usable == 0, result.demand > 0 || demand.refusedPerSecond(now: now) > 0 {
            result.wanted = max(result.wanted, 1 / Double(replicas))
        }
        return result
    }

    /// A request was served in that time.
    mutating func countServed(_ stub: Permit.Stub, seconds: Double, _ work: ServedWork) {
        demand.served(seatSeconds: seconds * Double(stub.seats), units: work.units)
        let index = stub.backend.index
        if clock >= backends[index].fullMark.nextLook { lookAtFull(index) }
    }

    /// Looks what a backend got done since the last time; apart from the above, since what it looks at is copied.
    @inline(never) private mutating func lookAtFull(_ index: Int) {
        var mark = backends[index].fullMark
        let isLearnt = isProven(index) && backends[index].limiter.learnt != nil
        demand.full.look(backends[index].meter, since: &mark, isLearnt: isLearnt, now: clock)
        backends[index].fullMark = mark
    }

    /// Places at a backend that are asked for: what is above those at work waits inside it, and for no more than a backend
    /// unless there is no other queue.
    private func demanded(_ index: Int, _ atWork: Double?) -> Int {
        let counted = counted(index)
        if settings.mode == .observe { return counted }
        return min(counted, atWork.map { Int($0.rounded(.up)) } ?? backends[index].limit)
    }

    /// A request went to another pool, because it would have waited for too long in this one.
    package mutating func turnedAway(isRetry: Bool, now: Instant) {
        advance(to: now)
        if !isRetry { demand.refused(now: clock) }
    }

    /// Counts a refusal, if it is a first try's and more backends would have helped.
    @inline(__always) mutating func countDemand(
        _ reason: Reason, isRetry: Bool, respondBy: Instant?, arrivedAt: Instant?
    ) {
        guard !isRetry, reason.isWantOfCapacity || reason == .deadline else { return }
        // What could not have been answered in time by an idle backend wants no other one.
        if reason == .deadline, !wasInTime(respondBy, arrivedAt) { return }
        demand.refused(now: clock)
    }

    /// Whether a request could have been answered by then if it had been started when it came.
    private func wasInTime(_ respondBy: Instant?, _ arrivedAt: Instant?) -> Bool {
        guard let respondBy, respondBy < .distantFuture else { return false }
        let left = respondBy.nanoseconds(since: arrivedAt ?? clock)
        return left > drainEstimate.longServiceNanoseconds
    }

    /// Whether a backend is one that pages call usable.
    private func isShownUsable(_ index: Int, now: Instant) -> Bool {
        backends[index].isUsable(now: now) && !backends[index].isOnTrial
            && !backends[index].suspicion.isWithheld
    }

    /// The median of the limits that were learnt, the lower one of two: of backends that are well, or where none of these
    /// has one, of all that the pool has.
    private func learntLimit(now: Instant) -> Int? {
        median { isProven($0) && isShownUsable($0, now: now) }
            ?? median { backends[$0].isPresent }
    }

    private func median(of isIncluded: (Int) -> Bool) -> Int? {
        var limits: [Int] = []
        for index in backends.indices where isIncluded(index) {
            if let learnt = backends[index].limiter.learnt { limits.append(max(1, Int(learnt))) }
        }
        guard !limits.isEmpty else { return nil }
        limits.sort()
        return limits[(limits.count - 1) / 2]
    }

    /// The highest limit of a present backend, at least 1: what was not learnt is at least that.
    private var mostAllowed: Int {
        var most = 1
        for index in backends.indices where backends[index].isPresent {
            most = max(most, backends[index].limit)
        }
        return most
    }
}

extension Limiter {
    /// The limit that says what the backend can take; nil while it says only how far it was tried.
    fileprivate var learnt: Double? {
        // What the policy bounds is as good as measured: it will never be more.
        if let found { return found }
        return isKnee && evidence.holder == .algorithm ? nil : exact
    }
}
