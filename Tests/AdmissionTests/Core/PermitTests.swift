import Admission
import Testing

@Suite struct PermitTests {
    @Test func aLostPermitEndsTheProcess() async {
        await #expect(processExitsWith: .failure) {
            var controller = AdmissionController(
                settings: AdmissionSettings(), backends: ["a"], seed: 1)
            _ = controller.offer(
                RequestID(rawValue: 1), Ticket(), now: Instant(nanoseconds: 0))
        }
    }

    @Test func aSpentPermitDoesNot() async {
        await #expect(processExitsWith: .success) {
            var controller = AdmissionController(
                settings: AdmissionSettings(), backends: ["a"], seed: 1)
            let now = Instant(nanoseconds: 0)
            switch controller.offer(RequestID(rawValue: 1), Ticket(), now: now) {
            case .forward(let permit): controller.complete(permit, .success, now: now)
            case .reject: fatalError("an idle pool forwards")
            case .parked: fatalError("an idle pool forwards")
            }
        }
    }

    @Test func aPermitOfAnotherControllerEndsTheProcess() async {
        await #expect(processExitsWith: .failure) {
            var one = AdmissionController(settings: AdmissionSettings(), backends: ["a"], seed: 1)
            var other = AdmissionController(
                settings: AdmissionSettings(), backends: ["a"], seed: 1)
            let now = Instant(nanoseconds: 0)
            switch one.offer(RequestID(rawValue: 1), Ticket(), now: now) {
            case .forward(let permit): other.complete(permit, .success, now: now)
            case .reject: break
            case .parked: break
            }
        }
    }

    @Test func itNamesItsBackendAndCountsItself() {
        let pool = PoolDriver(.fixed(3))
        #expect(pool.offer(1, at: at(0)) == .forwarded(0))
        #expect(pool.lastInFlight == 1)
        #expect(pool.offer(2, at: at(0)) == .forwarded(0))
        #expect(pool.lastInFlight == 2)
        pool.complete(1, at: at(5))
        #expect(pool.offer(3, at: at(5)) == .forwarded(0))
        #expect(pool.lastInFlight == 2)
    }
}
