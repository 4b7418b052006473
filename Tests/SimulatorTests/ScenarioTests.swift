import Admission
import Foundation
import Policy
import Testing

@testable import Simulator

@Suite struct ScenarioTests {
    private static let folder = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().appendingPathComponent("Scenarios")

    private static let files =
        ((try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []).sorted()

    private static let comparison = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().appendingPathComponent("Comparison")

    private static let compared =
        ((try? FileManager.default.contentsOfDirectory(atPath: comparison.path)) ?? [])
        .filter { $0.hasSuffix(".yaml") }.sorted()

    @Test func thereAreScenarios() {
        // D1 to D20, D22, and E1 to E8.
        for number in Array(1...20) + [22] {
            let prefix = number < 10 ? "d0\(number)-" : "d\(number)-"
            #expect(ScenarioTests.files.contains { $0.hasPrefix(prefix) }, "\(prefix)")
        }
        for number in 1...8 {
            let prefix = "e0\(number)-"
            #expect(ScenarioTests.files.contains { $0.hasPrefix(prefix) }, "\(prefix)")
        }
    }

    @Test func thePageAboutThemHasEveryMeasureAndAnExampleThatHolds() throws {
        let page = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .deletingLastPathComponent().deletingLastPathComponent()
            .appendingPathComponent("docs/scenarios.md")
        let text = try String(contentsOf: page, encoding: .utf8)
        for measure in Measure.allCases { #expect(text.contains("| `\(measure.rawValue)` |")) }
        let parts = text.components(separatedBy: "```")
        let example = try #require(parts.first { $0.hasPrefix("yaml\n") }).dropFirst(5)
        let scenario = try ScenarioLoader.load(text: String(example), file: "scenarios.md")
        let run = ScenarioRun(scenario, seed: 1, withControls: false)
        for judgement in Judgement.all(scenario, [run], withControls: false) {
            #expect(judgement.holds, "\(Judgement.text([judgement]))")
        }
    }

    /// Without optimization the others take too long; `deploy/test.sh` runs all of them in the
    /// release build.
    private static let quick = ["d17-model-load.yaml", "d22-deadlines.yaml"]

    @Test(arguments: files)
    func scenariosCanBeRead(file: String) throws {
        let path = ScenarioTests.folder.appendingPathComponent(file).path
        let scenario = try ScenarioLoader.load(path: path)
        #expect(scenario.seeds == 20)
        #expect(scenario.expectations.contains { !$0.failsWith.isEmpty })
    }

    @Test(Example.isFast, arguments: quick)
    func expectationsHold(file: String) throws {
        let path = ScenarioTests.folder.appendingPathComponent(file).path
        let scenario = try ScenarioLoader.load(path: path)
        #expect(!scenario.expectations.isEmpty)
        let run = ScenarioRun(scenario, seed: 1, withControls: false)
        for judgement in Judgement.all(scenario, [run], withControls: false) {
            #expect(judgement.holds, "\(Judgement.text([judgement]))")
        }
    }

    @Test func comparisonsHoldEveryLimitBesideTheBest() throws {
        let scenario = Example.slots(8, load: 2, limit: 1, seconds: 15)
        let comparison = Comparison(scenario, seeds: [1])
        #expect(comparison.rows.count == LimitSettings.simulatorNames.count + 1)
        #expect(comparison.rows[0].name.hasPrefix("best fixed, "))
        #expect(comparison.rows[0].shareOfBest > 0.98)
        let byName = Dictionary(uniqueKeysWithValues: comparison.rows.map { ($0.name, $0) })
        #expect(try #require(byName["always-min"]).meanLimit == 1)
        #expect(try #require(byName["always-min"]).shareOfBest < 0.2)
        #expect(try #require(byName["always-max"]).shareOfBest > 0.98)
        #expect(comparison.markdown.split(separator: "\n").count == comparison.rows.count + 2)
        let plot = ComparisonPlot.svg([comparison])
        // What begins the text is left out.
        #expect(openElements("<!-- -->" + plot) == [])
        #expect(!plot.contains("<script") && plot.contains("prefers-color-scheme: dark"))
        for name in LimitSettings.simulatorNames { #expect(plot.contains(">\(name)<")) }
    }

    @Test func limitsHaveNames() {
        #expect(LimitSettings(simulatorName: "fixed:7") == .fixed(FixedLimitSettings(limit: 7)))
        #expect(LimitSettings(simulatorName: "fixed:0") == nil)
        #expect(LimitSettings(simulatorName: "fixed:") == nil)
        #expect(LimitSettings(simulatorName: "nonesuch") == nil)
        for name in LimitSettings.simulatorNames {
            #expect(LimitSettings(simulatorName: name) != nil)
        }
    }

    @Test(arguments: compared)
    func scenariosToCompareCanBeRead(file: String) throws {
        let path = ScenarioTests.comparison.appendingPathComponent(file).path
        #expect(try ScenarioLoader.load(path: path).expectations.isEmpty)
    }

    @Test func loadsAreSharesOfCapacity() throws {
        let scenario = try ScenarioLoader.load(
            text: """
                duration: 10s
                backends: [{base: 20ms, per_request: 500us, batch: 256}]
                clients: [{load: 2, units: 200, phases: [{at: 5s, load: 1}]}]
                """, file: "a.yaml")
        let full = 256 / (0.02 + 0.0005 * 256) / 200
        #expect(abs(scenario.clients[0].segments[0].value / full - 2) < 1e-9)
        #expect(abs(scenario.clients[0].segments[1].value / full - 1) < 1e-9)
        #expect(scenario.clients[0].segments[1].startNanoseconds == 5_000_000_000)
    }

    @Test func whatBackendsAndClientsDoCanBeSaid() throws {
        let scenario = try ScenarioLoader.load(
            text: """
                duration: 10s
                backends:
                  - base: 20ms
                    on_cancel: continues
                    cancel_delay: 25ms
                    fails: {status: 503, share: 0.3, after: 5ms, retry_after: 2s}
                    phases: [{at: 2s, fails: {as: cut, part: 0.2}}, {at: 4s, fails: {as: close, share: 0}}]
                clients:
                  - {rate: 1, patience: 2s, retry_after_leaving: 0s}
                  - {rate: 1, patience: {fixed: 1s, until: first}, sending: 3s, sends: before}
                  - {rate: 1, patience: {lognormal: {median: 1s, sigma: 0.5}}, reading: 4s, reads: 20, buffered: false}
                variants: [{name: same}]
                expect:
                  - {measure: work_share, backend: backend-0, at_most: 1}
                  - {measure: goodput, of: capacity, in: [same, same], at_least: 0.5}
                """, file: "a.yaml")
        let phases = scenario.backends[0].phases
        #expect(phases.allSatisfy { $0.onCancel == .continues })
        #expect(phases[0].cancelDelayNanoseconds == 25_000_000)
        var failure = BackendFailure.status(503)
        failure.share = 0.3
        failure.afterNanoseconds = 5_000_000
        failure.retryAfterNanoseconds = 2_000_000_000
        #expect(phases[0].failure == failure)
        #expect(phases[1].failure?.kind == .cut && phases[1].failure?.part == 0.2)
        #expect(phases[2].failure == nil)
        let clients = scenario.clients
        #expect(clients[0].patience == Patience(.exponential(meanSeconds: 2)))
        #expect(clients[0].returnSeconds == 0)
        #expect(clients[1].patience?.distribution == .fixed(seconds: 1))
        #expect(clients[1].patience?.until == .first)
        #expect(clients[1].sendingSeconds == 3 && clients[1].sends == .before)
        #expect(
            clients[2].patience?.distribution == .logNormal(medianSeconds: 1, sigma: 0.5))
        #expect(clients[2].readingSeconds == 4 && clients[2].readUnitsPerSecond == 20)
        #expect(!clients[2].isBuffered)
        #expect(scenario.expectations.map(\.variant) == [nil, "same", "same"])
        #expect(scenario.expectations[0].backend == "backend-0")
        #expect(scenario.expectations[1].standard == .capacity)
    }

    @Test(arguments: [
        ("backends: [{base: 20}]", "a.yaml:2:19: error: backends[0].base: "),
        ("backends: [{base: 1s, batsh: 4}]", "a.yaml:2:23: error: backends[0].batsh: is not known"),
        ("backends: [{base: 1s}]\npool: {limit: x}", "a.yaml:3:15: error: pool.limit: "),
        ("backends: [{base: 1s}]\nexpect: [{at_most: 1}]", "expect[0].measure: is missing"),
        ("backends: [{base: 1s}]\nwarm_up: 10s", "a.yaml:3:10: error: warm_up: is not shorter"),
        (
            "backends: [{base: 1s, phases: [{at: 2s}, {at: 1s}]}]",
            "backends[0].phases[1].at: is not after"
        ),
        ("backends: 5", "a.yaml:2:11: error: backends: found"),
        ("backends: [{base: 0s}]", "no time at all"),
        (
            "backends: [{base: 1s, curve: [{requests: 1, throughput: 1}]}]",
            "a.yaml:2:30: error: backends[0].curve: says what base and per_request say, too"
        ),
        ("backends: [{curve: []}]", "backends[0].curve: found"),
        (
            "backends: [{curve: [{requests: 1}]}]",
            "a.yaml:2:21: error: backends[0].curve[0].throughput: is missing"
        ),
        ("backends: [{curve: [{requests: 1, throughput: 0}]}]", "curve[0].throughput: "),
        ("backends: [{curve: [{requests: 4097, throughput: 1}]}]", "curve[0].requests: "),
        (
            "backends: [{curve: [{requests: 8, throughput: 1}, {requests: 8, throughput: 2}]}]",
            "backends[0].curve[1].requests: is not above the point before"
        ),
        (
            "backends: [{curve: ["
                + (1...65).map { "{requests: \($0), throughput: 1}" }.joined(separator: ", ")
                + "]}]", "backends[0].curve: has 65 points; write at most 64 of them"
        ),
        ("backends: [{batch: 4}]", "backends[0].base: is missing"),
        ("backends: [{base: 1s, fails: {share: 0.5}}]", "fails: does not say what comes"),
        ("backends: [{base: 1s, fails: {status: 200}}]", "fails.status: "),
        ("backends: [{base: 1s, on_cancel: runs}]", "on_cancel: "),
        ("backends: [{base: 1s, credits: -1}]", "credits: "),
        (
            "backends: [{base: 1s}]\nexpect: [{measure: work_share, at_most: 1}]",
            "expect[0].measure: is a backend's"
        ),
        (
            "backends: [{base: 1s}]\nexpect: [{measure: jain, backend: backend-0, at_most: 1}]",
            "expect[0].backend: is no measure of a backend"
        ),
        (
            "backends: [{base: 1s}]\nexpect: [{measure: jain, of: capacity, at_most: 1}]",
            "expect[0].of: is a rate of work"
        ),
        ("", "a.yaml:1:1: error: backends: is missing"),
    ])
    func faultsSayWhereTheyAre(text: String, expected: String) {
        let whole = "{duration: 10s, clients: [{rate: 1}]}"
        let lines = whole.dropFirst().dropLast().replacing(", clients", with: "\nclients")
        let parts = lines.split(separator: "\n")
        let file = "\(parts[0])\n\(text)\n\(parts[1])\n"
        #expect { try ScenarioLoader.load(text: file, file: "a.yaml") } throws: { error in
            let found = "\(error)"
            if !found.contains(expected) { Issue.record("\(found)") }
            return found.contains(expected)
        }
    }

    @Test func throughputCanBeSaidByPoints() throws {
        let scenario = try ScenarioLoader.load(
            text: """
                duration: 10s
                backends:
                  - curve: [{requests: 2, throughput: 10}, {requests: 4, throughput: 10}, {requests: 6, throughput: 30}]
                    slowdown: 2
                    phases: [{at: 2s, slowdown: 1}, {at: 4s, base: 1s}, {at: 6s, curve: [{requests: 1, throughput: 7}]}]
                clients: [{rate: 1}]
                """, file: "a.yaml")
        let phases = scenario.backends[0].phases
        let counts = [1, 2, 3, 4, 5, 6, 60]
        let found = counts.map { Double($0) / phases[1].secondsPerUnit(running: $0) }
        for (one, other) in zip(found, [5.0, 10, 10, 10, 20, 30, 30]) {
            #expect(abs(one - other) < 1e-9)
        }
        #expect(abs(phases[0].secondsPerUnit(running: 6) - 0.4) < 1e-9)
        #expect(abs(phases[0].unitsPerSecond - 15) < 1e-9)
        #expect(phases[2].curve == nil && phases[2].secondsPerUnit(running: 3) == 1)
        #expect(abs(phases[3].unitsPerSecond - 7) < 1e-9)
    }

    /// Twice as many as the first point has do all that the curve gives, to the last unit.
    @Test func workIsDoneAsTheCurveSays() {
        var scenario = Example.slots(8, load: 2, limit: 8, seconds: 60)
        scenario.backends[0].phases[0].curve = ThroughputCurve([
            .init(requests: 4, unitsPerSecond: 40), .init(requests: 8, unitsPerSecond: 120),
        ])
        let whole = scenario.whole
        #expect(
            abs(Simulation.run(scenario, seed: 1).value(.throughput, over: whole) / 120 - 1) < 0.03)
        scenario.admission.limit = .fixed(FixedLimitSettings(limit: 6))
        #expect(
            abs(Simulation.run(scenario, seed: 1).value(.throughput, over: whole) / 80 - 1) < 0.03)
    }

    @Test func theOracleFindsTheSlots() {
        let scenario = Example.slots(16, load: 2, limit: 1, seconds: 60)
        let oracle = Oracle(scenario, seed: 1)
        let best = oracle.best(over: scenario.whole)
        #expect((15...18).contains(best.limit), "\(best.limit)")
        #expect(abs(oracle.highestGoodput(over: scenario.whole) / 160 - 1) < 0.03)
    }

    @Test func theReportIsWellFormed() throws {
        var scenario = Example.slots(4, load: 3, limit: 4, seconds: 30)
        scenario.name = "a <b> & \"c\""
        let result = Simulation.run(scenario, seed: 1)
        let page = SimulationPage.html(scenario, result, [])
        #expect(!page.contains("<script") && !page.contains("http"))
        #expect(page.contains("prefers-color-scheme: dark"))
        #expect(page.contains("queue_timeout") || page.contains("wait_too_long"))
        #expect(page.contains("a &lt;b&gt; &amp; &quot;c&quot;"))
        #expect(openElements(page) == [])
        #expect(page.components(separatedBy: "<svg").count == 6)
    }

    /// The elements that are opened and not closed in their order.
    private func openElements(_ page: String) -> [Substring] {
        var open: [Substring] = []
        for part in page.split(separator: "<").dropFirst(1) {
            let tag = part.prefix { $0 != ">" }
            let name = tag.prefix { $0 != " " && $0 != "/" && $0 != "\n" }
            if tag.hasPrefix("!") || tag.hasSuffix("/") { continue }
            if tag.hasPrefix("/") {
                if open.last == tag.dropFirst() { open.removeLast() } else { return [tag] }
            } else {
                open.append(name)
            }
        }
        return open
    }
}
