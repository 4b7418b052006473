// The gateway's side of a run: the calls to the controller, as `serve` makes them.

import Admission
import BasicContainers

extension Simulation {
    /// Takes the response to an offer or to a retry.
    mutating func receive(_ verdict: consuming Verdict, _ slot: Int32) {
        switch consume verdict {
        case .forward(let permit):
            forward(slot, permit)
        case .reject(let rejection):
            reject(slot, rejection)
        case .parked(let handle):
            requests[Int(slot)].state = .parked
            requests[Int(slot)].handle = handle
        }
        settleDeadline()
    }

    /// Requests in flight, over all gateways.
    var inFlight: Int {
        var sum = 0
        for gateway in controllers.indices { sum += controllers[gateway].inFlight }
        return sum
    }

    /// Requests that wait, over all gateways.
    var queueLength: Int {
        var sum = 0
        for gateway in controllers.indices { sum += controllers[gateway].queueLength }
        return sum
    }

    /// Notes the sum of the limits, over all gateways.
    mutating func settleLimit() {
        limit = 0
        for gateway in controllers.indices { limit += controllers[gateway].limit }
    }

    /// Takes all decisions about parked requests that are due.
    mutating func pump(_ gateway: Int) {
        let instant = Instant(nanoseconds: now)
        while let decision = controllers[gateway].poll(now: instant) {
            switch consume decision {
            case .forward(let id, let permit): forward(Int32(id.rawValue), permit)
            case .reject(let id, let rejection): reject(Int32(id.rawValue), rejection)
            }
        }
        let next = controllers[gateway].deadline() ?? .distantFuture
        precondition(next > instant, "nothing is due, and the deadline is not ahead")
        settleDeadline()
    }

    /// Polls every gateway whose deadline has come.
    mutating func takeDeadline() {
        for gateway in controllers.indices {
            guard let deadline = controllers[gateway].deadline() else { continue }
            if deadline.nanoseconds <= now { pump(gateway) }
        }
        settleLimit()
        settleDeadline()
    }

    private mutating func settleDeadline() {
        var earliest = Int64.max
        for gateway in controllers.indices {
            guard let deadline = controllers[gateway].deadline() else { continue }
            earliest = min(earliest, max(now, deadline.nanoseconds))
        }
        times[deadlineSource] = earliest
    }

    private mutating func reject(_ slot: Int32, _ refusal: Rejection) {
        var rejection = refusal
        quotas[Int(requests[Int(slot)].gateway)].settle(
            rejection.takeReserved(), .nothing, now: Instant(nanoseconds: now))
        let reason = Int(rejection.reason.rawValue)
        trace.mix(now, 17, UInt64(slot) << 8 | UInt64(reason))
        sampled.rejectedByReason[reason] += 1
        if rejection.reason.isWantOfCapacity || rejection.reason == .retryShed {
            replicas?.refusals.note(now: Instant(nanoseconds: now))
        }
        if isMeasured {
            let groupIndex = cell * result.groupCount + Int(requests[Int(slot)].group)
            result.groups[groupIndex].rejectedByReason[reason] += 1
            if now - requests[Int(slot)].offeredAt > requests[Int(slot)].patience / 4 {
                result.groups[groupIndex].refusedLate += 1
            }
        }
        endAttempt(slot, retryAfterMilliseconds: rejection.retryAfterMilliseconds)
    }

    /// Sends a request to the backend that it was given a permit of.
    private mutating func forward(_ slot: Int32, _ permit: consuming Permit) {
        let index = Int(slot)
        let backend = places[Int(requests[index].gateway)].backend(at: permit.backend)
        permits[index] = consume permit
        send(slot, to: backend)
    }

    /// Sends a request by another project's rule, without anybody's permit.
    mutating func route(_ slot: Int32) {
        guard let backend = routing?.begin(requests[Int(slot)].prompt) else { return }
        requests[Int(slot)].isRouted = true
        send(slot, to: backend)
    }

    private mutating func send(_ slot: Int32, to backend: Int) {
        let index = Int(slot)
        requests[index].backend = Int32(backend)
        requests[index].firstUnitAt = nil
        requests[index].cachedTokens = 0
        requests[index].isRead = true
        requests[index].startedAt = now
        trace.mix(now, 18, UInt64(slot) << 16 | UInt64(backend))
        let group = arrivals[Int(requests[index].group)].group
        if group.sendingSeconds > 0, group.sends == .after, !backends[backend].isRefusing {
            requests[index].state = .sending
            heap.schedule(
                .sent, at: now + Int64(group.sendingSeconds * 1e9), slot: slot,
                generation: requests[index].generation)
            waitOnClient(slot)
        } else {
            reach(slot)
        }
        guard !backends[backend].isRefusing else { return }
        countStart(index)
        if backends[backend].mayBeEjected {
            backends[backend].mayBeEjected = false
            let gateway = Int(requests[index].gateway)
            if let id = places[gateway].id(of: backend) {
                controllers[gateway].connected(id, now: Instant(nanoseconds: now))
            }
        }
    }

    /// A slow client's body has come through.
    mutating func takeSent(_ slot: Int32) {
        waitOnBackend(slot)
        reach(slot)
    }

    /// The backend has the whole request.
    private mutating func reach(_ slot: Int32) {
        let index = Int(slot)
        let backend = Int(requests[index].backend)
        let generation = requests[index].generation
        requests[index].begunAt = now
        requests[index].failure = nil
        requests[index].workUnits = requests[index].units
        switch backends[backend].receive(now: now, random: &errorRandom) {
        case .refused:
            requests[index].state = .answeredAtOnce
            heap.schedule(.refusal, at: now + 500_000, slot: slot, generation: generation)
        case .failure(let failure) where failure.kind == .cut:
            requests[index].failure = failure
            requests[index].workUnits *= failure.part
            beginWork(slot, at: backend)
        case .failure(let failure):
            requests[index].failure = failure
            requests[index].state = .answeredAtOnce
            heap.schedule(
                .failure, at: now + failure.afterNanoseconds, slot: slot, generation: generation)
        case .taken:
            beginWork(slot, at: backend)
        }
    }

    private mutating func beginWork(_ slot: Int32, at backend: Int) {
        backends[backend].begin(slot, now: now, &requests, streams: streams)
        times[finishSource + backend] = backends[backend].nextFinish
        let timeout = scenario.firstByteTimeoutNanoseconds
        timeouts.append(
            Timeout(time: now + timeout, slot: slot, generation: requests[Int(slot)].generation))
        if timeouts.count == 1 { times[timeoutSource] = now + timeout }
    }

    private mutating func countStart(_ index: Int) {
        let wait = now - requests[index].offeredAt
        if wait > sampled.longestWait { sampled.longestWait = wait }
        guard isMeasured, !requests[index].isAccepted else { return }
        requests[index].isAccepted = true
        let groupIndex = cell * result.groupCount + Int(requests[index].group)
        result.groups[groupIndex].accepted += 1
        result.groups[groupIndex].wait.record(wait)
    }

    /// The work is done: the request ends, or its client still takes the response.
    mutating func finish(_ slot: Int32) {
        let index = Int(slot)
        requests[index].workedAt = now
        hearReport(of: Int(requests[index].backend), by: Int(requests[index].gateway))
        if let failure = requests[index].failure {
            // The engine is done with it: nothing is left that might go on.
            requests[index].state = .answeredAtOnce
            return fail(slot, failure)
        }
        let group = arrivals[Int(requests[index].group)].group
        let rest = group.isBuffered ? 0 : group.readingNanoseconds(of: requests[index])
        guard rest > 0 else { return deliver(slot) }
        requests[index].state = .delivering
        heap.schedule(
            .delivered, at: now + rest, slot: slot, generation: requests[index].generation)
        waitOnClient(slot)
    }

    /// A response's head has come, and says how its backend is.
    private mutating func hearReport(of backend: Int, by gateway: Int) {
        guard let load = backends[backend].report, let id = places[gateway].id(of: backend) else {
            return
        }
        let instant = Instant(nanoseconds: now)
        if controllers[gateway].signal(id, .report(load), now: instant) {
            settleLimit()
            pump(gateway)
        } else {
            settleDeadline()
        }
    }

    /// The client has the response.
    mutating func deliver(_ slot: Int32) {
        countCompletion(Int(slot))
        spend(slot, .success)
        endAnswered(slot)
        settleTimeout()
        pump(Int(requests[Int(slot)].gateway))
    }

    /// Spends a request's permit, if it still has one.
    mutating func spend(_ slot: Int32, _ outcome: Outcome, retryAfterNanoseconds: Int64? = nil) {
        if requests[Int(slot)].isRouted {
            requests[Int(slot)].isRouted = false
            routing?.end(at: Int(requests[Int(slot)].backend))
        }
        guard let permit = permits[Int(slot)].take() else { return }
        let gateway = Int(requests[Int(slot)].gateway)
        var work = outcome == .success ? servedWork(Int(slot)) : ServedWork()
        work.retryAfterNanoseconds = retryAfterNanoseconds
        let instant = Instant(nanoseconds: now)
        quotas[gateway].settle(permit.reserved, work.charge, now: instant)
        controllers[gateway].complete(permit, outcome, work, now: instant)
        settleLimit()
    }

    /// What the gateway saw of a response: a stream's units, or one piece.
    private func servedWork(_ index: Int) -> ServedWork {
        let request = requests[index]
        guard streams[Int(request.group)] else {
            var work = ServedWork()
            if arrivals[Int(request.group)].group.sizesTell { work.size = request.units }
            return work
        }
        // All units but the first come after the first byte.
        var work = ServedWork(
            firstByteNanoseconds: firstUnitAt(index, sinceEnd: request.workedAt)
                - request.startedAt,
            units: max(1, Int(request.units.rounded())))
        if request.prompt.tokens > 0 {
            work.promptTokens = UInt32(clamping: request.prompt.tokens)
            work.cachedTokens = UInt32(clamping: request.cachedTokens)
        }
        return work
    }

    /// How long a gateway goes on trying to connect.
    private static var connectNanoseconds: Int64 { 3_000_000_000 }

    /// The connection to the backend was refused.
    mutating func refuse(_ slot: Int32) {
        guard let permit = permits[Int(slot)].take() else {
            return fail(slot, BackendFailure(.close))
        }
        backends[Int(requests[Int(slot)].backend)].mayBeEjected = true
        let id = RequestID(rawValue: UInt64(slot))
        let instant = Instant(nanoseconds: now)
        let gateway = Int(requests[Int(slot)].gateway)
        var ticket = ticket(slot)
        ticket.startBy = instant.advanced(byNanoseconds: Self.connectNanoseconds)
        preparePrompt(slot)
        receive(controllers[gateway].retry(permit, id, ticket, now: instant), slot)
        pump(gateway)
    }

    /// The gateway gives up on requests that have no response yet.
    mutating func takeTimeout() {
        guard let timeout = timeouts.first else { return }
        timeouts.removeFirst()
        let slot = timeout.slot
        let index = Int(slot)
        if requests[index].generation == timeout.generation, !requests[index].isAbandoned,
            !hasFirstByte(index)
        {
            trace.mix(now, 19, UInt64(slot))
            fail(slot, BackendFailure(.timeout))
        }
        settleTimeout()
    }

    /// Skips those that have ended, and takes the next one's time.
    mutating func settleTimeout() {
        while let timeout = timeouts.first,
            requests[Int(timeout.slot)].generation != timeout.generation
        {
            timeouts.removeFirst()
        }
        times[timeoutSource] = timeouts.first?.time ?? .max
    }

    /// A streamed response begins with its first unit, any other one with its last.
    mutating func hasFirstByte(_ index: Int) -> Bool {
        let request = requests[index]
        if request.state == .delivering { return true }
        guard request.state == .running, streams[Int(request.group)] else { return false }
        return backends[Int(request.backend)].unitsDone(for: request, now: now) >= 1
    }

    /// A request ends without a usable response.
    mutating func fail(_ slot: Int32, _ failure: BackendFailure) {
        let outcome = outcome(of: failure)
        if isTriedElsewhere(slot, after: outcome, failure) { return }
        spend(slot, outcome, retryAfterNanoseconds: failure.retryAfterNanoseconds)
        let client = detach(slot, closesAt: nil)
        let index = Int(client)
        if isMeasured {
            result.groups[cell * result.groupCount + Int(requests[index].group)].failed += 1
        }
        endAttempt(
            client,
            retryAfterMilliseconds: failure.retryAfterNanoseconds.map { Int($0 / 1_000_000) },
            isTriedAgain: failure.isTriedAgain)
        settleTimeout()
        pump(Int(requests[index].gateway))
    }

    /// What the gateway tells the controller of a failure.
    private func outcome(of failure: BackendFailure) -> Outcome {
        switch failure.kind {
        case .timeout: .failed(.timeout)
        case .status(let status): Outcome(status: status)
        case .garbage: .failed(.invalid)
        case .close, .cut: .failed(.closed)
        }
    }

    /// Tells a gateway how much its streams of a backend got done since the last report.
    mutating func reportProgress(backend: Int, units: Int, to gateway: Int) {
        let instant = Instant(nanoseconds: now)
        guard let id = places[gateway].id(of: backend) else { return }
        if controllers[gateway].progress(at: id, units: units, now: instant) {
            settleLimit()
            pump(gateway)
        }
    }
}
