// What an operator decides about backends: pinned limits, and who gets nothing new.

import Testing

@testable import Admission

@Suite struct BackendOverrideTests {
    private static var knee: AdmissionSettings {
        var settings = AdmissionSettings()
        settings.limit = .knee(KneeLimitSettings())
        return settings
    }

    private static func limits(_ controller: borrowing AdmissionController) -> [Int] {
        (0..<controller.backendSlots).compactMap {
            controller.backend(BackendID(index: $0), now: at(0))?.allowed
        }
    }

    @Test func aPinnedLimitHoldsAndGoesOnFromThere() throws {
        var controller = AdmissionController(settings: Self.knee, backends: ["a", "b"], seed: 1)
        var overrides = BackendOverrides()
        overrides.limit = 64
        overrides.limits["b"] = 7
        controller.override(overrides, now: at(1))
        #expect(Self.limits(controller) == [64, 7])
        // Other settings of the algorithm change nothing there.
        var settings = Self.knee
        settings.limit = .knee(KneeLimitSettings(initial: 9))
        controller.reconfigure(settings: settings, backends: ["a", "b"], now: at(2))
        #expect(Self.limits(controller) == [64, 7])
        // Who comes, and who comes back, has what is pinned.
        controller.replaceBackends(["a", "c"], now: at(3))
        controller.replaceBackends(["a", "b", "c"], now: at(4))
        let found = (controller.backendID(forKey: "b"), controller.backendID(forKey: "c"))
        let id = try #require(found.0)
        #expect(controller.backend(id, now: at(4))?.allowed == 7)
        let third = try #require(found.1)
        #expect(controller.backend(third, now: at(4))?.pinnedLimit == 64)
        controller.override(.none, now: at(5))
        // The third has the row of the second, which came back to another one.
        #expect(Self.limits(controller) == [64, 64, 7])
        #expect(controller.backend(id, now: at(5))?.pinnedLimit == nil)
        #expect(controller.backend(id, now: at(5))?.lastMove?.reason == .settings)
    }

    /// What is pinned does not move, however much is asked for and done; without it, the same requests move it.
    @Test(arguments: [true, false]) func whatIsPinnedDoesNotMove(isPinned: Bool) {
        let pool = PoolDriver(Self.knee)
        var overrides = BackendOverrides()
        overrides.limit = 3
        if isPinned { pool.controller.override(overrides, now: at(0)) }
        var moved = Set<Int>()
        for id in 1...4_000 as ClosedRange<UInt64> {
            if case .forwarded = pool.offer(id, at: at(Int64(id) * 10)) {}
            while pool.poll(at: at(Int64(id) * 10)) != nil {}
            // Twelve at a time would be room enough for all.
            if id > 12, pool.permits[id - 12] != nil {
                pool.complete(id - 12, at: at(Int64(id) * 10 + 1))
            }
            while pool.poll(at: at(Int64(id) * 10 + 1)) != nil {}
            moved.insert(Self.limits(pool.controller)[0])
        }
        #expect(isPinned ? moved == [3] : moved.count > 1, "\(moved)")
    }

    @Test func drainedMeansNothingNew() {
        let pool = PoolDriver(.fixed(4), backends: ["a", "b"])
        var overrides = BackendOverrides()
        overrides.drained = ["a"]
        pool.controller.override(overrides, now: at(0))
        for id in 1...4 as ClosedRange<UInt64> {
            #expect(pool.offer(id, at: at(0)) == .forwarded(1))
        }
        #expect(pool.offer(5, at: at(0)) == .parked)
        let heard = pool.controller.signals(of: BackendID(index: 0), now: at(0))
        #expect(heard.map(\.source) == [.control] && heard.map(\.signal.state) == [.drain])
        // It lasts for longer than what agents say, and over a reload.
        pool.reconfigure(.fixed(4), backends: ["a", "b"], at: at(2))
        #expect(pool.controller.signals(of: BackendID(index: 0), now: at(86_400_000)).count == 1)
        pool.controller.override(.none, now: at(3))
        #expect(pool.poll(at: at(3)) == .forwarded(5, 0))
    }
}

extension KneeLimitSettings {
    fileprivate init(initial: Int) {
        self.init()
        self.initial = initial
    }
}
