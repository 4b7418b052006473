import Foundation
import Testing

@testable import Admission

/// Every call in every order: the promises hold all the time, and the same seed gives the same
/// decisions.
@Suite struct InterleavingTests {
    /// One under a sanitizer, which takes minutes for each and has a single thread to look at.
    static let seeds: ClosedRange<UInt64> =
        ProcessInfo.processInfo.environment["PENSTOCK_SANITIZER"] == nil ? 1...5 : 1...1

    @Test(arguments: seeds)
    func thePromisesHold(seed: UInt64) {
        var walk = RandomWalk(seed: seed)
        for _ in 0..<100_000 where walk.failure == nil { walk.step() }
        walk.finish()
        #expect(walk.failure == nil, "seed \(seed), step \(walk.steps)")
        // The walk has been everywhere it is meant to go.
        for event in RandomWalk.Event.allCases {
            #expect(walk.events[event.rawValue] >= 10, "\(event), seed \(seed)")
        }
        let reasons: Set<Reason> = [
            .queueFull, .queueBytesFull, .waitTooLong, .queueTimeout, .deadline, .noBackend,
            .connectFailed, .tenantOverShare, .tenantLimit, .displaced, .patience,
        ]
        #expect(walk.reasons.isSuperset(of: reasons), "seed \(seed)")
        // Which tenants have quotas is left to chance, and may be none for long.
        let others: Set<Reason> = [.tenantRequestRate, .tenantTokenRate, .retryShed]
        #expect(walk.reasons.subtracting(reasons).isSubset(of: others), "seed \(seed)")
        #expect(!walk.reasons.isDisjoint(with: others), "seed \(seed)")
    }

    @Test func theSameSeedGivesTheSameDecisions() {
        var traces: [UInt64] = []
        for seed in [77, 77, 78] as [UInt64] {
            var walk = RandomWalk(seed: seed)
            for _ in 0..<20_000 where walk.failure == nil { walk.step() }
            #expect(walk.failure == nil, "seed \(seed), step \(walk.steps)")
            walk.finish()
            traces.append(walk.trace)
        }
        #expect(traces[0] == traces[1])
        #expect(traces[1] != traces[2])
    }
}
