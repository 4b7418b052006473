// A small virtual world for closing the loop: clients that always have a request ready, and
// backends with a fixed number of slots in front of a line of their own.

import Admission

/// A backend that works on `slots` requests at once, each for about `serviceMilliseconds`.
struct FixedSlotServer {
    var slots: Int
    var serviceMilliseconds: Double
    private var freeAt: [Int64] = []

    init(slots: Int, serviceMilliseconds: Double) {
        self.slots = slots
        self.serviceMilliseconds = serviceMilliseconds
    }

    /// When a request that arrives now will be answered; `share` in 0..<1 spreads service by ±20 %.
    mutating func finish(arrival: Int64, share: Double) -> Int64 {
        freeAt = freeAt.filter { $0 > arrival }
        var start = arrival
        if freeAt.count >= slots {
            freeAt.sort()
            start = freeAt[freeAt.count - slots]
        }
        let service = serviceMilliseconds * (0.8 + 0.4 * share)
        let end = start + Int64(service * 1e6)
        freeAt.append(end)
        return end
    }
}

/// `clients` closed-loop clients in front of one controller with one server.
final class ClosedLoop {
    private var controller: AdmissionController
    var server: FixedSlotServer
    private let clients: Int
    private var random: any RandomNumberGenerator
    private var running: [(end: Int64, box: PermitBox)] = []
    private var waiting = 0
    private var nextID: UInt64 = 0
    private(set) var now: Int64 = 0
    private(set) var completions = 0

    init(
        _ settings: AdmissionSettings, server: FixedSlotServer, clients: Int,
        random: any RandomNumberGenerator
    ) {
        controller = AdmissionController(settings: settings, backends: ["a"], seed: 1)
        self.server = server
        self.clients = clients
        self.random = random
    }

    deinit {
        let end = Instant(nanoseconds: now)
        for (_, box) in running { controller.complete(box.take(), .failed(.request), now: end) }
    }

    /// The limit with its fraction.
    var limit: Double {
        controller.backend(BackendID(index: 0), now: Instant(nanoseconds: now))?.limitExact ?? 0
    }

    func moves(_ reason: LimitMoveReason) -> Int { controller.limitMoves(reason) }

    /// Runs for that many virtual seconds; `onSecond` sees the limit after each of them.
    func run(seconds: Int, onSecond: (Double) -> Void = { _ in }) {
        for _ in 0..<seconds {
            let end = now + 1_000_000_000
            runUntil(end)
            now = end
            onSecond(limit)
        }
    }

    private func runUntil(_ end: Int64) {
        refill()
        while let first = running.first, first.end <= end {
            running.removeFirst()
            now = first.end
            controller.complete(first.box.take(), .success, now: Instant(nanoseconds: now))
            completions += 1
            while let decision = controller.poll(now: Instant(nanoseconds: now)) {
                switch consume decision {
                case .forward(_, let permit):
                    waiting -= 1
                    start(permit)
                case .reject:
                    waiting -= 1
                }
            }
            refill()
        }
    }

    private func refill() {
        while running.count + waiting < clients {
            nextID += 1
            let instant = Instant(nanoseconds: now)
            switch controller.offer(RequestID(rawValue: nextID), Ticket(), now: instant) {
            case .forward(let permit): start(permit)
            case .parked: waiting += 1
            case .reject: return
            }
        }
    }

    private func start(_ permit: consuming Permit) {
        let share = Double.random(in: 0..<1, using: &random)
        let end = server.finish(arrival: now, share: share)
        let place = running.firstIndex { $0.end > end } ?? running.endIndex
        running.insert((end, PermitBox(permit)), at: place)
    }
}
