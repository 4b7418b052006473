// One run of a scenario: the loop over what happens next. Time is virtual, in nanoseconds since the
// start. What happens next is known either to one of a few sources (the next arrival of a group,
// the next end at a backend, the controller's deadline), whose times stand in one short array, or
// to the heap. The same scenario and seed give the same run to the last bit.

import Admission
import BasicContainers

/// A run of a scenario.
package struct Simulation: ~Copyable {
    let scenario: Scenario
    /// One for each gateway in front of the backends.
    var controllers = UniqueArray<AdmissionController>()
    /// The quotas that each of them charges.
    var quotas: [QuotaTable] = []
    var backends: [SimulatedBackend]
    var heap = EventHeap()
    var requests: [RequestRecord] = []
    /// What each request in flight holds.
    var permits = UniqueArray<Permit?>()
    /// Where each gateway's controller has the backends.
    var places: [BackendPlaces] = []
    var firstVacant: Int32 = -1
    var arrivals: [ArrivalState] = []
    /// Whether each group's responses are streamed.
    let streams: [Bool]
    /// Times of the sources: for each group its next arrival, for each backend its next end and its
    /// next phase, then the time-out, the controller's deadline, the report, the sample, the cell, the replicas.
    var times: [Int64]
    var timeouts = RingBuffer(filler: Timeout(time: 0, slot: 0, generation: 0))
    /// Replicas that come and go; nil where backends are what they are.
    var replicas: Replicas?
    /// Another project's router, which sends requests at once.
    var routing: ReferenceRouting?
    var now: Int64 = 0
    var trace = Trace()
    var result: SimulationResult
    var cell = 0
    var isMeasured = false
    var limit = 0
    /// Units done by each backend when the stretch of measurement began.
    var unitsBefore: [Double]
    /// Clients that wait for the time that they were told, or take, to try again.
    var promisedClients = 0
    var arrivalsThisSecond = 0
    var second: Int64 = -1
    var sampled = SampleSums()
    var errorRandom: SplitMix64
    var retryRandom: SplitMix64
    var patienceRandom: SplitMix64
    var gatewayRandom: SplitMix64

    /// When the gateway gives a request up that has no response yet.
    struct Timeout {
        var time: Int64
        var slot: Int32
        var generation: UInt32
    }

    /// Runs `scenario` with everything random following from `seed`.
    package static func run(_ scenario: Scenario, seed: UInt64) -> SimulationResult {
        var simulation = Simulation(scenario, seed: seed)
        simulation.runToEnd()
        return simulation.result
    }

    init(_ described: Scenario, seed: UInt64) {
        let scenario = described.withReplicas
        self.scenario = scenario
        replicas = scenario.autoscale.map(Replicas.init)
        var admissionSeed = SplitMix64(seed: seed, purpose: 1)
        var quotaSettings = QuotaSettings()
        quotaSettings.tenants = scenario.admission.tenants
        quotaSettings.others = scenario.admission.otherTenants
        quotaSettings.hashedRows = scenario.admission.queue.hashedFlows
        for _ in 0..<scenario.gateways {
            quotas.append(QuotaTable(quotaSettings))
            controllers.append(
                AdmissionController(
                    settings: scenario.admission, backends: Simulation.present(in: scenario),
                    remembered: Simulation.remembered(in: scenario), seed: admissionSeed.next()))
        }
        backends = scenario.backends.map { SimulatedBackend($0, gateways: scenario.gateways) }
        if let replicas {
            for index in backends.indices {
                backends[index].isStopped = !replicas.isServing(index)
            }
        }
        streams = scenario.clients.map(\.streams)
        errorRandom = SplitMix64(seed: seed, purpose: 2)
        retryRandom = SplitMix64(seed: seed, purpose: 3)
        patienceRandom = SplitMix64(seed: seed, purpose: 4)
        gatewayRandom = SplitMix64(seed: seed, purpose: 5)
        routing = scenario.router.map {
            ReferenceRouting($0, backends: scenario.backends.count, seed: seed)
        }
        unitsBefore = Array(repeating: 0, count: scenario.backends.count)
        let borders = scenario.borders
        result = SimulationResult(
            seed: seed, trace: 0,
            cells: zip(borders, borders.dropFirst()).map {
                CellMeasures(
                    startNanoseconds: $0, endNanoseconds: $1, backends: scenario.backends.count)
            },
            groups: Array(
                repeating: GroupMeasures(),
                count: (borders.count - 1) * scenario.clients.count),
            groupCount: scenario.clients.count)
        times = Array(
            repeating: .max, count: scenario.clients.count + 2 * scenario.backends.count + 6)
        places = Array(
            repeating: BackendPlaces(count: scenario.backends.count), count: scenario.gateways)
        for gateway in controllers.indices { notePlaces(gateway) }
        settleLimit()
        requests.reserveCapacity(4096)
        permits.reserveCapacity(4096)
        for (index, group) in scenario.clients.enumerated() {
            arrivals.append(ArrivalState(group, scenario.admission, seed: seed, index: index))
            times[index] = 0
        }
        for index in backends.indices { times[phaseSource + index] = backends[index].nextPhase }
        times[reportSource] = scenario.progressNanoseconds
        times[sampleSource] = scenario.sampleNanoseconds
        times[cellSource] = borders[0]
        if let replicas { times[replicaSource] = replicas.nextTime }
        // Before the first cell nothing is measured; the first border opens it.
        cell = -1
        if scenario.backends.contains(where: \.isWorker) { followMembership() }
    }

    var finishSource: Int { arrivals.count }
    var phaseSource: Int { scenario.clients.count + backends.count }
    var timeoutSource: Int { scenario.clients.count + 2 * backends.count }
    var deadlineSource: Int { timeoutSource + 1 }
    var reportSource: Int { timeoutSource + 2 }
    var sampleSource: Int { timeoutSource + 3 }
    var cellSource: Int { timeoutSource + 4 }
    var replicaSource: Int { timeoutSource + 5 }

    private mutating func runToEnd() {
        while true {
            var source = -1
            var next = heap.nextTime
            for index in times.indices where times[index] < next {
                next = times[index]
                source = index
            }
            guard next < scenario.durationNanoseconds else { break }
            move(to: next)
            if source < 0 { takeEvent() } else { take(source) }
        }
        move(to: scenario.durationNanoseconds)
        finish()
    }

    /// Moves the clock on; the state up to now was in force meanwhile.
    private mutating func move(to next: Int64) {
        if isMeasured, next > now {
            measureBackends(seconds: Double(next - now) * 1e-9)
            let seconds = Double(next - now) * 1e-9
            let inFlight = inFlight
            result.cells[cell].limitSeconds += Double(limit) * seconds
            result.cells[cell].inFlightSeconds += Double(inFlight) * seconds
            result.cells[cell].seconds += seconds
            if limit < result.cells[cell].minLimit { result.cells[cell].minLimit = limit }
            if limit > result.cells[cell].maxLimit { result.cells[cell].maxLimit = limit }
            if inFlight > result.cells[cell].maxInFlight {
                result.cells[cell].maxInFlight = inFlight
            }
        }
        now = next
    }

    private mutating func take(_ source: Int) {
        if source < finishSource {
            takeArrival(source)
        } else if source < phaseSource {
            takeFinish(source - finishSource)
        } else if source < timeoutSource {
            takePhase(source - phaseSource)
        } else if source == timeoutSource {
            takeTimeout()
        } else if source == deadlineSource {
            takeDeadline()
        } else if source == reportSource {
            takeReport()
        } else if source == sampleSource {
            takeSample()
        } else if source == replicaSource {
            takeReplicas()
        } else {
            takeCell()
        }
    }

    private mutating func takeEvent() {
        guard let event = heap.popFirst(),
            requests[Int(event.slot)].generation == event.generation
        else { return }
        trace.mix(now, UInt64(event.kind.rawValue), UInt64(event.slot))
        switch event.kind {
        case .arrival: begin(event.slot)
        case .bodyHeld: attempt(event.slot)
        case .patience: giveUp(event.slot)
        case .refusal: refuse(event.slot)
        case .failure: takeFailure(event.slot)
        case .stop: stopAbandoned(event.slot)
        case .keptEnd: endKeeping(event.slot)
        case .sent: takeSent(event.slot)
        case .delivered: deliver(event.slot)
        }
    }

    /// Releases what is still held; a permit may not be lost.
    private mutating func finish() {
        closeCell()
        for slot in requests.indices {
            switch requests[slot].state {
            case .vacant, .away, .promised: continue
            case .parked, .sending, .answeredAtOnce, .waiting, .running, .delivering:
                if !requests[slot].isAbandoned { result.stillIn += 1 }
            }
            guard let permit = permits[slot].take() else { continue }
            let gateway = Int(requests[slot].gateway)
            controllers[gateway].complete(
                permit, .cancelled(by: .gateway, in: .waiting), now: Instant(nanoseconds: now))
        }
        for (index, reason) in LimitMoveReason.allCases.enumerated() {
            for gateway in controllers.indices {
                result.limitMoves[index] += controllers[gateway].limitMoves(reason)
            }
        }
        result.affinity = controllers[0].affinityCounts ?? AffinityCounts()
        result.trace = trace.value
    }
}
