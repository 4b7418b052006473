// Replicas that come and go during a run. A new one is another backend than any before, as a pod with an address of its own is;
// one that is stopped gets nothing new and ends what it has.

import Admission
import BasicContainers

/// Where the replicas of a run stand.
struct Replicas {
    /// What one is doing.
    private enum Stage {
        case stopped
        /// Its model is loaded until then.
        case starting(until: Int64)
        case serving
    }

    private(set) var scaler: Autoscaler
    private var stages: [Stage]
    /// How often each place was taken, which is part of the name of who is there.
    private var terms: [Int]
    private(set) var nextDecision: Int64
    /// Every refusal for want of capacity, also of further tries.
    var refusals = RefusedTries()

    init(_ rule: Autoscale) {
        scaler = Autoscaler(rule)
        stages = (0..<rule.most).map { $0 < rule.least ? .serving : .stopped }
        terms = Array(repeating: 0, count: rule.most)
        nextDecision = rule.everyNanoseconds
    }

    /// Replicas that serve.
    var ready: Int { stages.count { if case .serving = $0 { true } else { false } } }

    /// Whether the replica at a place serves.
    func isServing(_ index: Int) -> Bool {
        if case .serving = stages[index] { true } else { false }
    }

    /// What is added to the name of the replica at a place: nothing for the first one there.
    func suffix(of index: Int) -> String { terms[index] == 0 ? "" : "/\(terms[index])" }

    /// When something is to be done next.
    var nextTime: Int64 {
        stages.reduce(nextDecision) {
            if case .starting(let until) = $1 { min($0, until) } else { $0 }
        }
    }

    /// Lets those serve that have loaded their models; whether there are any.
    mutating func finishStarts(now: Int64) -> Bool {
        var isAny = false
        for index in stages.indices {
            guard case .starting(let until) = stages[index], until <= now else { continue }
            stages[index] = .serving
            isAny = true
        }
        return isAny
    }

    /// Decides by the signal's value; whether another number is asked for since.
    mutating func decide(value: Double, isBusy: [Bool], now: Int64) -> Bool {
        nextDecision = now + scaler.rule.everyNanoseconds
        guard scaler.decide(value: value, ready: ready, now: now) else { return false }
        follow(isBusy: isBusy, now: now)
        return true
    }

    /// Starts or stops as many as are asked for: of those that start the last one is stopped first, and places are taken
    /// first where nothing runs any more.
    private mutating func follow(isBusy: [Bool], now: Int64) {
        var count = stages.count { if case .stopped = $0 { false } else { true } }
        while count < scaler.replicas {
            guard let index = vacant(isBusy) else { return }
            terms[index] += 1
            stages[index] = .starting(until: now + scaler.rule.startUpNanoseconds)
            count += 1
        }
        while count > scaler.replicas {
            let starting = stages.lastIndex { if case .starting = $0 { true } else { false } }
            guard
                let index = starting
                    ?? stages.lastIndex(where: {
                        if case .serving = $0 { true } else { false }
                    })
            else { return }
            stages[index] = .stopped
            count -= 1
        }
    }

    private func vacant(_ isBusy: [Bool]) -> Int? {
        let stopped = stages.indices.filter {
            if case .stopped = stages[$0] { true } else { false }
        }
        return stopped.first { !isBusy[$0] } ?? stopped.first
    }
}

extension Simulation {
    /// Looks at the signal, if it is time, and at who has started.
    mutating func takeReplicas() {
        guard var replicas else { return }
        var isChanged = replicas.finishStarts(now: now)
        if now >= replicas.nextDecision {
            let value = signal(replicas)
            let isBusy = backends.map { $0.running + $0.waiting > 0 }
            if replicas.decide(value: value, isBusy: isBusy, now: now) {
                isChanged = true
                if isMeasured { result.cells[cell].replicaChanges += 1 }
                trace.mix(now, 22, UInt64(replicas.scaler.replicas))
            }
        }
        self.replicas = replicas
        times[replicaSource] = replicas.nextTime
        if isChanged { followReplicas() }
    }

    private mutating func followReplicas() {
        guard let replicas else { return }
        for index in backends.indices {
            backends[index].isStopped = !replicas.isServing(index)
        }
        followMembership()
        measureReplicas()
    }

    /// Notes how many replicas there are, as the extremes of the stretch of measurement.
    mutating func measureReplicas() {
        guard isMeasured, let replicas else { return }
        result.cells[cell].noteReplicas(asked: replicas.scaler.replicas, ready: replicas.ready)
    }

    /// What the autoscaler looks at.
    private func signal(_ replicas: Replicas) -> Double {
        let instant = Instant(nanoseconds: now)
        switch replicas.scaler.rule.signal {
        case .waiting: return Double(queueLength)
        case .inFlight: return Double(inFlight)
        case .saturation: return Double(inFlight) / Double(max(1, limit))
        case .wanted:
            var sum = 0.0
            for gateway in controllers.indices {
                sum += controllers[gateway].wantedBackends(now: instant).wanted
            }
            return sum
        case .wantedAll:
            let known = controllers[0].wantedBackends(now: instant)
            guard let limit = known.limit else { return Double(known.usable) }
            let refused = replicas.refusals.perSecond(now: instant) * (known.seatSeconds ?? 0)
            let demand = Double(inFlight + queueLength) + refused
            return demand / (WantedBackends.utilization * limit)
        }
    }
}
