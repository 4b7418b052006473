// Looks for the scenario in which the default policy comes off worst beside the best fixed limit. It draws
// scenarios at first, and then changes the worst of them a little, again and again, and goes on from what has
// become worse. The same seed finds the same.

package import Admission
import Policy

/// A search for the default policy's worst case.
package struct Adversary: Sendable {
    /// What the default policy came to in one scenario.
    package struct Finding: Sendable {
        /// The scenario.
        package var challenge: Challenge
        /// Goodput over that of the best fixed limit, of all clients or of one tenant; 1 is as good.
        package var ratio: Double
        /// Whose it is.
        package var subject: String
    }

    /// How many of the worst are kept and gone on from.
    package static let kept = 100
    /// Ratios below this are looked at with more seeds, and the middle one counts.
    private static let doubtful = 0.9
    private static let moreSeeds: UInt64 = 2
    /// Whoever has fewer good responses in a run is too few to judge by, and what even the best limit serves
    /// at less than a twentieth of the capacity says nothing.
    private static let leastResponses = 200.0
    private static let leastShare = 0.05

    private var chance: SplitMix64
    /// How many scenarios are drawn before any is changed.
    private let draws: Int
    /// What is looked at instead of the default limit.
    private let limit: LimitSettings?
    /// Scenarios that were looked at.
    package private(set) var count = 0
    /// The worst first.
    package private(set) var worst: [Finding] = []

    /// A search that draws so many scenarios first, for the default limit or another one.
    package init(seed: UInt64, draws: Int, limit: LimitSettings? = nil) {
        chance = SplitMix64(seed: seed, purpose: 0xAD)
        self.draws = draws
        self.limit = limit
    }

    /// Looks at one more scenario; what was found, if it is among the worst.
    package mutating func step() -> Finding? {
        count += 1
        guard count > draws, !worst.isEmpty else {
            return Self.rate(.random(&chance), limit, seed: chance.next()).flatMap { keep($0) }
        }
        // The square prefers the worst.
        let place = chance.unit()
        let index = Int(Double(worst.count) * place * place)
        let changed = worst[index].challenge.changed(&chance)
        guard let found = Self.rate(changed, limit, seed: chance.next()),
            found.ratio < worst[index].ratio
        else { return nil }
        worst.remove(at: index)
        return keep(found)
    }

    private mutating func keep(_ found: Finding) -> Finding? {
        let index = worst.firstIndex { found.ratio < $0.ratio } ?? worst.count
        guard index < Self.kept else { return nil }
        worst.insert(found, at: index)
        if worst.count > Self.kept { worst.removeLast() }
        return found
    }

    /// Runs a scenario with the default policy, or with that limit, and with fixed limits; nil where there is
    /// nothing to judge by.
    package static func rate(
        _ challenge: Challenge, _ limit: LimitSettings? = nil, seed: UInt64
    ) -> Finding? {
        guard let first = rateOnce(challenge, limit, seed: seed) else { return nil }
        guard first.ratio < doubtful else { return first }
        let others = (1...moreSeeds).compactMap { rateOnce(challenge, limit, seed: seed &+ $0) }
        return ([first] + others).sorted { $0.ratio < $1.ratio }[(1 + others.count) / 2]
    }

    private static func rateOnce(
        _ challenge: Challenge, _ limit: LimitSettings?, seed: UInt64
    ) -> Finding? {
        var scenario: Scenario
        do throws(PolicyError) {
            scenario = try ScenarioLoader.load(text: challenge.text, file: "challenge")
        } catch {
            preconditionFailure("a challenge is no scenario: \(error)\n\(challenge.text)")
        }
        if let limit { scenario.admission.limit = limit }
        let run = ScenarioRun(scenario, seed: seed, withControls: false)
        guard let oracle = run.oracle else { return nil }
        let window = scenario.whole
        let best = oracle.best(over: window).result
        let highest = oracle.highestGoodput(over: window)
        let seconds = Double(window.endNanoseconds - window.startNanoseconds) / 1e9
        guard highest > leastShare * scenario.capacity,
            best.value(.completed, over: window) * seconds > leastResponses
        else { return nil }
        var worst = Finding(
            challenge: challenge, ratio: run.result.value(.goodput, over: window) / highest,
            subject: "all")
        let share = highest / Double(scenario.clients.count)
        for (index, group) in scenario.clients.enumerated() where scenario.clients.count > 1 {
            // Nobody is owed more than an equal share, nor more than he gets at the best limit.
            let owed = min(share, best.value(.goodput, over: window, group: index))
            guard owed / group.work.overallMean * seconds > leastResponses else { continue }
            let ratio = run.result.value(.goodput, over: window, group: index) / owed
            guard ratio < worst.ratio else { continue }
            worst.ratio = ratio
            worst.subject = group.name
        }
        return worst
    }
}
