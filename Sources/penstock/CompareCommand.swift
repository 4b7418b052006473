// `penstock compare`: every limit there is, in the same scenarios.

import Policy
import Simulator

/// Runs scenarios under all limits and prints tables.
struct CompareCommand: Command {
    static let configuration = CommandConfiguration(
        commandName: "compare",
        abstract: "Compare all limits with the best fixed one.",
        discussion: """
            Runs each scenario with every limit that a policy can name, with those of other projects as they ship, \
            and with fixed limits until the best one is found; prints a table in Markdown for each scenario.

            Exits with 2 when a file has faults.
            """)

    static var parameters: [Parameter<Self>] {
        [
            .arguments("scenario", \.files, "The scenarios' files.", kind: .file),
            .option("--seed", value: "seed", \.seed, "The first seed."),
            .option(
                "--seeds", value: "seeds", \.seeds,
                "How many seeds to run; figures are means over them."),
            .option(
                "--plot", value: "file.svg", \.plot, "Write the figures as bars, too.", kind: .file),
        ]
    }

    var files: [String] = []
    var seed: UInt64 = 1
    var seeds = 1
    var plot: String?

    func validate() throws {
        if !(1...1000).contains(seeds) { throw ValidationError("--seeds takes 1 to 1000") }
    }

    func run() throws {
        var scenarios: [Scenario] = []
        for file in files {
            do throws(PolicyError) {
                scenarios.append(try ScenarioLoader.load(path: file))
            } catch {
                throw failed("\(error)")
            }
        }
        var comparisons: [Comparison] = []
        for scenario in scenarios {
            let comparison = Comparison(
                scenario, seeds: (0..<UInt64(seeds)).map { seed &+ $0 })
            print(comparison.markdown)
            comparisons.append(comparison)
        }
        guard let plot else { return }
        do throws(TextFile.Failure) {
            try TextFile.write(ComparisonPlot.svg(comparisons), path: plot)
        } catch {
            throw failed("\(error)")
        }
    }

    private func failed(_ text: String) -> ExitCode {
        var standardError = StandardError()
        print(text, to: &standardError)
        return ExitCode(2)
    }
}
