// Gateways that share backends measure by the wall clock, which may be set while they run.

import Admission
import Policy
import Synchronization
import Testing

@testable import Gateway
@testable import TestSupport

@Suite struct WallClockTests {
    private final class Wall: Sendable {
        private let offset = Atomic<Int64>(1_000)
        private let asked = Atomic<Int>(0)

        var looks: Int { asked.load(ordering: .relaxed) }

        func set(_ nanoseconds: Int64) { offset.store(nanoseconds, ordering: .relaxed) }

        func read() -> Int64 {
            asked.add(1, ordering: .relaxed)
            return offset.load(ordering: .relaxed)
        }
    }

    private func admission(replicas: Int, _ wall: Wall) throws -> SharedAdmission {
        let policy = try PolicyLoader.load(
            text: policyText(
                ["http://127.0.0.1:9"], pool: "limit: {algorithm: knee, replicas: \(replicas)}"),
            file: "policy.yaml")
        return SharedAdmission(policy.pools[0], hashKey: .random(), seed: 1) { wall.read() }
    }

    private func poll(_ admission: SharedAdmission, atSecond second: Int64) {
        var deadline = Instant.distantFuture
        let now = Instant(nanoseconds: second * 1_000_000_000)
        let isDecision = admission.poll(by: 0, now: now, deadline: &deadline) != nil
        if isDecision { Issue.record("nothing waits") }
    }

    @Test func aClockThatIsSetLaterIsFollowed() throws {
        let wall = Wall()
        let admission = try admission(replicas: 2, wall)
        #expect(admission.epochNanoseconds == 1_000)
        poll(admission, atSecond: 100)
        // NTP sets the clock after the start.
        wall.set(1_700_000_000_000_000_000)
        poll(admission, atSecond: 101)
        #expect(admission.epochNanoseconds == 1_000)
        poll(admission, atSecond: 105)
        #expect(admission.epochNanoseconds == 1_700_000_000_000_000_000)
        // A clock that is steered moves by less than matters.
        wall.set(1_700_000_000_000_900_000)
        poll(admission, atSecond: 200)
        #expect(admission.epochNanoseconds == 1_700_000_000_000_000_000)
    }

    @Test func nobodyLooksWhoDoesNotShare() throws {
        let wall = Wall()
        let admission = try admission(replicas: 1, wall)
        let looks = wall.looks
        for second in Int64(0)..<100 { poll(admission, atSecond: 100 * second) }
        #expect(wall.looks == looks)
    }
}
