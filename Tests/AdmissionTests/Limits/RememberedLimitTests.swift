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
