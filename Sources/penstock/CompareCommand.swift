// `penstock compare`: every limit there is, in the same scenarios.

import ArgumentParser
import Policy
import Simulator

/// Runs scenarios under all limits and prints tables.
struct CompareCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "compare",
        abstract: "Compare all limits with the best fixed one.",
        discussion: """
            Runs each scenario with every limit that a policy can name, with those of other projects as they ship, \
            and with fixed limits until the best one is found; prints a table in Markdown for each scenario.

            Exits with 2 when a file has faults.
            """)

    @Argument(
        help: ArgumentHelp("The scenarios' files.", valueName: "scenario"),
        completion: .file(extensions: ["yaml", "yml"]))
    var files: [String]

    @Option(help: "The first seed.")
    var seed: UInt64 = 1

    @Option(help: "How many seeds to run; figures are means over them.")
    var seeds = 1

    @Option(help: ArgumentHelp("Write the figures as bars, too.", valueName: "file.svg"))
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
