// Limits that an earlier process found: what is begun with, and what is told of those that were found.

import Testing

@testable import Admission

@Suite struct RememberedLimitTests {
    private static func controller(_ limits: [String: Double]) -> AdmissionController {
        var settings = AdmissionSettings()
        settings.limit = .knee(KneeLimitSettings())
        return AdmissionController(
            settings: settings, backends: ["a", "b"], remembered: limits, seed: 1)
    }

    private static func limits(_ controller: borrowing AdmissionController) -> [Int?] {
        (0..<controller.backendSlots).map {
            controller.backend(BackendID(index: $0), now: at(0))?.limit
        }
    }

    @Test func aQuarterIsBegunWith() {
        var controller = Self.controller(["a": 200, "c": 80, "nobody": 7])
        #expect(Self.limits(controller) == [50, KneeLimitSettings().initial])
        // Who comes later finds its own, too, and only once.
        controller.replaceBackends(["a", "b", "c"], now: at(1))
        #expect(Self.limits(controller) == [50, KneeLimitSettings().initial, 20])
        #expect(Array(controller.remembered.keys) == ["nobody"])
    }

    /// What another process has in force is begun with as a whole, and levels are compared around it.
    @Test func allOfWhatIsInForceIsBegunWith() {
        var settings = AdmissionSettings()
        settings.limit = .knee(KneeLimitSettings())
        let controller = AdmissionController(
            settings: settings, backends: ["a", "b"], remembered: ["a": 200, "b": 80],
            inForce: ["a"], seed: 1)
        let limits = Self.limits(controller).map { $0 ?? 0 }
        #expect((150...250).contains(limits[0]) && limits[1] == 20)
        #expect(controller.inForce.isEmpty && controller.foundLimits.isEmpty)
        var knee = KneeLimit(KneeLimitSettings(), seed: 1, now: at(0))
        _ = knee.begin(takingOver: 200, now: at(0))
        #expect(knee.center == 200 && knee.phase == .compare)
        // It goes on to the next process before it was found here.
        #expect(knee.inForce == 200 && controller.limitsInForce == ["a": 200])
    }

    /// A limit on its way up is nobody's, unless it can go no further.
    @Test func aLimitOnItsWayIsNotHandedOn() {
        var knee = KneeLimit(KneeLimitSettings(), seed: 1, now: at(0))
        #expect(knee.inForce == nil)
        _ = knee.begin(remembering: 200, now: at(0))
        #expect(knee.inForce == nil)
        knee.level = Double(knee.settings.max)
        #expect(knee.inForce == Double(knee.settings.max))
        knee.phase = .approach
        #expect(knee.inForce == nil)
    }

    /// What was only begun with is not told as found.
    @Test func onlyWhatWasMeasuredIsTold() {
        let controller = Self.controller(["a": 200])
        #expect(controller.foundLimits.isEmpty)
        var knee = KneeLimit(KneeLimitSettings(), seed: 1, now: at(0))
        #expect(knee.found == nil)
        knee.phase = .settled
        #expect(knee.found == nil)
        knee.elasticity = 0.1
        knee.center = 57.25
        #expect(knee.found == 57.25)
    }

    /// Limits with other algorithms are the policy's business.
    @Test func aFixedLimitRemembersNothing() {
        var settings = AdmissionSettings()
        settings.limit = .fixed(FixedLimitSettings(limit: 8))
        let controller = AdmissionController(
            settings: settings, backends: ["a"], remembered: ["a": 200], seed: 1)
        #expect(Self.limits(controller) == [8])
    }
}
