// A controller and its reference model, driven by the same random calls.

@testable import Admission

/// Takes one random step after another and stops at the first broken promise.
struct RandomWalk: ~Copyable {
    enum Event: Int, CaseIterable {
        case granted, parked, startedFromQueue, expired, cancelled, cancelledTooLate, completed
        case retriedElsewhere, retriedParked, retriedRefused, trial, refusedAtOnce, reconfigured
        case observed, withheld, displaced, startedWide
    }

    var failure: String?
    private(set) var steps = 0
    /// Hash of every decision so far (FNV-1a over words).
    private(set) var trace: UInt64 = 0xCBF2_9CE4_8422_2325
    private(set) var events = [Int](repeating: 0, count: Event.allCases.count)
    private(set) var reasons: Set<Reason> = []

    var random: SplitMix64
    var controller: AdmissionController
    var quotas: QuotaTable
    var model: ReferencePool
    var now: Int64 = 0
    var virtualTimes: [Double] = []
    /// Whether no bound was lowered since all requests in flight were started.
    var hasKeptBounds = true
    private var handles: [(id: UInt64, stay: Int, handle: ParkedHandle)] = []
    var displacements = 0
    private var tickets: [Ticket] = []
    private var keys: [String]

    init(seed: UInt64) {
        random = SplitMix64(seed: seed)
        let settings = Self.randomSettings(&random)
        keys = Self.randomKeys(&random)
        model = ReferencePool(settings: settings)
        controller = AdmissionController(settings: settings, backends: keys, seed: seed)
        quotas = QuotaTable(QuotaSettings(settings))
    }

    var instant: Instant { Instant(nanoseconds: now) }

    /// One random call, the polls it asks for, and the checks.
    mutating func step() {
        steps += 1
        if random.next(below: 3) == 0 { passTime() }
        switch random.next(below: 1000) {
        case ..<420: offer()
        case ..<760: complete()
        case ..<850: cancel()
        case ..<890: retry()
        case ..<915: wait()
        case ..<935: leave()
        case ..<960: connect(random.next(below: 4))
        case ..<975: refuse(random.next(below: 4))
        case ..<980: reconfigure()
        default: break
        }
        // A caller may be late with polling; offers must not overtake meanwhile.
        if random.next(below: 4) != 0 { pollAll() }
        check()
    }

    /// Ends everything that still runs or waits: nothing may be left.
    mutating func finish() {
        controller.drain()
        while !model.running.isEmpty || !model.queue.isEmpty, failure == nil {
            while !model.running.isEmpty { complete() }
            pollAll()
            if model.running.isEmpty, let next = controller.nextDeadline {
                now = max(now, next.nanoseconds)
                pollAll()
            }
        }
        pollAll()
        check()
        expect(controller.inFlight == 0 && controller.queueLength == 0, "something is left")
        expect(controller.demand.uncounted == 0, "demand is left")
        expect(controller.queueBytes == 0, "bytes are left")
        expect(controller.nextDeadline == nil, "an idle pool has a deadline")
        expect(!model.places.contains { $0 != .gone }, "a request has not left")
        expect(quotas.rows.allSatisfy { $0.held == 0 }, "a quota is charged for nobody")
        for entry in model.running {
            controller.complete(entry.box.take(), .failed(.request), now: instant)
        }
    }
}

// MARK: - The calls

extension RandomWalk {
    private mutating func passTime() {
        if random.next(below: 20) == 0, let next = controller.nextDeadline {
            now = max(now, next.nanoseconds)
        } else {
            now += Int64(random.next(below: 1 << random.next(below: 29)))
        }
    }

    private mutating func offer() {
        let id = UInt64(tickets.count)
        let ticket = randomTicket()
        tickets.append(ticket)
        model.places.append(.unknown)
        // What the passing of time alone has changed is seen by the model as well.
        controller.advance(to: instant)
        let couldStart = anyCanGrant(seats: ticket.seats)
        let mustWait = someoneComesBefore(ticket)
        let before = controller.queue.displacedCount
        let verdict = controller.offer(
            RequestID(rawValue: id), ticket, charging: &quotas, now: instant)
        displacements += controller.queue.displacedCount - before
        switch consume verdict {
        case .forward(let permit):
            if model.settings.mode == .observe {
                if permit.withheld != .none { note(.withheld, id) }
                started(id, permit, .observed)
            } else {
                expect(couldStart, "\(id): there was no room")
                expect(!mustWait, "\(id) overtook")
                started(id, permit, .granted)
            }
        case .parked(let handle):
            expect(model.settings.mode == .enforce, "\(id) was parked by an observer")
            parked(id, handle, isReturned: false, .parked)
        case .reject(let rejection):
            checkRefusal(id, ticket, rejection.reason, couldStart: couldStart && !mustWait)
            rejected(id, rejection, .refusedAtOnce)
        }
    }

    private mutating func complete() {
        guard !model.running.isEmpty else { return }
        let entry = model.running.remove(at: random.next(below: model.running.count))
        let outcome: Outcome =
            switch random.next(below: 40) {
            case ..<28: .success
            case ..<32: .overload
            case ..<34: .failed(.status)
            case ..<36: .cancelled(by: .client, in: .answering)
            case ..<38: .cancelled(by: .client, in: .finished)
            default: .failed(.request)
            }
        if model.trial[entry.backend] == entry.id { model.trial[entry.backend] = nil }
        let cost = random.next(below: 2) == 0 ? nil : Optional(Double(random.next(below: 50)) / 10)
        var work = ServedWork(units: 1 + random.next(below: 9), cost: cost)
        let charges: [Charge] = [.reserved, .nothing, .tokens(random.next(below: 3_000))]
        work.charge = charges[random.next(below: 3)]
        let permit = entry.box.take()
        quotas.settle(permit.reserved, work.charge, now: instant)
        controller.complete(permit, outcome, work, now: instant)
        model.places[Int(entry.id)] = .gone
        note(.completed, entry.id)
    }

    private mutating func cancel() {
        guard !handles.isEmpty else { return }
        let index = random.next(below: handles.count)
        let (id, stay, handle) = handles[index]
        if random.next(below: 4) != 0 { handles.remove(at: index) }
        let wasWaiting = model.leaveQueue(stay: stay)
        let before = controller.queue.displacedCount
        let reserved = controller.cancel(handle, now: instant)
        if let reserved { quotas.settle(reserved, .nothing, now: instant) }
        expect((reserved != nil) == wasWaiting, "cancel of \(id)")
        displacements += controller.queue.displacedCount - before
        if wasWaiting { model.places[Int(id)] = .gone }
        note(wasWaiting ? .cancelled : .cancelledTooLate, id)
    }

    private mutating func retry() {
        guard !model.running.isEmpty else { return }
        let entry = model.running.remove(at: random.next(below: model.running.count))
        if model.trial[entry.backend] == entry.id { model.trial[entry.backend] = nil }
        let id = RequestID(rawValue: entry.id)
        let before = status(entry.backend)?.consecutiveFailures
        let verdict = controller.retry(entry.box.take(), id, entry.ticket, now: instant)
        if before != status(entry.backend)?.consecutiveFailures {
            model.trial[entry.backend] = nil
        }
        switch consume verdict {
        case .forward(let permit):
            expect(permit.backend.index != entry.backend, "\(entry.id) went back")
            started(entry.id, permit, .retriedElsewhere)
        case .parked(let handle):
            parked(entry.id, handle, isReturned: true, .retriedParked)
        case .reject(let rejection):
            let isTooLate = (entry.ticket.respondBy?.nanoseconds ?? .max) <= now
            let reason: Reason = isTooLate ? .deadline : .connectFailed
            expect(rejection.reason == reason, "\(entry.id): \(rejection.reason)")
            rejected(entry.id, rejection, .retriedRefused)
        }
    }

    /// A running request waits for somebody else.
    private mutating func wait() {
        guard !model.running.isEmpty else { return }
        let index = random.next(below: model.running.count)
        let awaited = [Awaited.backend, .client, .nobody][random.next(below: 3)]
        var permit = model.running[index].box.take()
        controller.wait(on: awaited, &permit, now: instant)
        model.running[index].box = PermitBox(permit)
        model.running[index].isUncounted = awaited == .client
    }

    /// A running request's client leaves.
    private mutating func leave() {
        guard !model.running.isEmpty else { return }
        let index = random.next(below: model.running.count)
        let entry = model.running[index]
        let phases = Outcome.Phase.allCases
        let phase = phases[random.next(below: 4)]
        let kind = RequestKind.allCases[random.next(below: 2)]
        var permit = entry.box.take()
        let departure = controller.leave(&permit, kind, phase, now: instant)
        if case .keep(let end) = departure {
            expect(end > instant, "\(entry.id) is kept until it is over")
            expect(phase == .waiting || phase == .answering, "\(entry.id) had not begun")
            model.running[index].box = PermitBox(permit)
            model.running[index].isUncounted = false
            return
        }
        model.running.remove(at: index)
        if model.trial[entry.backend] == entry.id { model.trial[entry.backend] = nil }
        quotas.settle(permit.reserved, .nothing, now: instant)
        controller.complete(permit, .cancelled(by: .client, in: phase), now: instant)
        model.places[Int(entry.id)] = .gone
    }

    private mutating func connect(_ index: Int) {
        controller.connected(BackendID(index: index), now: instant)
        model.trial[index] = nil
    }

    private mutating func refuse(_ index: Int) {
        let before = status(index)?.consecutiveFailures
        controller.refused(BackendID(index: index), now: instant)
        if before != status(index)?.consecutiveFailures { model.trial[index] = nil }
    }

    private mutating func reconfigure() {
        model.settings = Self.randomSettings(&random)
        hasKeptBounds = false
        keys = Self.randomKeys(&random)
        var kept: [String: BackendStatus] = [:]
        for key in keys {
            guard let id = controller.backendID(forKey: key) else { continue }
            kept[key] = status(id.index)
        }
        controller.reconfigure(settings: model.settings, backends: keys, now: instant)
        quotas.reconfigure(QuotaSettings(model.settings)) { _ in 0 }
        for key in keys {
            let id = controller.backendID(forKey: key)
            expect(id != nil, "\(key) is missing")
            guard let id, let before = kept[key], let after = status(id.index) else { continue }
            expect(before.inFlight == after.inFlight, "\(key) lost its requests")
            expect(before.unusableUntil == after.unusableUntil, "\(key) lost its standing")
        }
        expect(controller.backendCount == Set(keys).count, "too many backends")
        note(.reconfigured, UInt64(keys.count))
    }

    private mutating func pollAll() {
        while failure == nil {
            let oldest = oldestOfFlows()
            let decision = controller.poll(now: instant)
            switch consume decision {
            case .none:
                checkNobodyForgotten()
                let next = controller.nextDeadline ?? .distantFuture
                expect(next > instant, "nothing is due, and the deadline is not ahead")
                return
            case .some(.reject(let id, let rejection)):
                let waiting = model.leaveQueue(id: id.rawValue)
                expect(waiting != nil, "\(id) was not in the queue")
                if let waiting { checkExpiry(waiting, rejection.reason) }
                rejected(
                    id.rawValue, rejection,
                    rejection.reason == .displaced ? .displaced : .expired)
            case .some(.forward(let id, let permit)):
                let waiting = model.leaveQueue(id: id.rawValue)
                expect(waiting != nil, "\(id) was not in the queue")
                if let waiting {
                    expect(!model.mustLeave(waiting, now: now), "\(id) was started too late")
                    checkOrder(waiting, oldest)
                }
                started(id.rawValue, permit, .startedFromQueue)
            }
        }
    }
}

// MARK: - What follows from an answer

extension RandomWalk {
    private mutating func started(_ id: UInt64, _ permit: consuming Permit, _ event: Event) {
        let index = permit.backend.index
        let seats = permit.seats
        expect(permit.grantedAt == instant, "\(id) was granted at another time")
        let status = status(index)
        if let status {
            if model.settings.mode == .enforce {
                // `status` is from after the grant, the model from before it.
                let isTrial = controller.backends[index].suspicion.isSuspected
                let fits = model.canGrant(
                    index, status, seats: seats, keptFree: controller.backends[index].keptFree)
                expect(fits || isTrial, "\(id) went to a backend without room")
                expect(
                    permit.inFlight <= status.allowed || isTrial,
                    "\(permit.inFlight) of \(status.allowed)")
            }
            checkBound(of: id, seats: seats)
            // The latest trial is the one that counts; an observer may start several.
            if status.consecutiveFailures > 0 {
                model.trial[index] = id
                events[Event.trial.rawValue] += 1
            }
        }
        expect(status != nil, "\(id) went to a backend that is not there")
        let free = controller.backends[index].keptFree
        expect(
            permit.inFlight == model.counted(index) + free + seats,
            "in flight: \(permit.inFlight)")
        expect(model.places[Int(id)] != .gone, "\(id) left twice")
        model.places[Int(id)] = .running
        if seats > 1 { events[Event.startedWide.rawValue] += 1 }
        model.running.append(
            .init(
                id: id, box: PermitBox(permit), backend: index, seats: seats,
                ticket: tickets[Int(id)]))
        note(event, id &* 31 &+ UInt64(index))
    }

    private mutating func parked(
        _ id: UInt64, _ handle: ParkedHandle, isReturned: Bool, _ event: Event
    ) {
        let slot = controller.queue.slots[Int(handle.slot)]
        let stay = model.park(
            id, tickets[Int(id)], tenant: slot.tenant, row: Int(slot.row), now: now,
            longestWait: controller.longestWaitNanoseconds, isReturned: isReturned)
        handles.append((id, stay, handle))
        if handles.count > 64 { handles.removeFirst() }
        note(event, id)
    }

    private mutating func rejected(_ id: UInt64, _ refusal: Rejection, _ event: Event) {
        var rejection = refusal
        quotas.settle(rejection.takeReserved(), .nothing, now: instant)
        expect((1...60).contains(rejection.retryAfterSeconds), "\(rejection)")
        expect((250...60_000).contains(rejection.retryAfterMilliseconds), "\(rejection)")
        let isTenants = [.tenantLimit, .tenantOverShare].contains(rejection.reason)
        expect((rejection.share != nil) == isTenants, "\(rejection)")
        expect(model.places[Int(id)] != .gone, "\(id) left twice")
        model.places[Int(id)] = .gone
        reasons.insert(rejection.reason)
        note(event, id &* 100_003 &+ UInt64(rejection.retryAfterMilliseconds))
    }

    mutating func expect(_ holds: Bool, _ promise: @autoclosure () -> String) {
        if !holds, failure == nil { failure = "\(promise()) (at \(now) ns)" }
    }

    mutating func note(_ event: Event, _ value: UInt64) {
        events[event.rawValue] += 1
        trace = (trace ^ value ^ UInt64(event.rawValue) << 56) &* 0x100_0000_01B3
    }

    func status(_ index: Int) -> BackendStatus? {
        controller.backend(BackendID(index: index), now: instant)
    }

    /// Whether a backend has as much in flight as when it last said overload, just now.
    private func hasEnough(_ index: Int) -> Bool {
        controller.counted(index) >= controller.backends[index].refusedAbove
            && instant < controller.backends[index].refusesUntil
    }

    func anyCanGrant(seats: Int) -> Bool {
        (0..<controller.backendSlots).contains { index in
            guard let status = status(index) else { return false }
            let suspicion = controller.backends[index].suspicion
            if suspicion.isSuspected {
                return status.isUsable && instant >= suspicion.nextTrialAt
                    && (status.consecutiveFailures == 0 || model.trial[index] == nil)
            }
            return model.canGrant(
                index, status, seats: seats, keptFree: controller.backends[index].keptFree)
                && !hasEnough(index)
        }
    }
}
