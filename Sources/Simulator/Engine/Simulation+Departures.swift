// Clients that leave, and what their engines do then. A request that is worked on for nobody keeps
// its record until the engine is done with it; its client goes on with another one.

import Admission
import BasicContainers

extension Simulation {
    /// How long the client of a new attempt bears it; the end of time for a patient one.
    mutating func drawPatience(_ group: ClientGroup) -> Int64 {
        guard let patience = group.patience,
            group.impatientShare >= 1 || patienceRandom.unit() < group.impatientShare
        else { return .max }
        let seconds =
            switch patience.distribution {
            case .fixed(let seconds): seconds
            case .exponential(let mean): patienceRandom.exponential() * mean
            case .logNormal(let median, let sigma):
                median * Arithmetic.exponential(sigma * patienceRandom.normal())
            }
        return Int64(min(seconds * 1e9, 4e18))
    }

    /// The client loses patience.
    mutating func giveUp(_ slot: Int32) {
        let index = Int(slot)
        let request = requests[index]
        let group = arrivals[Int(request.group)].group
        guard !request.isAbandoned else { return }
        if group.patience?.until == .first, hasFirstByte(index) { return }
        var client = slot
        switch request.state {
        case .vacant, .away, .promised:
            requests[index].generation &+= 1
            return
        case .parked:
            requests[index].generation &+= 1
            if let handle = request.handle {
                let gateway = Int(request.gateway)
                let instant = Instant(nanoseconds: now)
                if let reserved = controllers[gateway].cancel(handle, now: instant) {
                    quotas[gateway].settle(reserved, .nothing, now: instant)
                }
            }
        case .sending, .answeredAtOnce, .waiting, .running, .delivering:
            client = detach(slot, closesAt: leave(slot))
        }
        if isMeasured {
            result.groups[cell * result.groupCount + Int(request.group)].cancelled += 1
        }
        if let seconds = group.returnSeconds, request.attempt < SDKRetry.maxRetries {
            tryAgain(client, afterNanoseconds: Int64(seconds * 1e9))
        } else {
            endRequest(client)
        }
        pump(Int(request.gateway))
    }

    /// Parts a client from its request, whose connection the gateway closes then, or at once; the
    /// record that the client goes on with.
    ///
    /// The permit stays with the request.
    mutating func detach(_ slot: Int32, closesAt end: Int64?) -> Int32 {
        let index = Int(slot)
        let request = requests[index]
        guard request.state == .waiting || request.state == .running else {
            requests[index].generation &+= 1
            return slot
        }
        let backend = Int(request.backend)
        let phase = backends[backend].phase
        if end == nil, phase.onCancel == .stops, phase.cancelDelayNanoseconds == 0 {
            requests[index].generation &+= 1
            remove(slot, was: request.state)
            return slot
        }
        requests[index].unitsAtLeaving = backends[backend].unitsDone(for: request, now: now)
        requests[index].isAbandoned = true
        if let end {
            heap.schedule(.keptEnd, at: end, slot: slot, generation: request.generation)
        } else {
            closeAbandoned(slot)
        }
        let client = takeRecord(group: Int(request.group))
        requests[Int(client)].takeClient(of: request)
        return client
    }

    /// The gateway has waited long enough for work whose client has left.
    mutating func endKeeping(_ slot: Int32) {
        spendKept(slot)
        closeAbandoned(slot)
        pump(Int(requests[Int(slot)].gateway))
    }

    /// The connection of work whose client has left is closed: the engine stops soon, or goes on.
    private mutating func closeAbandoned(_ slot: Int32) {
        let request = requests[Int(slot)]
        let backend = Int(request.backend)
        let phase = backends[backend].phase
        backends[backend].hide(slot, now: now, &requests, streams: streams)
        guard phase.onCancel == .stops else { return }
        heap.schedule(
            .stop, at: now + phase.cancelDelayNanoseconds, slot: slot,
            generation: request.generation)
    }

    /// An engine stops working for nobody.
    mutating func stopAbandoned(_ slot: Int32) {
        let index = Int(slot)
        let state = requests[index].state
        countWaste(index)
        requests[index].generation &+= 1
        remove(slot, was: state)
        endAbandoned(slot)
    }

    /// The engine is done with a request that nobody waits for.
    mutating func endAbandoned(_ slot: Int32) {
        // It is not closed any more when its time is up.
        requests[Int(slot)].generation &+= 1
        spendAbandoned(slot)
        vacate(slot)
        settleTimeout()
        pump(Int(requests[Int(slot)].gateway))
    }

    /// Counts what was worked on an abandoned request since its client left.
    mutating func countWaste(_ index: Int) {
        let request = requests[index]
        guard isMeasured else { return }
        let units = backends[Int(request.backend)].unitsDone(for: request, now: now)
        result.cells[cell].wastedUnits += units - request.unitsAtLeaving
    }
}
