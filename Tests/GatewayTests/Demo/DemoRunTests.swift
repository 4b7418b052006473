// The demo itself, for three seconds, on real sockets.

import Admission
import Policy
import Testing

@testable import Demo
@testable import TestSupport

/// One after the other: each run takes a thread for itself.
@Suite(.serialized)
struct DemoRunTests {
    /// A slow, small engine, so that an unoptimised build on a busy machine has time enough: 16
    /// requests in a batch, 16 ms a step, 1,000 tokens a second.
    private static func settings(_ limit: DemoSettings.Limit) -> DemoSettings {
        var settings = DemoSettings()
        settings.seconds = 3
        settings.backends = 1
        settings.limit = limit
        settings.speed.baseNanoseconds = 8_000_000
        settings.speed.perRequestNanoseconds = 500_000
        settings.speed.maxBatch = 16
        settings.tokens.median = 12
        settings.tokens.range = 4...24
        settings.patience = .milliseconds(800)
        settings.maxWait = .milliseconds(250)
        return settings
    }

    @Test(.timeLimit(.minutes(1)))
    func admissionKeepsGoodputUnderThreeTimesTheLoad() throws {
        let settings = Self.settings(.fixed(16))
        var reports = 0
        let demonstration = try Demonstration(settings, version: "test") { _ in reports += 1 }
        let report = demonstration.run()
        let (without, with) = (report.without.whole, report.with.whole)
        let context = ReportSummary.lines(report).joined(separator: "\n")

        #expect(reports >= 3)
        #expect(report.elapsedSeconds >= 2.9)
        #expect(without.statistics.arrived == with.statistics.arrived)
        #expect(without.statistics.arrived > 300, "\(context)")
        // About 3 times as much where nothing else runs.
        let (after, before) = (with.statistics.inTime, without.statistics.inTime)
        #expect(Double(after) > 1.3 * Double(before), "\(context)")
        #expect(without.statistics.gaveUp > 100, "\(context)")
        #expect(without.wastedShare > with.wastedShare + 0.2, "\(context)")
        // Nothing is refused but by the gateway, for a reason and at a time that it gave, and
        // nothing breaks.
        #expect(without.statistics.refused == 0)
        #expect(with.statistics.refused > 100)
        #expect(with.statistics.refused(.none) == 0)
        #expect(without.statistics.failed == 0 && with.statistics.failed == 0, "\(context)")
        #expect(report.with.entry?.limit == 16)
    }

    @Test(.timeLimit(.minutes(1)))
    func belowTheCapacityBothSidesAreServedAlike() throws {
        var settings = Self.settings(.fixed(16))
        settings.seconds = 1
        settings.load = 0.3
        let report = try Demonstration(settings, version: "test") { _ in }.run()
        for period in [report.without.whole, report.with.whole] {
            let statistics = period.statistics
            // What arrived last is still being served at the end.
            #expect(statistics.inTime >= statistics.arrived - 15, "\(statistics)")
            #expect(statistics.failed == 0)
        }
    }

    @Test(arguments: [DemoSettings.Limit.fixed(9), .aimd, .gradient, .knee])
    func theGatewaysPolicyIsValid(limit: DemoSettings.Limit) throws {
        let text = Self.settings(limit).policyText(ports: [4001, 4002])
        let policy = try PolicyLoader.load(text: text, file: "demo")
        #expect(policy.pools.first?.backends.count == 2)
        #expect(policy.log.access == nil)
    }

    @Test func aRunCanBeEndedBeforeItsTime() throws {
        var settings = Self.settings(.aimd)
        settings.seconds = nil
        weak var running: Demonstration?
        let demonstration = try Demonstration(settings, version: "test") { _ in running?.stop() }
        running = demonstration
        #expect(demonstration.run().elapsedSeconds < 30)
    }
}
