// docs/reactive-streams.md names a test for each rule; each of them has to be there.

import Foundation
import Testing

@Suite struct ReactiveStreamsTests {
    /// The rows of the page's table: the rules, and the tests that they name.
    private static let rows: [(rules: String, tests: [String])] = {
        let page =
            (try? String(
                contentsOf: SourceTree.root.appendingPathComponent("docs/reactive-streams.md"),
                encoding: .utf8)) ?? ""
        return page.split(separator: "\n").filter { $0.hasPrefix("| ") && !$0.hasPrefix("| rule") }
            .map { row in
                let cells = row.split(separator: "|", omittingEmptySubsequences: false)
                let names = cells.dropFirst(3).joined().split(separator: "`").enumerated()
                return (
                    String(cells[1]),
                    names.filter { $0.offset % 2 == 1 }.map { String($0.element) }
                )
            }
    }()

    private static let swift = SourceTree.files(in: "Tests").flatMap(\.code).joined(separator: "\n")
    private static let python: String = {
        let folder = SourceTree.root.appendingPathComponent("Tests/EndToEnd")
        let files = (try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []
        return files.filter { $0.hasSuffix(".py") }.compactMap {
            try? String(contentsOf: folder.appendingPathComponent($0), encoding: .utf8)
        }.joined(separator: "\n")
    }()

    @Test func everyRuleHasATest() {
        #expect(ReactiveStreamsTests.rows.count == 17)
        for row in ReactiveStreamsTests.rows {
            #expect(!row.tests.isEmpty, "rules \(row.rules)")
        }
    }

    /// All 43 of them.
    @Test func allRulesAreThere() {
        let named = ReactiveStreamsTests.rows.flatMap { row in
            row.rules.split(separator: ",").map { $0.trimmingCharacters(in: .whitespaces) }
        }
        let wanted =
            (1...11).map { "1.\($0)" } + (1...13).map { "2.\($0)" } + (1...17).map { "3.\($0)" }
            + ["4.1", "4.2"]
        #expect(Set(named) == Set(wanted))
        #expect(named.count == wanted.count)
    }

    @Test func theTestsAreThere() {
        for row in ReactiveStreamsTests.rows {
            for name in row.tests where !name.contains(".") {
                let golden = "Tests/PolicyTests/Golden/\(name).golden"
                let isThere =
                    ReactiveStreamsTests.swift.contains("func \(name)(")
                    || ReactiveStreamsTests.python.contains("def \(name)(")
                    || FileManager.default.fileExists(
                        atPath: SourceTree.root.appendingPathComponent(golden).path)
                #expect(isThere, "rules \(row.rules): there is no \(name)")
            }
        }
    }
}
