// What a run writes down about itself.

import Admission

/// What happened since the last point of the time series.
struct SampleSums {
    var offered = 0
    var longestWait: Int64 = 0
    var unitsBefore = 0.0
    var rejectedByReason = [Int](repeating: 0, count: Reason.allCases.count)
}

extension Scenario {
    /// The times at which one stretch of measurement ends and the next begins, warm-up left out.
    var borders: [Int64] {
        var borders: Set<Int64> = [warmUpNanoseconds, durationNanoseconds]
        for window in windows {
            borders.insert(window.startNanoseconds)
            borders.insert(window.endNanoseconds)
        }
        for backend in backends {
            for phase in backend.phases { borders.insert(phase.startNanoseconds) }
        }
        return borders.filter { (warmUpNanoseconds...durationNanoseconds).contains($0) }.sorted()
    }
}

extension Simulation {
    private mutating func unitsDone() -> Double {
        var units = 0.0
        for index in backends.indices {
            backends[index].advance(to: now)
            units += backends[index].unitsDone
        }
        return units
    }

    /// The next stretch of measurement begins.
    mutating func takeCell() {
        closeCell()
        cell += 1
        isMeasured = cell < result.cells.count
        times[cellSource] = isMeasured ? result.cells[cell].endNanoseconds : .max
        _ = unitsDone()
        unitsBefore = backends.map(\.unitsDone)
        measureReplicas()
    }

    /// Notes what the backends were like for some time.
    mutating func measureBackends(seconds: Double) {
        var running = 0
        var inside = 0
        for index in backends.indices {
            running += backends[index].running
            inside += backends[index].running + backends[index].waiting
        }
        if inside > result.cells[cell].maxInside { result.cells[cell].maxInside = inside }
        if inside - limit > result.cells[cell].maxOverLimit {
            result.cells[cell].maxOverLimit = inside - limit
        }
        if running == 0, promisedClients > 0 || queueLength > 0 {
            result.cells[cell].idleSeconds += seconds
        }
    }

    mutating func closeCell() {
        guard isMeasured else { return }
        result.cells[cell].unitsDone = unitsDone() - unitsBefore.reduce(0, +)
        for index in backends.indices {
            result.cells[cell].backendUnits[index] =
                backends[index].unitsDone - unitsBefore[index]
        }
    }

    /// The next point of the time series.
    mutating func takeSample() {
        times[sampleSource] = now + scenario.sampleNanoseconds
        let units = unitsDone()
        let seconds = Double(scenario.sampleNanoseconds) * 1e-9
        result.samples.append(
            SamplePoint(
                timeNanoseconds: now, limit: limit, inFlight: inFlight,
                queueLength: queueLength,
                unitsPerSecond: (units - sampled.unitsBefore) / seconds,
                waitSeconds: Double(sampled.longestWait) * 1e-9, offered: sampled.offered,
                rejectedByReason: sampled.rejectedByReason,
                replicas: replicas?.scaler.replicas ?? 0, ready: replicas?.ready ?? 0))
        sampled = SampleSums()
        sampled.unitsBefore = units
    }
}
