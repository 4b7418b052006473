// The gateway's side of a run: the calls to the controller, as `serve` makes them.

import Admission
import BasicContainers

extension Simulation {
    /// Takes the answer to an offer or to a retry.
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
        settleDeadline()
    }

    /// Polls every gateway whose deadline has come.
    mutating func takeDeadline() {
        for gateway in controllers.indices {
            guard let deadline = controllers[gateway].nextDeadline else { continue }
            if deadline.nanoseconds <= now { pump(gateway) }
        }
        settleLimit()
        settleDeadline()
    }

    private mutating func settleDeadline() {
        var earliest = Int64.max
        for gateway in controllers.indices {
            guard let deadline = controllers[gateway].nextDeadline else { continue }
            // What is due has been taken; time must go on all the same.
            let time = deadline.nanoseconds
            earliest = min(earliest, time > now ? time : now + 1_000_000)
        }
        times[deadlineSource] = earliest
    }

    private mutating func reject(_ slot: Int32, _ rejection: Rejection) {
        let reason = Int(rejection.reason.rawValue)
        trace.mix(now, 17, UInt64(slot) << 8 | UInt64(reason))
        sampled.rejectedByReason[reason] += 1
        if isMeasured {
            let place = cell * result.groupCount + Int(requests[Int(slot)].group)
            result.groups[place].rejectedByReason[reason] += 1
        }
        endAttempt(slot, retryAfterMilliseconds: rejection.retryAfterMilliseconds)
    }

    /// Sends a request to the backend that it was given a permit of.
    private mutating func forward(_ slot: Int32, _ permit: consuming Permit) {
        let index = Int(slot)
        let backend = permit.backend.index
        permits[index] = consume permit
        requests[index].backend = Int32(backend)
        requests[index].startedAt = now
        trace.mix(now, 18, UInt64(slot) << 16 | UInt64(backend))
        let generation = requests[index].generation
        switch backends[backend].receive(now: now, random: &errorRandom) {
        case .refused:
            requests[index].state = .answeredAtOnce
            heap.schedule(.refusal, at: now + 500_000, slot: slot, generation: generation)
            return
        case .tooMany:
            requests[index].state = .answeredAtOnce
            heap.schedule(.tooMany, at: now + 1_000_000, slot: slot, generation: generation)
        case .failure:
            requests[index].state = .answeredAtOnce
            heap.schedule(.failure, at: now + 1_000_000, slot: slot, generation: generation)
        case .taken:
            backends[backend].begin(slot, now: now, &requests, streams: streams)
            times[finishSource + backend] = backends[backend].nextFinish
            let timeout = scenario.firstByteTimeoutNanoseconds
            timeouts.append(Timeout(time: now + timeout, slot: slot, generation: generation))
            if timeouts.count == 1 { times[timeoutSource] = now + timeout }
        }
        countStart(index)
        if backends[backend].mayBeLeftOut {
            backends[backend].mayBeLeftOut = false
            let gateway = Int(requests[index].gateway)
            controllers[gateway].connected(
                BackendID(index: backend), now: Instant(nanoseconds: now))
        }
    }

    private mutating func countStart(_ index: Int) {
        let wait = now - requests[index].offeredAt
        if wait > sampled.longestWait { sampled.longestWait = wait }
        guard isMeasured else { return }
        let place = cell * result.groupCount + Int(requests[index].group)
        result.groups[place].accepted += 1
        result.groups[place].wait.record(wait)
    }

    /// Spends a request's permit.
    mutating func spend(_ slot: Int32, _ outcome: Outcome) {
        guard let permit = permits[Int(slot)].take() else { return }
        let gateway = Int(requests[Int(slot)].gateway)
        let work = outcome == .success ? servedWork(Int(slot)) : ServedWork()
        controllers[gateway].complete(permit, outcome, work, now: Instant(nanoseconds: now))
        settleLimit()
    }

    /// What the gateway saw of an answer: a stream's units, or one piece.
    private func servedWork(_ index: Int) -> ServedWork {
        let request = requests[index]
        guard streams[Int(request.group)] else {
            var work = ServedWork()
            if arrivals[Int(request.group)].group.sizesTell { work.size = request.units }
            return work
        }
        return ServedWork(
            firstByteNanoseconds: Int64(Double(now - request.startedAt) / max(request.units, 1)),
            units: max(1, Int(request.units.rounded())))
    }

    /// The connection to the backend was refused.
    mutating func refuse(_ slot: Int32) {
        guard let permit = permits[Int(slot)].take() else { return }
        backends[Int(requests[Int(slot)].backend)].mayBeLeftOut = true
        let id = RequestID(rawValue: UInt64(slot))
        let instant = Instant(nanoseconds: now)
        let gateway = Int(requests[Int(slot)].gateway)
        receive(controllers[gateway].retry(permit, id, ticket(slot), now: instant), slot)
        pump(gateway)
    }

    /// The gateway gives up on requests that have no answer yet.
    mutating func takeTimeout() {
        guard let timeout = timeouts.first else { return }
        timeouts.removeFirst()
        let slot = timeout.slot
        let index = Int(slot)
        if requests[index].generation == timeout.generation, !hasFirstByte(index) {
            let state = requests[index].state
            requests[index].generation &+= 1
            trace.mix(now, 19, UInt64(slot))
            remove(slot, was: state)
            fail(slot, .failed(.timeout))
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

    /// A streamed answer begins with its first unit, any other one with its last.
    private func hasFirstByte(_ index: Int) -> Bool {
        let request = requests[index]
        guard request.state == .running, streams[Int(request.group)] else { return false }
        return backends[Int(request.backend)].virtualTime - request.virtualStart >= 1
    }

    /// A request ends without a usable answer.
    mutating func fail(_ slot: Int32, _ outcome: Outcome) {
        spend(slot, outcome)
        if isMeasured {
            result.groups[cell * result.groupCount + Int(requests[Int(slot)].group)].failed += 1
        }
        endAttempt(slot, retryAfterMilliseconds: nil)
        pump(Int(requests[Int(slot)].gateway))
    }

    /// Tells a gateway how much its streams of a backend got done since the last report.
    mutating func reportProgress(backend: Int, units: Int, to gateway: Int) {
        let instant = Instant(nanoseconds: now)
        let id = BackendID(index: backend)
        if controllers[gateway].progress(at: id, units: units, now: instant) {
            settleLimit()
            pump(gateway)
        }
    }
}
