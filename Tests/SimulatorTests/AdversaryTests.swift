// The search for worst cases: what it draws is valid, the same seed finds the same, and it tells a good limit from a
// bad one.

import Admission
import Policy
import Testing

@testable import Simulator

@Suite struct AdversaryTests {
    @Test(arguments: [1, 2] as [UInt64])
    func whatIsDrawnAndChangedIsAScenario(seed: UInt64) throws {
        var chance = SplitMix64(seed: seed)
        for _ in 0..<200 {
            var challenge = Challenge.random(&chance)
            for _ in 0..<5 {
                let scenario = try ScenarioLoader.load(text: challenge.text, file: "seed \(seed)")
                #expect(scenario.capacity > 0 && !scenario.clients.isEmpty)
                challenge = challenge.changed(&chance)
            }
        }
    }

    @Test func theSameSeedDrawsTheSame() {
        func drawn(_ seed: UInt64) -> [String] {
            var chance = SplitMix64(seed: seed)
            return (0..<20).map { _ in
                let challenge = Challenge.random(&chance)
                return challenge.text + challenge.changed(&chance).text
            }
        }
        #expect(drawn(3) == drawn(3) && drawn(3) != drawn(4))
        #expect(Set(drawn(3)).count == 20)
    }

    /// Four slots and twice the load: one slot is a quarter of what can be done.
    @Test func aBadLimitIsToldFromAGoodOne() throws {
        let group = Challenge.Group(
            load: 2, units: 1, variation: 0.2, streams: false, patience: nil, isPatienceFixed: true,
            impatientShare: 1, retries: false, burst: 1, reading: 0)
        let challenge = Challenge(
            serviceSeconds: 1, places: 4, base: .infinity, backends: 1, continues: false,
            slowdown: 1, preemptsAbove: nil, failures: nil, groups: [group])
        let bad = LimitSettings(simulatorName: "fixed:1")
        let good = LimitSettings(simulatorName: "fixed:4")
        let low = try #require(Adversary.rate(challenge, bad, seed: 1))
        let high = try #require(Adversary.rate(challenge, good, seed: 1))
        #expect(low.ratio < 0.3 && high.ratio > 0.97)
    }
}
