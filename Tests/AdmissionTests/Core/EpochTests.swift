// The wall clock, as gateways that share backends are told of it.

import Testing

@testable import Admission

@Suite struct EpochTests {
    @Test func theEpochIsTakenOver() {
        var knee = KneeLimitSettings()
        knee.replicas = 2
        var settings = AdmissionSettings()
        settings.limit = .knee(knee)
        var controller = AdmissionController(settings: settings, backends: ["a", "b"], seed: 1)
        controller.setEpoch(nanoseconds: 12_345)
        knee.epochNanoseconds = 12_345
        #expect(controller.settings.limit == .knee(knee))
    }

    /// Another limit has no use for it.
    @Test func otherLimitsStayAsTheyAre() {
        var settings = AdmissionSettings()
        settings.limit = .fixed(FixedLimitSettings(limit: 3))
        var controller = AdmissionController(settings: settings, backends: ["a"], seed: 1)
        controller.setEpoch(nanoseconds: 12_345)
        #expect(controller.settings.limit == settings.limit)
    }
}
