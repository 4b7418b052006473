// The numbers that a run comes to, by their names.

import Admission

extension Scenario {
    /// What is measured as a whole: all but the warm-up.
    package var whole: Window {
        Window(
            name: "all", startNanoseconds: warmUpNanoseconds, endNanoseconds: durationNanoseconds)
    }

    /// The window of that name; the whole when it is nil or unknown.
    package func window(named name: String?) -> Window {
        windows.first { $0.name == name } ?? whole
    }
}

extension SimulationResult {
    /// The value of `measure` over `window`, of one group of clients or of all, of one backend or of
    /// all.
    package func value(
        _ measure: Measure, over window: Scenario.Window, group: Int? = nil, backend: Int? = nil
    ) -> Double {
        let (start, end) = (window.startNanoseconds, window.endNanoseconds)
        let clients = clients(from: start, to: end) { group == nil || $0 == group }
        let pool = pool(from: start, to: end)
        switch measure {
        case .throughput:
            return ratio(backend.map(pool.unitsDone(by:)) ?? pool.unitsDone, pool.seconds)
        case .workShare:
            return ratio(backend.map(pool.unitsDone(by:)) ?? 0, pool.unitsDone)
        case .goodput: return ratio(clients.goodUnits, pool.seconds)
        case .offered: return ratio(Double(clients.offered), pool.seconds)
        case .completed: return ratio(Double(clients.completed), pool.seconds)
        case .rejectedShare: return ratio(clients.rejected, clients.offered)
        case .quotaShare:
            let reasons = [Reason.tenantOverShare, .tenantLimit]
            let told = reasons.reduce(0) { $0 + clients.rejectedByReason[Int($1.rawValue)] }
            return ratio(told, clients.offered)
        case .servedShare: return ratio(clients.inDeadline, clients.offered)
        case .lateShare:
            return ratio(clients.completed - clients.inDeadline, clients.completed)
        case .failedShare: return ratio(clients.failed, clients.accepted)
        case .refusedWaitedShare: return ratio(clients.refusedLate, clients.rejected)
        case .backendRejectedShare: return ratio(pool.backendRejects, clients.accepted)
        case .retriedShare: return ratio(pool.retries, clients.accepted)
        case .limitMean: return ratio(pool.limitSeconds, pool.seconds)
        case .limitMin: return pool.seconds == 0 ? 0 : Double(pool.minLimit)
        case .limitMax: return Double(pool.maxLimit)
        case .limitHigh: return quantile(0.9, over: window) { Double($0.limit) }
        case .limitSwing:
            return pool.seconds == 0 ? 0 : ratio(Double(pool.maxLimit), Double(pool.minLimit))
        case .limitHeadroom:
            let busy = quantile(0.99, over: window) { Double($0.inFlight) }
            return pool.seconds == 0 ? 0 : ratio(Double(pool.minLimit), busy)
        case .limitMoves: return Double(limitMoves.reduce(0, +))
        case .inFlightMean: return ratio(pool.inFlightSeconds, pool.seconds)
        case .inFlightMax: return Double(pool.maxInFlight)
        case .insideMax: return Double(pool.maxInside)
        case .insideOverLimit: return pool.seconds == 0 ? 0 : Double(pool.maxOverLimit)
        case .wasteShare: return ratio(pool.wastedUnits, pool.unitsDone)
        case .idleSeconds: return pool.idleSeconds
        case .unitMedian: return clients.perUnit.quantileSeconds(0.5)
        case .unitHigh: return clients.perUnit.quantileSeconds(0.99)
        case .totalMedian: return clients.total.quantileSeconds(0.5)
        case .totalHigh: return clients.total.quantileSeconds(0.99)
        case .waitMedian: return clients.wait.quantileSeconds(0.5)
        case .waitHigh: return clients.wait.quantileSeconds(0.99)
        case .firstByteMedian: return clients.firstByte.quantileSeconds(0.5)
        case .firstByteP90: return clients.firstByte.quantileSeconds(0.9)
        case .firstByteHigh: return clients.firstByte.quantileSeconds(0.99)
        case .hitShare: return ratio(clients.cachedTokens, clients.promptTokens)
        case .slotShare:
            return ratio(clients.slotSeconds, self.clients(from: start, to: end).slotSeconds)
        case .passesMax: return Double(affinity.mostPasses)
        case .peakArrivals: return Double(pool.peakArrivals)
        case .replicasMin: return Double(min(pool.minReplicas, pool.maxReplicas))
        case .replicasMax: return Double(pool.maxReplicas)
        case .readyMin: return Double(min(pool.minReady, pool.maxReady))
        case .readyMax: return Double(pool.maxReady)
        case .replicaChanges: return Double(pool.replicaChanges)
        case .jain: return jain(over: window)
        }
    }

    /// Jain's index over the groups of clients: (sum x)^2 / (n sum x^2), 1 when all are equal.
    private func jain(over window: Scenario.Window) -> Double {
        var sum = 0.0
        var squares = 0.0
        for group in 0..<groupCount {
            let cost = clients(
                from: window.startNanoseconds, to: window.endNanoseconds, where: { $0 == group }
            ).goodCost
            sum += cost
            squares += cost * cost
        }
        return squares == 0 ? 1 : sum * sum / (Double(groupCount) * squares)
    }

    /// A quantile over the points of the time series that lie in the window.
    private func quantile(
        _ quantile: Double, over window: Scenario.Window, of value: (SamplePoint) -> Double
    ) -> Double {
        let values = samples.filter {
            $0.timeNanoseconds > window.startNanoseconds
                && $0.timeNanoseconds <= window.endNanoseconds
        }.map(value).sorted()
        guard !values.isEmpty else { return 0 }
        let rank = Int((quantile * Double(values.count)).rounded(.up))
        return values[min(max(rank, 1), values.count) - 1]
    }

    private func ratio(_ part: Int, _ whole: Int) -> Double {
        ratio(Double(part), Double(whole))
    }

    private func ratio(_ part: Double, _ whole: Double) -> Double { whole == 0 ? 0 : part / whole }
}
