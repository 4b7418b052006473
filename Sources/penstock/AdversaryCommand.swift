// `penstock adversary`: looks for the default policy's worst case.

import Admission
import Policy
import Simulator

/// Searches simulated scenarios for the one in which the default policy comes off worst.
struct AdversaryCommand: Command {
    static let configuration = CommandConfiguration(
        commandName: "adversary",
        abstract: "Search for scenarios in which the default policy fails.",
        discussion: """
            Draws scenarios (backends' curves, departures, patience, bursts, tenants, faults), holds the default \
            policy's goodput, and each tenant's, against that of the best fixed limit, and goes on from the worst by \
            changing a thing or two. The same seed and numbers find the same, unless time runs out.

            Exits with 1 when one below --below was found. --output has a scenario file for each of them, which \
            `penstock simulate` judges.
            """)

    static var parameters: [Parameter<Self>] {
        [
            .option("--hours", value: "hours", \.hours, "How long to search at most."),
            .option("--seed", value: "seed", \.seed, "The search's seed."),
            .option("--draws", value: "count", \.draws, "Scenarios that are drawn first."),
            .option("--changes", value: "count", \.changes, "Changed ones that are tried then."),
            .option(
                "--below", value: "ratio", \.below, "The ratio below which a scenario is told."),
            .option(
                "--limit", value: "name", \.limit,
                "Search for this limit's worst case: "
                    + "\(LimitSettings.simulatorNames.joined(separator: ", ")), or fixed:N.",
                kind: .words(LimitSettings.simulatorNames)),
            .option(
                "--output", value: "directory", \.output, "Write their files here.",
                kind: .directory),
        ]
    }

    var hours = 1.0
    var seed: UInt64 = 1
    var draws = 200
    var changes = 1000
    var below = 0.85
    var limit: String?
    var output: String?

    func validate() throws {
        if !(hours > 0 && hours <= 10_000) { throw ValidationError("--hours takes up to 10000") }
        if !(1...10_000_000).contains(draws) {
            throw ValidationError("--draws takes 1 to 10000000")
        }
        if !(0...10_000_000).contains(changes) {
            throw ValidationError("--changes takes 0 to 10000000")
        }
        if let limit, LimitSettings(simulatorName: limit) == nil {
            throw ValidationError("--limit takes a limit's name, or fixed:N; see --help")
        }
        if !(0...1).contains(below) { throw ValidationError("--below takes 0 to 1") }
    }

    func run() throws {
        let begin = ContinuousClock.now
        let end = begin + .seconds(hours * 3600)
        var adversary = Adversary(
            seed: seed, draws: draws, limit: limit.flatMap(LimitSettings.init(simulatorName:)))
        print(
            "seed \(seed), \(draws) drawn, \(changes) changed, \(Figure.short(hours)) hours at most"
        )
        while adversary.count < draws + changes, ContinuousClock.now < end {
            guard let found = adversary.step(), found.ratio < below else { continue }
            print("\(adversary.count): \(Figure.fixed(found.ratio, decimals: 3)) \(found.subject)")
        }
        let found = adversary.worst.filter { $0.ratio < below }
        for (index, finding) in found.enumerated() { try write(finding, index) }
        let worst = adversary.worst.first?.ratio ?? 1
        print(
            "\(adversary.count) looked at, \(found.count) below \(Figure.short(below)); "
                + "worst \(Figure.fixed(worst, decimals: 3))")
        if !found.isEmpty { throw ExitCode(1) }
    }

    private func write(_ finding: Adversary.Finding, _ index: Int) throws {
        let ratio = Figure.fixed(finding.ratio, decimals: 3)
        let text = finding.challenge.text(name: "found \(index), \(ratio) of \(finding.subject)")
        guard let output else {
            print("\n\(text)", terminator: "")
            return
        }
        do throws(TextFile.Failure) {
            try TextFile.write(text, path: "\(output)/found-\(seed)-\(index).yaml")
        } catch {
            var standardError = StandardError()
            print(error, to: &standardError)
            throw ExitCode(2)
        }
    }
}
