// The backends' side of a run: requests end, phases change.

import Admission
import BasicContainers

extension Simulation {
    /// A running request ends at a backend.
    mutating func takeFinish(_ backend: Int) {
        if backends[backend].nextEndsReading {
            backends[backend].finishReading(now: now, &requests, streams: streams)
            times[finishSource + backend] = backends[backend].nextFinish
            return
        }
        let slot = backends[backend].finishNext(now: now, &requests, streams: streams)
        times[finishSource + backend] = backends[backend].nextFinish
        trace.mix(now, 20, UInt64(slot))
        if requests[Int(slot)].isAbandoned {
            countWaste(Int(slot))
            endAbandoned(slot)
        } else {
            finish(slot)
        }
    }

    mutating func countCompletion(_ index: Int) {
        guard isMeasured else { return }
        let request = requests[index]
        let groupIndex = cell * result.groupCount + Int(request.group)
        result.groups[groupIndex].completed += 1
        let perUnit = Double(request.workedAt - request.begunAt) / request.units
        let target = arrivals[Int(request.group)].group.unitTargetSeconds ?? .infinity
        if now <= request.deadline, perUnit * 1e-9 <= target {
            result.groups[groupIndex].inDeadline += 1
            result.groups[groupIndex].goodUnits += request.units
            result.groups[groupIndex].goodCost += request.cost
        }
        result.groups[groupIndex].total.record(now - request.arrivedAt)
        result.groups[groupIndex].firstByte.record(
            firstUnitAt(index, sinceEnd: request.workedAt) - request.arrivedAt)
        result.groups[groupIndex].slotSeconds += Double(now - request.startedAt) * 1e-9
        result.groups[groupIndex].promptTokens += request.prompt.tokens
        result.groups[groupIndex].cachedTokens += request.cachedTokens
        result.groups[groupIndex].perUnit.record(Int64(min(perUnit, 1e18)))
    }

    /// When the first unit came of a response whose work ended then: the last one, unless it is streamed.
    func firstUnitAt(_ index: Int, sinceEnd workedAt: Int64) -> Int64 {
        let request = requests[index]
        guard streams[Int(request.group)] else { return workedAt }
        if let at = request.firstUnitAt { return min(at, workedAt) }
        let working = Double(workedAt - request.begunAt)
        return request.begunAt + Int64(working / max(request.units, 1))
    }

    /// A backend's next phase begins.
    mutating func takePhase(_ backend: Int) {
        let wasAbsent = backends[backend].isAbsent
        let credits = backends[backend].phase.credits
        backends[backend].beginNextPhase(now: now, &requests, streams: streams)
        trace.mix(now, 21, UInt64(backend))
        if backends[backend].isAbsent != wasAbsent || backends[backend].phase.credits != credits {
            followMembership()
        }
        times[phaseSource + backend] = backends[backend].nextPhase
        for _ in 0..<backends[backend].phase.failAtStart {
            let slot = backends[backend].anyRunning
            guard slot >= 0 else { break }
            if requests[Int(slot)].isAbandoned {
                stopAbandoned(slot)
                continue
            }
            requests[Int(slot)].generation &+= 1
            remove(slot, was: .running)
            // It is at work no more, so nothing is left that might go on.
            requests[Int(slot)].state = .answeredAtOnce
            fail(slot, .status(503))
        }
        times[finishSource + backend] = backends[backend].nextFinish
    }

    /// Takes a request away from its backend; its generation was changed before.
    mutating func remove(_ slot: Int32, was state: RequestRecord.State) {
        let backend = Int(requests[Int(slot)].backend)
        guard state == .running || state == .waiting else { return }
        backends[backend].remove(slot, was: state, now: now, &requests, streams: streams)
        times[finishSource + backend] = backends[backend].nextFinish
    }

    /// A backend fails a request without doing any work.
    mutating func takeFailure(_ slot: Int32) {
        guard let failure = requests[Int(slot)].failure else { return }
        if isMeasured, failure.kind == .status(429) { result.cells[cell].backendRejects += 1 }
        fail(slot, failure)
    }

    /// Reports the streams' progress.
    mutating func takeReport() {
        times[reportSource] = now + scenario.progressNanoseconds
        for index in backends.indices {
            for gateway in controllers.indices {
                let units = backends[index].takeUnitsToReport(of: gateway, now: now)
                if units > 0 { reportProgress(backend: index, units: units, to: gateway) }
            }
        }
        settleLimit()
    }
}
