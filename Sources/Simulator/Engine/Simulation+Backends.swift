// The backends' side of a run: requests end, phases change.

import Admission
import BasicContainers

extension Simulation {
    /// A running request ends at a backend.
    mutating func takeFinish(_ backend: Int) {
        let slot = backends[backend].finishNext(now: now, &requests, streams: streams)
        times[finishSource + backend] = backends[backend].nextFinish
        trace.mix(now, 20, UInt64(slot))
        countCompletion(Int(slot))
        spend(slot, .success)
        endRequest(slot)
        settleTimeout()
        pump(Int(requests[Int(slot)].gateway))
    }

    private mutating func countCompletion(_ index: Int) {
        guard isMeasured else { return }
        let request = requests[index]
        let place = cell * result.groupCount + Int(request.group)
        result.groups[place].completed += 1
        let perUnit = Double(now - request.startedAt) / request.units
        let target = arrivals[Int(request.group)].group.unitTargetSeconds ?? .infinity
        if now <= request.deadline, perUnit * 1e-9 <= target {
            result.groups[place].inDeadline += 1
            result.groups[place].goodUnits += request.units
            result.groups[place].goodCost += request.cost
        }
        result.groups[place].total.record(now - request.arrivedAt)
        result.groups[place].perUnit.record(Int64(min(perUnit, 1e18)))
    }

    /// A backend's next phase begins.
    mutating func takePhase(_ backend: Int) {
        backends[backend].beginNextPhase(now: now, &requests, streams: streams)
        trace.mix(now, 21, UInt64(backend))
        times[phaseSource + backend] = backends[backend].nextPhase
        for _ in 0..<backends[backend].phase.failAtStart {
            let slot = backends[backend].anyRunning
            guard slot >= 0 else { break }
            requests[Int(slot)].generation &+= 1
            remove(slot, was: .running)
            fail(slot, .overload)
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

    /// A backend answers with an error without doing any work.
    mutating func answerAtOnce(_ slot: Int32, _ outcome: Outcome) {
        fail(slot, outcome)
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
