// What must hold after every step of a random walk, and what the walk leaves to chance.

@testable import Admission

// MARK: - What a decision must be

extension RandomWalk {
    /// Whether a request waits that has to be served before a new one of that ticket, if both may
    /// be started: of its class or a higher one, of a tenant that may start one.
    func someoneComesBefore(_ ticket: Ticket) -> Bool {
        var queue = controller.queue
        let rank = queue.flowKey(of: ticket).rank
        if queue.hand >= 0, queue.handPasses >= FairQueue.passesOfWide { return true }
        return queue.slots.contains { slot in
            guard !queue.tenants[slot.tenant].isAtLimit else { return false }
            switch slot.stage {
            case .returned: return true
            case .inFlow: return queue.classes[Int(slot.row)].rank <= rank
            case .none, .inHand, .displaced: return false
            }
        }
    }

    mutating func checkRefusal(
        _ id: UInt64, _ ticket: Ticket, _ reason: Reason, couldStart: Bool
    ) {
        let isTooLate = (ticket.respondBy?.nanoseconds ?? .max) <= now
        var seen = controller.queue
        let slot = seen.flowKey(of: ticket)
        let tenant = controller.queue.tenants[slot.tenant]
        let queue = model.settings.queue
        let holds =
            switch reason {
            case .deadline: ticket.respondBy != nil
            case .queueFull: model.queue.count - pendingDisplaced >= queue.maxRequests
            case .queueBytesFull: controller.queueBytes + ticket.bodyBytes > queue.maxBytes
            case .waitTooLong, .tenantOverShare, .patience: true
            case .tenantLimit:
                tenant.queued >= tenant.settings.maxQueued ?? .max
                    || tenant.running >= tenant.settings.maxInFlight ?? .max
            case .tenantRequestRate: quota(of: ticket)?.requests.secondsUntil(1) ?? 0 > 0
            case .tenantTokenRate:
                quota(of: ticket)?.tokens.secondsUntil(Double(ticket.tokens)) ?? 0 > 0
            case .retryShed: ticket.isRetry && tenant.demand.isExcessive
            case .noBackend: !controller.hasUsableBackend(now: instant)
            default: false
            }
        expect(holds, "\(id) was refused: \(reason)")
        if model.settings.mode == .observe {
            expect(isTooLate || reason == .noBackend, "\(id) was refused by an observer: \(reason)")
        } else if couldStart, !isTooLate, controller.queue.ranks.count == 1 {
            let isOverRate = reason == .tenantRequestRate || reason == .tenantTokenRate
            expect(
                tenant.isAtLimit || isOverRate,
                "\(id) was refused though there was room: \(reason)")
        }
    }

    private func quota(of ticket: Ticket) -> QuotaTable.Row? {
        quotas.row(of: Payer(ticket.tenant, in: model.settings)).map { quotas.rows[Int($0)] }
    }

    private var pendingDisplaced: Int { controller.queue.displacedCount }

    mutating func checkExpiry(_ waiting: ReferencePool.Waiting, _ reason: Reason) {
        switch reason {
        case .queueTimeout, .tenantLimit:
            expect(waiting.waitEnd <= now, "\(waiting.id) expired early")
        case .patience:
            break
        case .deadline:
            expect(waiting.ticket.respondBy != nil, "\(waiting.id) has no deadline")
        case .displaced:
            expect(displacements > 0, "\(waiting.id) was displaced by nobody")
            displacements -= 1
        default:
            expect(false, "\(waiting.id) was refused from the queue: \(reason)")
        }
    }

    /// The oldest waiting request of each flow that is served in the order of arrival.
    func oldestOfFlows() -> [Int: Int] {
        var oldest: [Int: Int] = [:]
        for waiting in model.queue where !waiting.isReturned {
            let key = waiting.row << 32 | Int(waiting.tenant)
            oldest[key] = min(oldest[key] ?? waiting.stay, waiting.stay)
        }
        return oldest
    }

    /// A tenant's requests are started in the order of their arrival, a wide one that was passed
    /// left out.
    mutating func checkOrder(_ waiting: ReferencePool.Waiting, _ oldest: [Int: Int]) {
        guard !waiting.isReturned, let first = oldest[waiting.row << 32 | Int(waiting.tenant)]
        else { return }
        let hasWide =
            waiting.ticket.seats > 1 || model.queue.contains { $0.ticket.seats > 1 }
        expect(waiting.stay == first || hasWide, "\(waiting.id) passed an older one")
    }

    /// No tenant has more in flight than it may.
    mutating func checkBound(of id: UInt64, seats: Int) {
        guard model.settings.mode == .enforce else { return }
        for row in controller.queue.tenants.rows {
            // A bound that a reload has lowered is reached by waiting.
            guard let most = row.settings.maxInFlight, hasKeptBounds else { continue }
            expect(row.running <= most, "\(id): \(row.running) in flight of \(most)")
        }
    }

    /// After a poll that decided nothing, nobody waits who would have to leave or could start.
    mutating func checkNobodyForgotten() {
        for waiting in model.queue {
            expect(!model.mustLeave(waiting, now: now), "\(waiting.id) should have left")
        }
        let queue = controller.queue
        let isWideFirst = queue.slots.contains { $0.stage == .returned && $0.seats > 1 }
        guard queue.hand < 0, queue.ranks.count == 1, !isWideFirst else { return }
        let hasRoom = anyCanGrant(seats: 1)
        for slot in queue.slots where slot.stage == .inFlow || slot.stage == .returned {
            let isHeld = queue.tenants[slot.tenant].isAtLimit
            let fits = slot.seats == 1 && hasRoom
            expect(isHeld || !fits, "\(slot.id.rawValue) was forgotten")
        }
    }
}

// MARK: - What must hold at all times

extension RandomWalk {
    mutating func check() {
        if model.running.isEmpty { hasKeptBounds = true }
        let pending = controller.queue.displacedCount
        expect(controller.queueLength + pending == model.queue.count, "queue length")
        expect(controller.inFlight == model.running.reduce(0) { $0 + $1.seats }, "in flight")
        if let next = controller.nextDeadline {
            let expiry = model.queue.map(\.waitEnd).min() ?? .max
            expect(next.nanoseconds <= max(now, expiry), "a deadline after the first expiry")
        } else {
            expect(model.queue.isEmpty, "the parked have no deadline")
        }
        guard steps % 16 == 0 else { return }
        for index in 0..<controller.backendSlots {
            expect(
                status(index)?.inFlight ?? 0 == model.inFlight(index), "in flight at \(index)")
        }
        checkSums()
        checkFlows()
    }

    /// Every sum that the queue keeps is the sum of what it stands for.
    private mutating func checkSums() {
        let queue = controller.queue
        let waiting = queue.slots.filter { $0.stage != .none && $0.stage != .displaced }
        expect(waiting.reduce(0) { $0 + $1.bodyBytes } == queue.bytes, "bytes")
        expect(waiting.count == queue.count, "count")
        let claims = waiting.filter { !$0.isSlack }
        expect(claims.isEmpty == queue.isUnclaimed, "whether somebody waits")
        expect(claims.reduce(0) { $0 + Int($1.seats) } == queue.places.all, "places")
        let again = claims.reduce(0) { $0 + ($1.isRetry ? Int($1.seats) : 0) }
        expect(again == queue.places.again, "places of further tries")
        let uncounted = controller.demand.uncounted
        expect(uncounted >= 0 && uncounted <= controller.totalInFlight, "uncounted")
        let seats = model.running.reduce(0) { $0 + $1.seats }
        expect(queue.tenants.rows.reduce(0) { $0 + $1.seats } == seats, "seats by tenant")
        expect(queue.classes.reduce(0) { $0 + $1.seats } == seats, "seats by class")
        expect(
            queue.tenants.rows.reduce(0) { $0 + $1.running } == model.running.count,
            "permits by tenant")
        for (row, tenant) in queue.tenants.rows.enumerated() {
            let own = waiting.filter { $0.tenant == Int32(row) }
            expect(own.count == tenant.queued, "queued of tenant \(row)")
            expect(own.count { $0.isSlack } == tenant.slack.queued, "slack of tenant \(row)")
            expect(
                tenant.slack.running >= 0 && tenant.slack.running <= tenant.running
                    && tenant.slack.seats <= tenant.seats,
                "running slack of tenant \(row): \(tenant.slack) of \(tenant.running), \(tenant.seats)"
            )
        }
        let active = queue.tenants.rows.reduce(0) { $0 + ($1.isActive ? $1.settings.weight : 0) }
        expect(abs(active - queue.tenants.activeWeight) < 1e-6, "active weight")
        expect(controller.withheldInFlight >= 0 && controller.withheldInFlight <= seats, "withheld")
    }

    /// Tags, heaps and virtual time.
    private mutating func checkFlows() {
        let queue = controller.queue
        while virtualTimes.count < queue.classes.count { virtualTimes.append(0) }
        for (row, each) in queue.classes.enumerated() {
            expect(each.virtualTime >= virtualTimes[row], "virtual time went back")
            virtualTimes[row] = each.virtualTime
            for (index, node) in each.heap.nodes.enumerated() {
                let flow = queue.flows[node.tenant, row]
                expect(Int(flow.heapIndex) == index, "a flow's index")
                expect(
                    node.start == flow.start && node.sequence == flow.sequence,
                    "what the heap is ordered by")
                expect(flow.count > 0, "an empty flow is in the heap")
                expect(flow.floor <= each.virtualTime, "a flow began to wait in the future")
                expect(flow.start >= flow.floor, "a start tag before the flow began to wait")
                guard index > 0 else { continue }
                expect(!(node < each.heap.nodes[(index - 1) / 2]), "heap order")
            }
            for (tenant, settings) in queue.tenants.rows.enumerated() {
                let flow = queue.flows[Int32(tenant), row]
                let mayRun = flow.count > 0 && !settings.isAtLimit
                expect((flow.heapIndex >= 0) == mayRun, "flow \(tenant) is held or idle")
            }
        }
    }
}

// MARK: - Chance

extension RandomWalk {
    mutating func randomTicket() -> Ticket {
        var ticket = Ticket(bodyBytes: random.next(below: 100))
        if random.next(below: 3) == 0 {
            let left = Int64(random.next(below: 3_000_000_000)) - 100_000_000
            ticket.respondBy = Instant(nanoseconds: now + left)
        }
        switch random.next(below: 3) {
        case 0: ticket.tenant = .named(["red", "green", "blue", "grey"][random.next(below: 4)])
        case 1: ticket.tenant = .hashed(UInt64(random.next(below: 6)) &* 0x9E37_79B9_7F4A_7C15)
        default: break
        }
        ticket.priorityClass = random.next(below: 4)
        ticket.cost = Double(1 + random.next(below: 40)) / 10
        ticket.tokens = random.next(below: 3) == 0 ? 0 : random.next(below: 2_000)
        ticket.isRetry = random.next(below: 3) == 0
        if random.next(below: 12) == 0 { ticket.seats = 1 + random.next(below: 5) }
        return ticket
    }

    static func randomSettings(_ random: inout SplitMix64) -> AdmissionSettings {
        var settings = AdmissionSettings()
        switch random.next(below: 4) {
        case 0, 1:
            let limit = 1 + random.next(below: 6)
            settings.limit = .fixed(FixedLimitSettings(limit: limit))
        case 2:
            var aimd = AIMDLimitSettings()
            aimd.initial = 3
            aimd.max = 8
            settings.limit = .aimd(aimd)
        default:
            var knee = KneeLimitSettings()
            knee.max = 12
            settings.limit = .knee(knee)
        }
        settings.mode = random.next(below: 8) == 0 ? .observe : .enforce
        settings.queue.maxRequests = random.next(below: 12) == 0 ? 0 : random.next(below: 24)
        settings.queue.maxBytes = 200 + random.next(below: 1000)
        let wait = random.next(below: 12) == 0 ? 0 : 50 + random.next(below: 3000)
        settings.queue.maxWait = .milliseconds(wait)
        settings.queue.coldWait = random.next(below: 2) == 0 ? .zero : .seconds(5)
        settings.queue.overflow = OverflowRule.allCases[random.next(below: 3)]
        settings.sharing = SharingMeasure.allCases[random.next(below: 3)]
        settings.queue.starvationBound = 2 + random.next(below: 6)
        settings.queue.hashedFlows = 1 + random.next(below: 5)
        settings.ejection.base = .milliseconds(10 + random.next(below: 400))
        settings.ejection.max = .milliseconds(500 + random.next(below: 2000))
        settings.classes = ["high", "middle", "low"].prefix(1 + random.next(below: 3)).map {
            PriorityClassSettings(name: $0)
        }
        for index in settings.classes.indices.dropFirst() {
            settings.classes[index].ceiling = 1 - 0.2 * Double(index)
        }
        if settings.classes.count > 1, random.next(below: 3) == 0 {
            settings.classes[settings.classes.count - 1].isSlack = true
        }
        for name in ["red", "green", "blue"] where random.next(below: 3) != 0 {
            settings.tenants.append(randomTenant(name, &random))
        }
        settings.otherTenants = randomTenant("", &random)
        return settings
    }

    private static func randomTenant(
        _ name: String, _ random: inout SplitMix64
    ) -> TenantSettings {
        var tenant = TenantSettings(name: name)
        tenant.weight = [0.5, 1, 3][random.next(below: 3)]
        tenant.highestClass = random.next(below: 4) == 0 ? 1 : 0
        if random.next(below: 4) == 0 { tenant.maxInFlight = 1 + random.next(below: 3) }
        if random.next(below: 4) == 0 { tenant.maxQueued = random.next(below: 5) }
        if random.next(below: 4) == 0 {
            tenant.requestsPerMinute = 1 + random.next(below: 60)
        }
        if random.next(below: 4) == 0 {
            tenant.tokensPerMinute = 1 + random.next(below: 20_000)
        }
        return tenant
    }

    static func randomKeys(_ random: inout SplitMix64) -> [String] {
        let all = ["a", "b", "c", "d", "e"]
        var keys = all.filter { _ in random.next(below: 2) == 0 }
        if keys.isEmpty, random.next(below: 4) != 0 { keys = [all[random.next(below: 5)]] }
        return keys
    }
}
