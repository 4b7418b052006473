import Testing

@testable import Admission

@Suite struct ClosedLoopTests {
    private func loop(
        slots: Int, milliseconds: Double, clients: Int, initial: Int = 20,
        algorithm: (Int) -> LimitSettings
    ) -> ClosedLoop {
        var settings = AdmissionSettings()
        settings.limit = algorithm(initial)
        return ClosedLoop(
            settings, server: FixedSlotServer(slots: slots, serviceMilliseconds: milliseconds),
            clients: clients, random: SplitMix64(seed: 42))
    }

    private func gradient(_ initial: Int) -> LimitSettings {
        var settings = GradientLimitSettings()
        settings.initial = initial
        return .gradient(settings)
    }

    private func aimd(_ initial: Int) -> LimitSettings {
        var settings = AIMDLimitSettings()
        settings.initial = initial
        return .aimd(settings)
    }

    /// The tolerance of 1.5 allows half as many again to queue at the backend; growth by 0.8 a
    /// window overshoots that by a few.
    @Test(arguments: [8, 24, 40])
    func gradientFindsTheSlotsOfAServer(slots: Int) {
        let loop = loop(
            slots: slots, milliseconds: 100, clients: 150, initial: 8, algorithm: gradient)
        loop.run(seconds: 60)
        var limits: [Double] = []
        loop.run(seconds: 60) { limits.append($0) }
        let lowest = limits.min() ?? 0
        let highest = limits.max() ?? 0
        #expect(lowest >= Double(slots), "\(lowest)...\(highest)")
        #expect(highest <= 1.5 * Double(slots) + 3, "\(lowest)...\(highest)")
    }

    /// Half an hour of overload: what is usual must not follow the latency that the limit itself
    /// makes.
    @Test func gradientDoesNotDriftUnderLastingOverload() {
        let loop = loop(
            slots: 4, milliseconds: 100, clients: 100, initial: 4, algorithm: gradient)
        var highest = 0.0
        loop.run(seconds: 1800) { highest = max(highest, $0) }
        #expect(highest <= 9, "\(highest)")
    }

    @Test func gradientIsPreservedWhileItDoesNotBind() {
        let loop = loop(slots: 32, milliseconds: 50, clients: 12, algorithm: gradient)
        loop.run(seconds: 120)
        #expect(loop.limit == 20)
        #expect(LimitMoveReason.allCases.allSatisfy { loop.moves($0) == 0 })
    }

    /// Every request takes three times as long from now on: fewer at once would not make it faster.
    @Test func gradientRecoversFromASlowerBackend() {
        let loop = loop(slots: 16, milliseconds: 50, clients: 100, initial: 8, algorithm: gradient)
        loop.run(seconds: 60)
        loop.server.serviceMilliseconds = 150
        loop.run(seconds: 120)
        let before = loop.completions
        loop.run(seconds: 60)
        // At least 0.95 of what 16 slots do in a minute at 150 ms.
        #expect(loop.completions - before >= 6080, "limit \(loop.limit)")
        #expect(loop.limit <= 1.5 * 16 + 3)
    }

    @Test func aimdStaysBelowItsTimeoutAndItsMaximum() {
        let loop = loop(slots: 8, milliseconds: 500, clients: 250, algorithm: aimd)
        loop.run(seconds: 60)
        var limits: [Double] = []
        loop.run(seconds: 240) { limits.append($0) }
        // Five seconds of latency are 80 requests for 8 slots of half a second.
        let highest = limits.max() ?? 0
        #expect(limits.min() ?? 0 >= 30, "\(limits)")
        #expect(highest <= 110, "\(highest)")
        #expect(loop.moves(.timeout) > 0)
    }
}
