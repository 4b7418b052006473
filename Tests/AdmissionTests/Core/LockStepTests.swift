// A server whose requests all end at the same instants, as those of a batch do: their slots are
// given away only after the last of them has ended.

import Testing

@testable import Admission

@Suite struct LockStepTests {
    /// The mean limit over the second half of a minute in front of a server that every 80 ms ends
    /// `slots` requests, at most all that it has, with more waiting than can ever start.
    private func meanLimit(slots: Int) -> Double {
        var settings = AdmissionSettings()
        settings.queue.maxRequests = 100_000
        settings.queue.maxWait = .seconds(3600)
        var controller = AdmissionController(settings: settings, backends: ["x"], seed: 5)
        var running: [PermitBox] = []
        var sum = 0.0
        var rounds = 0.0
        var next: UInt64 = 0
        for round in 0..<750 {
            let now = Instant(nanoseconds: Int64(round) * 80_000_000)
            for box in running.prefix(slots) {
                let permit = box.take()
                controller.complete(permit, .success, now: now)
            }
            running.removeFirst(min(slots, running.count))
            for _ in 0..<100 {
                next += 1
                switch controller.offer(RequestID(rawValue: next), Ticket(), now: now) {
                case .forward(let permit): running.append(PermitBox(permit))
                case .parked: break
                case .reject: break
                }
            }
            while let decision = controller.poll(now: now) {
                if case .forward(_, let permit) = consume decision {
                    running.append(PermitBox(permit))
                }
            }
            guard round >= 375 else { continue }
            sum += Double(controller.limit)
            rounds += 1
        }
        for box in running {
            let permit = box.take()
            controller.complete(
                permit, .failed(.request), now: Instant(nanoseconds: 61_000_000_000))
        }
        return sum / rounds
    }

    @Test(arguments: [4, 16, 64])
    func theKneeIsFound(slots: Int) {
        let limit = meanLimit(slots: slots)
        #expect((0.9...1.6).contains(limit / Double(slots)), "\(limit) for \(slots)")
    }
}
