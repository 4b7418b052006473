// A controller and its reference model, driven by the same random calls.

@testable import Admission

/// Takes one random step after another and stops at the first broken promise.
struct RandomWalk: ~Copyable {
    enum Event: Int, CaseIterable {
        case granted, parked, startedFromQueue, expired, cancelled, cancelledTooLate, completed
        case retriedElsewhere, retriedParked, retriedRefused, trial, refusedAtOnce, reconfigured
    }

    private(set) var failure: String?
    private(set) var steps = 0
    /// Hash of every decision so far (FNV-1a over words).
    private(set) var trace: UInt64 = 0xCBF2_9CE4_8422_2325
    private(set) var events = [Int](repeating: 0, count: Event.allCases.count)
    private(set) var reasons: Set<Reason> = []

    private var random: SplitMix64
    private var controller: AdmissionController
    private var model: ReferencePool
    private var now: Int64 = 0
    private var running: [(id: UInt64, box: PermitBox, backend: Int, ticket: Ticket)] = []
    private var handles: [(id: UInt64, stay: Int, handle: ParkedHandle)] = []
    private var tickets: [Ticket] = []
    private var keys: [String]

    init(seed: UInt64) {
        random = SplitMix64(seed: seed)
        let settings = Self.randomSettings(&random)
        keys = Self.randomKeys(&random)
        model = ReferencePool(settings: settings)
        controller = AdmissionController(settings: settings, backends: keys, seed: seed)
    }

    private var instant: Instant { Instant(nanoseconds: now) }

    /// One random call, the polls it asks for, and the checks.
    mutating func step() {
        steps += 1
        if random.next(below: 3) == 0 { passTime() }
        switch random.next(below: 1000) {
        case ..<420: offer()
        case ..<760: complete()
        case ..<850: cancel()
        case ..<890: retry()
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
        model.isDraining = true
        controller.drain()
        while !running.isEmpty || !model.queue.isEmpty, failure == nil {
            while !running.isEmpty { complete() }
            pollAll()
            if running.isEmpty, let next = controller.nextDeadline {
                now = max(now, next.nanoseconds)
                pollAll()
            }
        }
        check()
        expect(controller.inFlight == 0 && controller.queueLength == 0, "something is left")
        expect(controller.queueBytes == 0, "bytes are left")
        expect(controller.nextDeadline == nil, "an idle pool has a deadline")
        expect(!model.places.contains { $0 != .gone }, "a request has not left")
        for box in running.map(\.box) { controller.complete(box.take(), .ignored, now: instant) }
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
        let count = model.queue.count
        let couldStart = model.queue.isEmpty && anyCanGrant()
        let verdict = controller.offer(RequestID(rawValue: id), ticket, now: instant)
        switch consume verdict {
        case .forward(let permit):
            expect(couldStart, "\(id) overtook, or there was no room")
            started(id, permit, .granted)
        case .parked(let handle):
            expect(!couldStart, "\(id) was parked though there was room")
            expect(whyNotPark(ticket, queued: count) == nil, "\(id) was parked")
            parked(id, handle, atHead: false, .parked)
        case .reject(let rejection):
            let isTooLate = (ticket.deadline?.nanoseconds ?? .max) <= now
            expect(isTooLate || !couldStart, "\(id) was refused though there was room")
            let reason = isTooLate ? .deadline : whyNotPark(ticket, queued: count)
            expect(rejection.reason == reason, "\(id): \(rejection.reason)")
            rejected(id, rejection, .refusedAtOnce)
        }
    }

    private mutating func complete() {
        guard !running.isEmpty else { return }
        let entry = running.remove(at: random.next(below: running.count))
        let outcome: Outcome =
            switch random.next(below: 20) {
            case ..<16: .success
            case ..<18: .dropped
            default: .ignored
            }
        if outcome == .success, model.trial[entry.backend] == entry.id {
            model.trial[entry.backend] = nil
        }
        left(entry)
        controller.complete(entry.box.take(), outcome, now: instant)
        model.places[Int(entry.id)] = .gone
        note(.completed, entry.id)
    }

    private mutating func cancel() {
        guard !handles.isEmpty else { return }
        let index = random.next(below: handles.count)
        let (id, stay, handle) = handles[index]
        if random.next(below: 4) != 0 { handles.remove(at: index) }
        let wasWaiting = model.leaveQueue(stay: stay)
        expect(controller.cancel(handle, now: instant) == wasWaiting, "cancel of \(id)")
        if wasWaiting { model.places[Int(id)] = .gone }
        note(wasWaiting ? .cancelled : .cancelledTooLate, id)
    }

    private mutating func retry() {
        guard !running.isEmpty else { return }
        let entry = running.remove(at: random.next(below: running.count))
        left(entry)
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
            parked(entry.id, handle, atHead: true, .retriedParked)
        case .reject(let rejection):
            let isTooLate = (entry.ticket.deadline?.nanoseconds ?? .max) <= now
            let reason: Reason = isTooLate ? .deadline : .connectFailed
            expect(rejection.reason == reason, "\(entry.id): \(rejection.reason)")
            rejected(entry.id, rejection, .retriedRefused)
        }
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
        keys = Self.randomKeys(&random)
        var kept: [String: BackendStatus] = [:]
        for key in keys {
            guard let id = controller.backendID(forKey: key) else { continue }
            kept[key] = status(id.index)
        }
        controller.reconfigure(settings: model.settings, backends: keys, now: instant)
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
            let due = model.expired(now: now)
            let decision = controller.poll(now: instant)
            switch consume decision {
            case .none:
                expect(due == nil, "\(due?.id ?? 0) should have expired")
                expect(model.queue.isEmpty || !anyCanGrant(), "the queue was forgotten")
                return
            case .some(.reject(let id, let rejection)):
                expect(due?.id == id.rawValue && due?.reason == rejection.reason, "\(id) expired")
                expect(model.leaveQueue(stay: due?.sequence ?? 0), "\(id) was not in the queue")
                rejected(id.rawValue, rejection, .expired)
            case .some(.forward(let id, let permit)):
                expect(due == nil, "\(id) was started before another one expired")
                let head = model.queue.first
                expect(head?.id == id.rawValue, "\(id) was not at the head")
                expect(model.leaveQueue(stay: head?.sequence ?? 0), "\(id) was not in the queue")
                started(id.rawValue, permit, .startedFromQueue)
            }
        }
    }
}

// MARK: - What follows from an answer

extension RandomWalk {
    private mutating func started(_ id: UInt64, _ permit: consuming Permit, _ event: Event) {
        let index = permit.backend.index
        let count = permit.inFlight
        expect(permit.grantedAt == instant, "\(id) was granted at another time")
        let status = status(index)
        if let status {
            // `status` is from after the grant, the model from before it.
            expect(model.canGrant(index, status), "\(id) went to a backend without room")
            expect(count <= status.limit, "\(count) in flight, limit \(status.limit)")
            if status.consecutiveFailures > 0 {
                model.trial[index] = id
                events[Event.trial.rawValue] += 1
            }
        }
        expect(status != nil, "\(id) went to a backend that is not there")
        model.inFlight[index, default: 0] += 1
        expect(count == model.inFlight[index], "in flight by permit: \(count)")
        expect(model.places[Int(id)] != .gone, "\(id) left twice")
        model.places[Int(id)] = .running
        running.append((id, PermitBox(permit), index, tickets[Int(id)]))
        note(event, id &* 31 &+ UInt64(index))
    }

    private mutating func parked(
        _ id: UInt64, _ handle: ParkedHandle, atHead: Bool, _ event: Event
    ) {
        let stay = model.park(id, tickets[Int(id)], now: now, atHead: atHead)
        handles.append((id, stay, handle))
        if handles.count > 64 { handles.removeFirst() }
        note(event, id)
    }

    private mutating func rejected(_ id: UInt64, _ rejection: Rejection, _ event: Event) {
        expect((1...60).contains(rejection.retryAfterSeconds), "\(rejection)")
        expect((1000...60_000).contains(rejection.retryAfterMilliseconds), "\(rejection)")
        expect(model.places[Int(id)] != .gone, "\(id) left twice")
        model.places[Int(id)] = .gone
        reasons.insert(rejection.reason)
        note(event, id &* 100_003 &+ UInt64(rejection.retryAfterMilliseconds))
    }

    private mutating func left(
        _ entry: (id: UInt64, box: PermitBox, backend: Int, ticket: Ticket)
    ) {
        model.inFlight[entry.backend, default: 0] -= 1
        if model.trial[entry.backend] == entry.id { model.trial[entry.backend] = nil }
    }

    /// The reason for which a request that cannot start may not wait either, by the documented
    /// rules.
    private mutating func whyNotPark(_ ticket: Ticket, queued: Int) -> Reason? {
        let queue = model.settings.queue
        let deadline = ticket.deadline?.nanoseconds ?? .max
        let longest = queue.maxRequests == 0 ? 0 : queue.maxWait.wholeNanoseconds
        let present = (0..<controller.backendPlaces).compactMap { status($0) }
            .filter(\.isPresent)
        if !present.contains(where: \.isUsable) {
            let back = present.compactMap { $0.unusableUntil?.nanoseconds }.min() ?? .max
            if back > min(now + longest, deadline) { return .noBackend }
        }
        if queued >= queue.maxRequests { return .queueFull }
        let bytes = model.queueBytes + ticket.bodyBytes
        if bytes > queue.maxBytes { return .queueBytesFull }
        if longest == 0 { return .waitTooLong }
        guard let rate = controller.drainRate else { return nil }
        let wait = Double(queued + 1) / rate * 1e9
        if wait > Double(longest) { return .waitTooLong }
        return wait > Double(deadline - now) ? .deadline : nil
    }
}

// MARK: - Checks and chance

extension RandomWalk {
    private mutating func check() {
        expect(controller.queueLength == model.queue.count, "queue length")
        expect(controller.queueBytes == model.queueBytes, "queue bytes")
        expect(controller.inFlight == running.count, "in flight")
        if let next = controller.nextDeadline {
            let expiry = model.queue.map(\.expiresAt).min() ?? .min
            expect(next.nanoseconds <= expiry, "a deadline after the first expiry")
        } else {
            expect(model.queue.isEmpty, "the parked have no deadline")
        }
        guard steps % 16 == 0 else { return }
        var sum = 0
        for index in 0..<controller.backendPlaces {
            let count = status(index)?.inFlight ?? 0
            sum += count
            expect(count == model.inFlight[index, default: 0], "in flight at \(index)")
        }
        expect(sum == running.count, "permits are not conserved")
        expect(sum == model.totalInFlight, "permits are not conserved in the model")
    }

    private mutating func expect(_ holds: Bool, _ promise: @autoclosure () -> String) {
        if !holds, failure == nil { failure = "\(promise()) (at \(now) ns)" }
    }

    private mutating func note(_ event: Event, _ value: UInt64) {
        events[event.rawValue] += 1
        trace = (trace ^ value ^ UInt64(event.rawValue) << 56) &* 0x100_0000_01B3
    }

    private func status(_ index: Int) -> BackendStatus? {
        controller.backend(BackendID(index: index), now: instant)
    }

    private func anyCanGrant() -> Bool {
        (0..<controller.backendPlaces).contains { index in
            if let status = status(index) { model.canGrant(index, status) } else { false }
        }
    }

    private mutating func randomTicket() -> Ticket {
        let bytes = random.next(below: 100)
        guard random.next(below: 3) == 0 else { return Ticket(bodyBytes: bytes) }
        let left = Int64(random.next(below: 3_000_000_000)) - 100_000_000
        return Ticket(bodyBytes: bytes, deadline: Instant(nanoseconds: now + left))
    }

    private static func randomSettings(_ random: inout SplitMix64) -> AdmissionSettings {
        var settings = AdmissionSettings()
        switch random.next(below: 3) {
        case 0:
            let limit = 1 + random.next(below: 6)
            settings.limit = .fixed(FixedLimitSettings(limit: limit))
        case 1:
            var aimd = AIMDLimitSettings()
            aimd.initial = 1 + random.next(below: 4)
            aimd.max = 8
            settings.limit = .aimd(aimd)
        default:
            var gradient = GradientLimitSettings()
            gradient.initial = 1 + random.next(below: 4)
            gradient.max = 8
            settings.limit = .gradient(gradient)
        }
        settings.queue.maxRequests = random.next(below: 10) == 0 ? 0 : 1 + random.next(below: 24)
        settings.queue.maxBytes = 200 + random.next(below: 1000)
        let wait = random.next(below: 12) == 0 ? 0 : 50 + random.next(below: 3000)
        settings.queue.maxWait = .milliseconds(wait)
        settings.ejection.base = .milliseconds(10 + random.next(below: 400))
        settings.ejection.max = .milliseconds(500 + random.next(below: 2000))
        return settings
    }

    private static func randomKeys(_ random: inout SplitMix64) -> [String] {
        let all = ["a", "b", "c", "d", "e"]
        var keys = all.filter { _ in random.next(below: 2) == 0 }
        if keys.isEmpty, random.next(below: 4) != 0 { keys = [all[random.next(below: 5)]] }
        return keys
    }
}
