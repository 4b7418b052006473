// What is asked of a backend's row for every request, from the fields alone: what an element of an
// array is asked by a method of its own is copied first, and a row is more than a kilobyte.

extension AdmissionController {
    /// Units in flight at a backend that use up its limit.
    ///
    /// A request that waits for its client keeps the engine from nothing, as long as there are not
    /// too many: each has a connection at the engine.
    @inline(__always) func counted(_ index: Int) -> Int {
        let taken = backends[index].inFlight + backends[index].keptFree
        let waiting = backends[index].waitingForClient
        return waiting == 0 ? taken : taken - min(waiting, mostUncounted(index))
    }

    /// How many may wait for their clients without using up a backend's limit, however small that is.
    package static var leastUncounted: Int { 64 }

    /// How many may wait for their clients without using up a backend's limit; none at a worker, whose place is its own,
    /// whomever the request in it waits for.
    @inline(__always) private func mostUncounted(_ index: Int) -> Int {
        backends[index].credits == nil ? max(Self.leastUncounted, 4 * backends[index].limit) : 0
    }

    /// Units at a backend that wait for their clients and take slots from others: so many are more
    /// than count for nothing, while the backend is full and somebody has found no room of late.
    ///
    /// The gateway ends the slowest of them.
    package func crowd(at backend: BackendID, now: Instant) -> Int {
        let index = backend.index
        let surplus = backends[index].waitingForClient - mostUncounted(index)
        guard backends[index].credits == nil, surplus > 0,
            counted(index) >= backends[index].allowed,
            max(clock, now).nanoseconds(since: shortOfRoomAt) < Self.momentNanoseconds
        else { return 0 }
        return surplus
    }

    private static var momentNanoseconds: Int64 { 1_000_000_000 }

    /// The widest request that may go to a backend now: 0 for none, `Int.max` for any.
    @inline(__always) func room(at index: Int) -> Int {
        guard backends[index].isPresent, backends[index].signals.takesNew,
            backends[index].ejection.allowsRequest(now: clock)
        else { return 0 }
        if backends[index].suspicion.isSuspected {
            let isDue = clock >= backends[index].suspicion.nextTrialAt
            return isDue && backends[index].hasCredit ? .max : 0
        }
        let counted = counted(index)
        let allowed = backends[index].allowed
        let hasEnough =
            counted >= backends[index].refusedAbove && clock < backends[index].refusesUntil
        guard counted < allowed, !hasEnough else { return 0 }
        let free = allowed - counted
        return free >= max(1, allowed / 2) ? .max : free
    }

    /// Whether a backend counts towards the pool's capacity: present, well, and no refusal
    /// outstanding; a worker while it takes something.
    @inline(__always) func isProven(_ index: Int) -> Bool {
        backends[index].isPresent && backends[index].ejection.consecutiveFailures == 0
            && backends[index].signals.takesNew && !backends[index].suspicion.isSuspected
            && backends[index].credits != 0
    }

    /// Whether a backend's limit is measured: while it is not in force, nothing can be learnt of it.
    @inline(__always) func isMeasured(_ index: Int) -> Bool {
        backends[index].isTrusted && !backends[index].isLimited
            && clock >= backends[index].signals.heldUntil
    }

    /// Whether a sample may move a backend's limit: while signals leave less than that, only downwards.
    @inline(__always) func mayLearn(_ index: Int, _ sample: Sample) -> Bool {
        isMeasured(index)
            || sample.isDropped && backends[index].isTrusted
                && clock >= backends[index].signals.heldUntil
    }
}
