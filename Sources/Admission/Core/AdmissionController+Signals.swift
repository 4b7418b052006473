// What is known of backends' health, and what follows: how much each may have in flight.

extension AdmissionController {
    /// Takes in news of a backend; whether that changes what it may be sent: then poll.
    @discardableResult
    package mutating func signal(
        _ backend: BackendID, _ signal: Signal, now: Instant
    ) -> Bool {
        advance(to: now)
        let index = backend.index
        guard backends.indices.contains(index), backends[index].isPresent else { return false }
        if case .report(let load) = signal { return heed(load, of: index) }
        if case .load(let running, let waiting) = signal {
            for kind in RequestKind.allCases {
                backends[index].cancels[Int(kind.rawValue)].note(
                    inside: running + waiting, inFlight: backends[index].inFlight, now: clock)
            }
        }
        guard backends[index].signals.note(signal, now: clock) else {
            noteChange(at: backends[index].signals.nextEnd)
            return false
        }
        refresh(index)
        return true
    }

    /// Takes in what a backend reports of its load; whether that changed what it may be sent.
    private mutating func heed(_ load: ReportedLoad, of index: Int) -> Bool {
        let around = ReportEvidence.Surroundings(
            inFlight: counted(index), unitsPerRequest: backends[index].unitsPerRequest,
            limit: backends[index].limit, replicas: settings.limit.replicas,
            serviceNanoseconds: serviceNanoseconds(index))
        let isNews = backends[index].reports.note(load, around, now: clock)
        noteChange(at: backends[index].reports.nextEnd)
        if isNews { refresh(index) }
        return isNews
    }

    /// Takes in how a check of a backend ended; whether that changed what it is sent: then poll.
    package mutating func checked(
        _ backend: BackendID, _ result: CheckResult, _ rules: CheckRules, now: Instant
    ) -> Bool {
        advance(to: now)
        let index = backend.index
        guard backends.indices.contains(index), backends[index].isPresent else { return false }
        backends[index].checks.note(
            result, rules, lastHeard: backends[index].meter.lastHeard, now: clock)
        // It takes nothing back that requests have shown.
        if result == .passed, !backends[index].ejection.isOnTrial {
            backends[index].ejection.served()
        }
        return heedChecks(of: index)
    }

    /// A backend is checked no more; poll afterwards.
    package mutating func endChecks(of backend: BackendID, now: Instant) {
        advance(to: now)
        guard backends.indices.contains(backend.index) else { return }
        backends[backend.index].checks.end()
        _ = heedChecks(of: backend.index)
    }

    /// Withholds requests from a backend whose checks fail, or ends that; whether that changed anything.
    private mutating func heedChecks(of index: Int) -> Bool {
        guard backends[index].checks.isFailing, mayWithhold(index) else {
            let service = serviceNanoseconds(index)
            guard backends[index].suspicion.checksPass(serviceNanoseconds: service, now: clock)
            else { return false }
            refresh(index)
            return true
        }
        guard backends[index].suspicion.checksFail(now: clock, random: &random) else {
            return false
        }
        suspected(index)
        return true
    }

    /// Whether those that get next to nothing, this one among them, are half of the backends at most, or have
    /// half of the limits.
    ///
    /// Beyond that it is not they: it is what all have in common, the requests or the checks themselves. A
    /// backend that is alone in its pool is never withheld.
    private func mayWithhold(_ index: Int) -> Bool {
        var all = (count: 0, limit: 0)
        var reduced = (count: 0, limit: 0)
        for other in backends.indices where backends[other].isPresent {
            all.count += 1
            all.limit += backends[other].limit
            guard other == index || !isProven(other) else { continue }
            reduced.count += 1
            reduced.limit += backends[other].limit
        }
        return 2 * reduced.count <= all.count || 2 * reduced.limit <= all.limit
    }

    /// Puts what a backend may have in flight in force, after something about it has changed.
    mutating func refresh(_ index: Int) {
        noteDoubt(at: index)
        noteSignal(at: index)
        backends[index].refreshAllowed(now: clock)
        noteChange(at: backends[index].nextChange(now: clock))
        meter(index)
        recount()
    }

    /// Remembers when something changes by itself.
    mutating func noteChange(at instant: Instant) { nextChangeAt = min(nextChangeAt, instant) }

    /// Carries out what the passing of time has changed.
    mutating func takeChanges() {
        nextChangeAt = .distantFuture
        for index in backends.indices where backends[index].isPresent {
            if backends[index].silenceDeadline <= clock,
                backends[index].suspicion.silent(now: clock, random: &random)
            {
                suspected(index)
            }
            _ = backends[index].signals.expire(now: clock)
            _ = backends[index].reports.expire(now: clock)
            backends[index].releaseKeptFree(now: clock)
            if backends[index].losesCache(now: clock), hasAffinity { affinity.forget(index) }
            backends[index].suspicion.advance(
                limit: backends[index].limit, serviceNanoseconds: serviceNanoseconds(index),
                now: clock)
            refresh(index)
        }
        if hasUnready { heedReadiness() }
    }

    /// A backend is suspected from now on.
    mutating func suspected(_ index: Int) {
        let cause = backends[index].suspicion.cause
        backends[index].suspicions[Int(cause.rawValue)] += 1
        if cause == .refusals, let move = backends[index].limiter.undoCut(now: clock) {
            record(move, at: index)
        }
        // Where all clients leave before their responses, nothing moves either, and too high a limit does that.
        if cause == .silence,
            backends[index].meter.departuresSinceSuccess >= Self.departuresOfSilence,
            let move = backends[index].limiter.retreat(now: clock)
        {
            record(move, at: index)
        }
        refresh(index)
    }

    private static var departuresOfSilence: Int { 8 }

    /// Does what a judgement of a backend's bad ends asks for.
    mutating func carryOut(_ judgement: Suspicion.Judgement, _ index: Int) {
        switch judgement {
        case .nothing: break
        case .suspected: suspected(index)
        case .common: acquitAll(beside: index)
        }
    }

    /// Suspicions by comparison end, because one of those that are left is no better.
    private mutating func acquitAll(beside failing: Int) {
        let record = backends[failing].suspicion
        for index in backends.indices where backends[index].isPresent {
            let service = serviceNanoseconds(index)
            if backends[index].suspicion.acquit(
                beside: record, serviceNanoseconds: service, now: clock)
            {
                refresh(index)
            }
        }
    }

    /// Something came from a backend.
    mutating func noteLife(_ index: Int) {
        guard backends[index].suspicion.isSuspected else { return }
        if backends[index].suspicion.moved(
            serviceNanoseconds: serviceNanoseconds(index), now: clock)
        {
            refresh(index)
        }
    }

    /// How the others answer that nothing is held against.
    func siblings(of index: Int) -> Suspicion.Siblings {
        var found = Suspicion.Siblings.none
        for other in backends.indices where other != index && backends[other].isPresent {
            guard isProven(other) else {
                if found == .none { found = .out }
                continue
            }
            if backends[other].suspicion.isWell(beside: backends[index].suspicion) { return .well }
            found = .unwell
        }
        return found
    }

    /// Good and bad ends at all present backends but one that are not suspected, and how good their last ones were on
    /// average; nil without any.
    private func peers(of index: Int) -> (ends: Suspicion.Ends, recentShare: Double)? {
        var sum = Suspicion.Ends()
        var share = 0.0
        var count = 0.0
        for other in backends.indices where other != index && backends[other].isPresent {
            guard !backends[other].suspicion.isSuspected else { continue }
            sum = sum + backends[other].suspicion.ends(now: clock)
            share += backends[other].suspicion.goodShare
            count += 1
        }
        return count > 0 ? (sum, share / count) : nil
    }

    /// Compares the backends' shares of good ends with one another, some seconds after the last time.
    mutating func comparePeers() {
        guard backends.count > 1,
            clock.nanoseconds(since: comparedAt) > Self.comparisonNanoseconds
        else { return }
        comparedAt = clock
        for index in backends.indices where backends[index].isPresent {
            guard let peers = peers(of: index) else { continue }
            let wasTrusted = backends[index].suspicion.isTrusted
            guard
                backends[index].suspicion.compare(
                    with: peers.ends, recentShare: peers.recentShare, now: clock)
            else { continue }
            if wasTrusted { suspected(index) } else { refresh(index) }
        }
    }

    private static var comparisonNanoseconds: Int64 { 5_000_000_000 }
}
