// `penstock simulate`: tries a policy against simulated clients and backends.

import Admission
import Policy
import Simulator

/// Runs a scenario and judges it by its expectations.
struct SimulateCommand: Command {
    static let configuration = CommandConfiguration(
        commandName: "simulate",
        abstract: "Try a policy against simulated clients and backends.",
        discussion: """
            Runs the admission code that `serve` runs, on a virtual clock: an hour of traffic takes seconds. The \
            same scenario and seed give the same result.

            Exits with 0 when all expectations of the scenario hold, with 1 when one does not, with 2 when a file \
            has faults.
            """)

    static var parameters: [Parameter<Self>] {
        [
            .arguments("scenario", \.files, "The scenarios' files.", kind: .file),
            .option(
                "--policy", value: "file", \.policy, "Take the pool's settings from this policy.",
                kind: .file),
            .option(
                "--pool", value: "pool", \.pool, "The policy's pool; the first one if not given."),
            .option(
                "--limit", value: "name", \.limit,
                "Take this limit instead of the scenario's: "
                    + "\(LimitSettings.simulatorNames.joined(separator: ", ")), or fixed:N.",
                kind: .words(LimitSettings.simulatorNames)),
            .option("--seed", value: "seed", \.seed, "The first seed."),
            .option(
                "--seeds", value: "seeds", \.seeds,
                "How many seeds to run; the scenario's own number if not given."),
            .option(
                "--report", value: "file", \.report, "Write a page with plots of the first run.",
                kind: .file),
            .flag("--trace", \.trace, "Print the hash over all events of each run."),
            .flag("--quiet", \.quiet, "Print only which expectations do not hold."),
            .flag(
                "--table", \.table, "Print a table in Markdown with a row for each expectation."),
        ]
    }

    var files: [String] = []
    var policy: String?
    var pool: String?
    var limit: String?
    var seed: UInt64 = 1
    var seeds: Int?
    var report: String?
    var trace = false
    var quiet = false
    var table = false

    func validate() throws {
        if let seeds, !(1...1000).contains(seeds) {
            throw ValidationError("--seeds takes 1 to 1000")
        }
        if let limit, LimitSettings(simulatorName: limit) == nil {
            let names = LimitSettings.simulatorNames.joined(separator: ", ")
            throw ValidationError("--limit takes \(names), or fixed:N")
        }
        if report != nil, files.count > 1 {
            throw ValidationError("--report takes one scenario")
        }
        if pool != nil, policy == nil { throw ValidationError("--pool needs --policy") }
    }

    func run() throws {
        var holds = true
        if table { print(Judgement.tableHead, terminator: "") }
        for file in files {
            var scenario = try load(file)
            if let limit = limit.flatMap(LimitSettings.init(simulatorName:)) {
                scenario.admission.limit = limit
            }
            let runs = (0..<UInt64(seeds ?? scenario.seeds)).map {
                ScenarioRun(scenario, seed: seed &+ $0, withControls: limit == nil)
            }
            let judgements = Judgement.all(scenario, runs, withControls: limit == nil)
            if table {
                print(Judgement.rows(judgements, of: scenario.name), terminator: "")
            } else if quiet {
                let failed = judgements.filter { !$0.holds }
                print(
                    "\(failed.isEmpty ? "pass" : "FAIL")  \(scenario.name), "
                        + "\(judgements.count) expectations, \(runs.count) seeds")
                print(Judgement.text(failed), terminator: "")
            } else {
                print(text(scenario, runs, judgements), terminator: "")
            }
            if let report {
                try write(
                    SimulationPage.html(scenario, runs[0].result, judgements), path: report)
            }
            holds = holds && judgements.allSatisfy(\.holds)
        }
        if !holds { throw ExitCode(1) }
    }

    private func text(
        _ scenario: Scenario, _ runs: [ScenarioRun], _ judgements: [Judgement]
    ) -> String {
        var text = "\(scenario.name), seed \(seed)\n\n"
        text += SimulationSummary.text(scenario, runs[0].result) + "\n"
        if let oracle = runs[0].oracle {
            for window in [scenario.whole] + scenario.windows {
                let units = Figure.short(oracle.highestGoodput(over: window))
                text += "best fixed limit, \(window.name): \(oracle.best(over: window).limit), "
                text += "\(units) good units/s\n"
            }
            text += "\n"
        }
        if trace {
            for run in runs {
                text += "trace of seed \(run.result.seed): "
                text += String(run.result.trace, radix: 16) + "\n"
            }
        }
        return text + Judgement.text(judgements)
    }

    private func write(_ page: String, path: String) throws {
        do throws(TextFile.Failure) {
            try TextFile.write(page, path: path)
        } catch {
            var standardError = StandardError()
            print(error, to: &standardError)
            throw ExitCode(2)
        }
    }

    private func load(_ file: String) throws -> Scenario {
        var standardError = StandardError()
        var scenario: Scenario
        var pools: [PoolSettings] = []
        do throws(PolicyError) {
            scenario = try ScenarioLoader.load(path: file)
            if let policy { pools = try PolicyLoader.load(path: policy).pools }
        } catch {
            print(error, to: &standardError)
            throw ExitCode(2)
        }
        guard let policy else { return scenario }
        guard let chosen = pools.first(where: { pool == nil || $0.name == pool }) else {
            let names = pools.map(\.name).joined(separator: ", ")
            print("\(policy): error: no pool has that name; pools are \(names)", to: &standardError)
            throw ExitCode(2)
        }
        scenario.use(chosen)
        return scenario
    }
}
