// A backend that shares its work among the requests that run. One virtual clock counts the units of
// work that a request running all the time would have got; a request that begins at virtual time V
// with u units ends at V + u, whatever else begins and ends meanwhile. So a request's begin and end
// cost O(log n), and nothing is touched when the speed changes. Prompts are read beside that, first come,
// first served, on the same clock: one of P tokens in pieces of K takes P / K units' time, which is longer
// while one is read; what the cache has is not read again.

import Admission

/// A simulated backend's state.
struct SimulatedBackend {
    private struct Finish {
        /// Virtual time of the end.
        var end: Double
        var slot: Int32
        var generation: UInt32
    }

    private struct Waiter {
        var slot: Int32
        var generation: UInt32
    }

    private let phases: [BackendPhase]
    private var phaseIndex = 0
    private(set) var phase: BackendPhase
    /// Nanoseconds since the simulation's start, up to which the virtual clock was moved on.
    private var clock: Int64 = 0
    /// Units of work that a request got that ran all the time.
    private(set) var virtualTime = 0.0
    /// Units a second for each running request.
    private var rate = 0.0
    /// Requests at work.
    private(set) var running = 0
    /// Streams at work, by gateway.
    private var streamsRunning: [Int]
    /// Requests that wait here for their turn.
    private(set) var waiting = 0
    /// Units done for all requests since the start.
    private(set) var unitsDone = 0.0
    /// Units done for streams since the last report, by gateway.
    private var unitsToReport: [Double]
    private var finishes: [Finish] = []
    private var cache = PrefixCache()
    /// Requests at work whose prompts are being read, the first now; and when that one is done.
    private var reading = 0
    private var readers = RingBuffer(filler: Waiter(slot: 0, generation: 0))
    private var readEnd: Double?
    private var waiters = RingBuffer(filler: Waiter(slot: 0, generation: 0))
    /// Room for the short times' requests before the rate bound counts, and when it was filled.
    private var allowance = 1.0
    private var allowanceAt: Int64 = 0

    /// What was so when the phase began.
    private var loadBefore = ReportedLoad()

    /// Whether it is a replica that is stopped, or not started yet.
    var isStopped = false
    /// Whether the gateway may hold a refused connection against it.
    var mayBeEjected = false
    /// When the next running request ends, if nothing changes; the end of time for never.
    private(set) var nextFinish = Int64.max
    /// When the next phase begins.
    var nextPhase: Int64 {
        phaseIndex + 1 < phases.count ? phases[phaseIndex + 1].startNanoseconds : .max
    }

    init(_ model: BackendModel, gateways: Int) {
        precondition(!model.phases.isEmpty, "a backend without a phase")
        phases = model.phases
        phase = model.phases[0]
        streamsRunning = Array(repeating: 0, count: gateways)
        unitsToReport = Array(repeating: 0, count: gateways)
        finishes.reserveCapacity(1024)
    }

    /// Does the work of the time up to `now`.
    mutating func advance(to now: Int64) {
        guard now > clock else { return }
        if rate > 0 {
            let units = Double(now - clock) * 1e-9 * rate
            virtualTime += units
            unitsDone += units * Double(running - reading)
            for index in unitsToReport.indices {
                unitsToReport[index] += units * Double(streamsRunning[index])
            }
        }
        clock = now
    }

    /// Begins the next phase.
    mutating func beginNextPhase(now: Int64, _ requests: inout [RequestRecord], streams: [Bool]) {
        advance(to: now)
        loadBefore = load
        phaseIndex += 1
        phase = phases[phaseIndex]
        fill(&requests, streams)
        settle(requests)
    }

    /// What it reports with a response; nil for nothing.
    var report: ReportedLoad? {
        switch phase.reports {
        case .none: nil
        case .honest: load
        case .stale: loadBefore
        case .zero: ReportedLoad(queued: 0, cacheUse: 0)
        case .one: ReportedLoad(queued: 1, cacheUse: 1)
        case .many: ReportedLoad(queued: 1_000, cacheUse: 1)
        }
    }

    /// What is so: its cache is full where it has to preempt, or with its batch.
    private var load: ReportedLoad {
        let most = min(phase.batch, phase.cliffThreshold ?? .max)
        return ReportedLoad(
            queued: Double(waiting), cacheUse: min(1, Double(running) / Double(most)))
    }

    /// What a request meets that comes now.
    enum Reception {
        case refused
        case failure(BackendFailure)
        case taken
    }

    /// Whether it refuses connections.
    var isRefusing: Bool { phase.availability == .refusing }

    /// Whether the pool does not have it.
    var isAbsent: Bool { isStopped || phase.availability == .absent }

    mutating func receive(now: Int64, random: inout SplitMix64) -> Reception {
        if isRefusing { return .refused }
        if let most = phase.maxRequests, running + waiting >= most {
            return .failure(.status(429))
        }
        if let perSecond = phase.requestsPerSecond {
            // A bucket of a tenth of a second's requests.
            let filled = allowance + Double(now - allowanceAt) * 1e-9 * perSecond
            allowance = min(filled, max(1, perSecond / 10))
            allowanceAt = now
            if allowance < 1 { return .failure(.status(429)) }
            allowance -= 1
        }
        if phase.errorShare > 0, random.unit() < phase.errorShare {
            return .failure(.status(500))
        }
        if let failure = phase.failure, failure.share >= 1 || random.unit() < failure.share {
            return .failure(failure)
        }
        return .taken
    }

    /// Takes a request in: it runs at once or waits for its turn.
    mutating func begin(
        _ slot: Int32, now: Int64, _ requests: inout [RequestRecord], streams: [Bool]
    ) {
        advance(to: now)
        if waiting == 0, mayRun(requests[Int(slot)]) {
            run(slot, &requests, streams)
        } else {
            waiters.append(Waiter(slot: slot, generation: requests[Int(slot)].generation))
            requests[Int(slot)].state = .waiting
            waiting += 1
        }
        settle(requests)
    }

    /// Takes a request out before its end; the caller changes its generation first.
    mutating func remove(
        _ slot: Int32, was state: RequestRecord.State, now: Int64,
        _ requests: inout [RequestRecord], streams: [Bool]
    ) {
        advance(to: now)
        if state == .running {
            leave(slot, requests, streams, isDone: false)
            fill(&requests, streams)
        } else {
            waiting -= 1
        }
        settle(requests)
    }

    /// The gateway sees no more of a request that is worked on.
    mutating func hide(
        _ slot: Int32, now: Int64, _ requests: inout [RequestRecord], streams: [Bool]
    ) {
        advance(to: now)
        let request = requests[Int(slot)]
        if request.state == .running, request.isRead, isSeen(request, streams) {
            streamsRunning[Int(request.gateway)] -= 1
        }
        requests[Int(slot)].isUnseen = true
    }

    /// Units done so far for a request.
    mutating func unitsDone(for request: RequestRecord, now: Int64) -> Double {
        guard request.state == .running, request.isRead else { return 0 }
        advance(to: now)
        return min(virtualTime - request.virtualStart, request.workUnits)
    }

    /// The request that ends now.
    mutating func finishNext(
        now: Int64, _ requests: inout [RequestRecord], streams: [Bool]
    ) -> Int32 {
        advance(to: now)
        let first = finishes[0]
        // The last bit of rounding must not make the virtual clock disagree with the end.
        virtualTime = max(virtualTime, first.end)
        popFinish()
        leave(first.slot, requests, streams, isDone: true)
        requests[Int(first.slot)].generation &+= 1
        fill(&requests, streams)
        settle(requests)
        return first.slot
    }

    /// Whether the next thing to end is the reading of a prompt.
    var nextEndsReading: Bool {
        guard let readEnd else { return false }
        return finishes.isEmpty || readEnd <= finishes[0].end
    }

    /// A prompt has been read: its response begins.
    mutating func finishReading(
        now: Int64, _ requests: inout [RequestRecord], streams: [Bool]
    ) {
        advance(to: now)
        guard let end = readEnd, let reader = readers.first else { return }
        virtualTime = max(virtualTime, end)
        readers.removeFirst()
        readEnd = nil
        reading -= 1
        decode(reader.slot, &requests, streams)
        settle(requests)
        let unit = phase.secondsPerUnit(running: running - reading) + readingSecondsPerUnit
        requests[Int(reader.slot)].firstUnitAt = now + Int64(unit * 1e9)
    }

    /// The running request that would end next; -1 when none runs.
    var anyRunning: Int32 { finishes.isEmpty ? -1 : finishes[0].slot }

    /// Whole units that a gateway's streams got done since the last call; what is begun is left for
    /// the next one.
    mutating func takeUnitsToReport(of gateway: Int, now: Int64) -> Int {
        advance(to: now)
        let whole = Int(unitsToReport[gateway])
        unitsToReport[gateway] -= Double(whole)
        return whole
    }

    private mutating func run(
        _ slot: Int32, _ requests: inout [RequestRecord], _ streams: [Bool]
    ) {
        let index = Int(slot)
        requests[index].state = .running
        running += 1
        guard requests[index].prompt.tokens > 0 else { return decode(slot, &requests, streams) }
        requests[index].cachedTokens = cache.enter(
            requests[index].prompt, answerTokens: answerTokens(of: requests[index]),
            memory: phase.memoryTokens ?? .max)
        guard phase.prefillSeconds > 0 else { return decode(slot, &requests, streams) }
        requests[index].isRead = false
        reading += 1
        readers.append(Waiter(slot: slot, generation: requests[index].generation))
    }

    /// The response's units begin to come.
    private mutating func decode(
        _ slot: Int32, _ requests: inout [RequestRecord], _ streams: [Bool]
    ) {
        let index = Int(slot)
        requests[index].isRead = true
        requests[index].virtualStart = virtualTime
        if isSeen(requests[index], streams) {
            streamsRunning[Int(requests[index].gateway)] += 1
        }
        push(
            Finish(
                end: virtualTime + requests[index].workUnits, slot: slot,
                generation: requests[index].generation))
    }

    private mutating func leave(
        _ slot: Int32, _ requests: [RequestRecord], _ streams: [Bool], isDone: Bool
    ) {
        running -= 1
        let request = requests[Int(slot)]
        if request.prompt.tokens > 0 {
            cache.leave(request.prompt, isComputed: isDone || request.isRead)
        }
        guard request.isRead else {
            reading -= 1
            return
        }
        if isSeen(request, streams) { streamsRunning[Int(request.gateway)] -= 1 }
    }

    /// Whether a request finds a place and memory.
    private func mayRun(_ request: RequestRecord) -> Bool {
        guard running < phase.batch else { return false }
        guard let memory = phase.memoryTokens, request.prompt.tokens > 0, running > 0 else {
            return true
        }
        return cache.hasRoom(
            for: request.prompt, answerTokens: answerTokens(of: request), memory: memory)
    }

    private func answerTokens(of request: RequestRecord) -> Int {
        Int(request.units.rounded(.up))
    }

    /// Seconds by which the reading of a prompt makes a unit longer.
    private var readingSecondsPerUnit: Double {
        reading > 0 ? phase.prefillSeconds * Double(phase.chunkTokens) * phase.slowdown : 0
    }

    private func isSeen(_ request: RequestRecord, _ streams: [Bool]) -> Bool {
        streams[Int(request.group)] && !request.isUnseen
    }

    private mutating func fill(_ requests: inout [RequestRecord], _ streams: [Bool]) {
        while waiting > 0, running < phase.batch, let waiter = waiters.first {
            // One that left while it waited stays behind in the ring.
            guard requests[Int(waiter.slot)].generation == waiter.generation else {
                waiters.removeFirst()
                continue
            }
            guard mayRun(requests[Int(waiter.slot)]) else { break }
            waiters.removeFirst()
            waiting -= 1
            run(waiter.slot, &requests, streams)
        }
    }

    /// Forgets ends of requests that have left, and works out speed and next end anew.
    private mutating func settle(_ requests: [RequestRecord]) {
        while let first = finishes.first,
            requests[Int(first.slot)].generation != first.generation
        {
            popFinish()
        }
        settleReading(requests)
        guard running > 0, phase.availability == .serving || isAbsent else {
            rate = 0
            nextFinish = .max
            return
        }
        let secondsPerUnit =
            phase.secondsPerUnit(running: running - reading) + readingSecondsPerUnit
        rate = 1 / secondsPerUnit
        let end = min(finishes.first?.end ?? .infinity, readEnd ?? .infinity)
        let rest = max(0, end - virtualTime) * secondsPerUnit * 1e9
        nextFinish = clock + Int64(min(rest, 1e18).rounded(.up))
    }

    /// Forgets prompts whose requests have left, and works out when the first will have been read.
    private mutating func settleReading(_ requests: [RequestRecord]) {
        while let first = readers.first,
            requests[Int(first.slot)].generation != first.generation
        {
            readers.removeFirst()
            readEnd = nil
        }
        guard readEnd == nil, let first = readers.first else { return }
        let request = requests[Int(first.slot)]
        let rest = Double(max(1, request.prompt.tokens - request.cachedTokens))
        readEnd = virtualTime + rest / Double(phase.chunkTokens)
    }

    private mutating func push(_ finish: Finish) {
        finishes.append(finish)
        var index = finishes.count - 1
        while index > 0 {
            let parent = (index - 1) / 2
            guard finish.end < finishes[parent].end else { break }
            finishes[index] = finishes[parent]
            index = parent
        }
        finishes[index] = finish
    }

    private mutating func popFinish() {
        let last = finishes.removeLast()
        guard !finishes.isEmpty else { return }
        var index = 0
        while true {
            var child = 2 * index + 1
            guard child < finishes.count else { break }
            if child + 1 < finishes.count, finishes[child + 1].end < finishes[child].end {
                child += 1
            }
            guard finishes[child].end < last.end else { break }
            finishes[index] = finishes[child]
            index = child
        }
        finishes[index] = last
    }
}
