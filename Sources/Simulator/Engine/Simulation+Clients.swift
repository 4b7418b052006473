// The clients' side of a run: requests come, are tried again, are given up.

import Admission
import BasicContainers

extension Simulation {
    /// A group's next arrival or next segment.
    mutating func takeArrival(_ index: Int) {
        let isSegment = arrivals[index].nextSegment <= now
        if isSegment { arrivals[index].beginNextSegment() }
        switch arrivals[index].group.arrivals {
        case .open:
            let gap = arrivals[index].drawGap()
            times[index] = min(arrivals[index].nextSegment, now + min(gap, .max - now))
            if !isSegment { begin(takeRecord(group: index)) }
        case .closed(let thinkSeconds):
            times[index] = arrivals[index].nextSegment
            while arrivals[index].population < Int(arrivals[index].value) {
                arrivals[index].population += 1
                think(takeRecord(group: index), seconds: thinkSeconds)
            }
        }
    }

    /// A client makes an attempt; a body that the gateway holds is sent before the offer.
    mutating func begin(_ slot: Int32) {
        let index = Int(slot)
        let group = arrivals[Int(requests[index].group)].group
        if requests[index].state == .promised { promisedClients -= 1 }
        if requests[index].attempt == 0 { requests[index].arrivedAt = now }
        guard group.sendingSeconds > 0, group.sends == .before else { return attempt(slot) }
        requests[index].state = .away
        heap.schedule(
            .bodyHeld, at: now + Int64(group.sendingSeconds * 1e9), slot: slot,
            generation: requests[index].generation)
    }

    /// A new request's first attempt, or a further one, comes to the gateway.
    mutating func attempt(_ slot: Int32) {
        let index = Int(slot)
        let group = Int(requests[index].group)
        if requests[index].attempt == 0 {
            result.requests += 1
            requests[index].units = arrivals[group].drawUnits()
            requests[index].tenant = arrivals[group].drawTenant()
            if !requests[index].goesOn {
                requests[index].prompt = arrivals[group].drawPrompt()
            }
            requests[index].goesOn = false
            let unitsPerCost = arrivals[group].group.unitsPerCost
            requests[index].cost =
                unitsPerCost > 0 ? max(requests[index].units / unitsPerCost, 1e-6) : 1
        }
        result.attempts += 1
        requests[index].offeredAt = now
        countArrival(index, group)
        if let seconds = arrivals[group].group.deadlineSeconds {
            requests[index].deadline = now + Int64(seconds * 1e9)
        }
        requests[index].isAccepted = false
        requests[index].retries = 0
        requests[index].failure = nil
        let patience = drawPatience(arrivals[group].group)
        requests[index].patience = patience
        if patience != .max {
            heap.schedule(
                .patience, at: now + patience, slot: slot,
                generation: requests[index].generation)
        }
        trace.mix(now, 16, UInt64(slot))
        if routing != nil { return route(slot) }
        let id = RequestID(rawValue: UInt64(slot))
        let gateway = chooseGateway(of: arrivals[group].group)
        requests[index].gateway = Int32(gateway)
        let instant = Instant(nanoseconds: now)
        preparePrompt(slot)
        let verdict = controllers[gateway].offer(
            id, ticket(slot), charging: &quotas[gateway], now: instant)
        receive(verdict, slot)
    }

    /// The gateway that an attempt goes to: the group's own, or any.
    private mutating func chooseGateway(of group: ClientGroup) -> Int {
        if let gateway = group.gateway { return gateway }
        return controllers.count == 1
            ? 0 : Int(gatewayRandom.next() % UInt64(controllers.count))
    }

    /// What the gateway knows of a request.
    func ticket(_ slot: Int32) -> Ticket {
        let request = requests[Int(slot)]
        let isTold = request.deadline != .max && arrivals[Int(request.group)].group.tellsDeadline
        var ticket = Ticket(
            respondBy: isTold ? Instant(nanoseconds: request.deadline) : nil)
        ticket.arrivedAt = Instant(nanoseconds: request.offeredAt)
        ticket.tenant = request.tenant
        ticket.priorityClass = arrivals[Int(request.group)].group.priorityClass
        ticket.cost = request.cost
        ticket.isRetry =
            request.attempt > 0 && arrivals[Int(request.group)].group.tellsRetries
        return ticket
    }

    /// Says what a request's prompt begins with, before it is offered or tried again.
    mutating func preparePrompt(_ slot: Int32) {
        guard scenario.admission.affinity != nil else { return }
        let request = requests[Int(slot)]
        controllers[Int(request.gateway)].prepare(request.prompt.keys)
    }

    private mutating func countArrival(_ index: Int, _ group: Int) {
        sampled.offered += 1
        let second = now / 1_000_000_000
        if second != self.second {
            self.second = second
            arrivalsThisSecond = 0
        }
        arrivalsThisSecond += 1
        guard isMeasured else { return }
        let groupIndex = cell * result.groupCount + group
        result.groups[groupIndex].offered += 1
        result.groups[groupIndex].offeredCost += requests[index].cost
        if arrivalsThisSecond > result.cells[cell].peakArrivals {
            result.cells[cell].peakArrivals = arrivalsThisSecond
        }
    }

    /// An attempt failed or was refused: the client tries again or gives up.
    mutating func endAttempt(
        _ slot: Int32, retryAfterMilliseconds: Int?, isTriedAgain: Bool = true
    ) {
        let index = Int(slot)
        let group = arrivals[Int(requests[index].group)].group
        var delay: Int64?
        let attempt = Int(requests[index].attempt)
        switch group.retry {
        case .none: break
        case .sdk:
            delay = SDKRetry.delayNanoseconds(
                attempt: attempt, retryAfterMilliseconds: retryAfterMilliseconds,
                random: &retryRandom)
        case .sdkWithConstant(let milliseconds):
            delay = SDKRetry.delayNanoseconds(
                attempt: attempt,
                retryAfterMilliseconds: retryAfterMilliseconds == nil ? nil : milliseconds,
                random: &retryRandom)
        }
        guard let delay, isTriedAgain else { return endRequest(slot) }
        tryAgain(slot, afterNanoseconds: delay)
    }

    /// The client waits, and makes another attempt.
    mutating func tryAgain(_ slot: Int32, afterNanoseconds delay: Int64) {
        let index = Int(slot)
        requests[index].state = .promised
        promisedClients += 1
        requests[index].attempt += 1
        requests[index].generation &+= 1
        heap.schedule(
            .arrival, at: now + delay, slot: slot, generation: requests[index].generation)
    }

    /// The request was answered: its conversation goes on, or it is over for its client.
    mutating func endAnswered(_ slot: Int32) {
        let index = Int(slot)
        let group = Int(requests[index].group)
        guard requests[index].prompt.turnsLeft > 0, let model = arrivals[group].group.prompt
        else { return endRequest(slot) }
        requests[index].prompt.goOn(
            afterAnswer: Int(requests[index].units.rounded(.up)), newTokens: model.ownTokens)
        requests[index].goesOn = true
        requests[index].generation &+= 1
        requests[index].attempt = 0
        requests[index].state = .away
        heap.schedule(
            .arrival, at: now + arrivals[group].drawTurnTime(), slot: slot,
            generation: requests[index].generation)
    }

    /// The request is over for its client.
    mutating func endRequest(_ slot: Int32) {
        let index = Int(slot)
        let group = Int(requests[index].group)
        requests[index].generation &+= 1
        requests[index].attempt = 0
        if case .closed(let thinkSeconds) = arrivals[group].group.arrivals {
            if arrivals[group].population <= Int(arrivals[group].value) {
                return think(slot, seconds: thinkSeconds, least: Self.leastThinkNanoseconds)
            }
            arrivals[group].population -= 1
        }
        vacate(slot)
    }

    /// The record is free.
    mutating func vacate(_ slot: Int32) {
        requests[Int(slot)].state = .vacant
        requests[Int(slot)].isAbandoned = false
        requests[Int(slot)].isUnseen = false
        requests[Int(slot)].goesOn = false
        requests[Int(slot)].nextVacant = firstVacant
        firstVacant = slot
    }

    /// The way of a response back and of the next request, without which a client that is refused at once and does not think
    /// would ask without end at one and the same time.
    private static var leastThinkNanoseconds: Int64 { 100_000 }

    private mutating func think(_ slot: Int32, seconds: Double, least: Int64 = 0) {
        let index = Int(slot)
        let group = Int(requests[index].group)
        requests[index].state = .away
        let isEndedAtOnce = requests[index].offeredAt == now
        let time = max(
            arrivals[group].drawThinkTime(meanSeconds: seconds), isEndedAtOnce ? least : 0)
        heap.schedule(
            .arrival, at: now + time, slot: slot, generation: requests[Int(slot)].generation)
    }

    mutating func takeRecord(group: Int) -> Int32 {
        let slot = firstVacant
        guard slot >= 0 else {
            var record = RequestRecord()
            record.group = Int32(group)
            requests.append(record)
            permits.append(nil)
            return Int32(requests.count - 1)
        }
        firstVacant = requests[Int(slot)].nextVacant
        requests[Int(slot)].group = Int32(group)
        requests[Int(slot)].deadline = .max
        return slot
    }
}
