// The lists of what the RFCs ask of a proxy, and of what users complain about elsewhere, name the tests
// that hold each requirement: here those names are looked up.

import Foundation
import Testing

@Suite struct ConformanceTests {
    private static let tests = SourceTree.root.appendingPathComponent("Tests")

    private static let rows: [(requirement: String, names: [String])] = {
        let texts = ["CONFORMANCE.md", "ACCEPTANCE.md"].map { name in
            let file = tests.appendingPathComponent(name)
            return (try? String(contentsOf: file, encoding: .utf8)) ?? ""
        }
        return texts.joined(separator: "\n").split(separator: "\n").compactMap { line in
            let cells = line.split(separator: "|").map { $0.trimmingCharacters(in: .whitespaces) }
            guard line.hasPrefix("|"), cells.count == 3, cells[0].first?.isNumber == true else {
                return nil
            }
            let parts = cells[2].components(separatedBy: "`")
            let names = parts.enumerated().filter { !$0.offset.isMultiple(of: 2) }.map(\.element)
            return ("\(cells[0]) \(cells[1])", names)
        }
    }()

    private static let corpus: Set<String> = {
        let folder = tests.appendingPathComponent("HTTP1Tests/Corpus")
        let files = (try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []
        let lines = files.flatMap { name in
            let file = folder.appendingPathComponent(name)
            return ((try? String(contentsOf: file, encoding: .utf8)) ?? "").split(separator: "\n")
        }
        return Set(lines.filter { $0.hasPrefix("=== ") }.map { String($0.dropFirst(4)) })
    }()

    @Test func theListIsRead() {
        #expect(ConformanceTests.rows.count >= 85)
        #expect(ConformanceTests.corpus.count >= 500)
    }

    @Test func everyRequirementIsHeldByTestsThatExist() throws {
        let sources = SourceTree.files(in: "Tests").map { file in
            (file.lines.joined(separator: "\n"), file.path)
        }
        for (requirement, names) in ConformanceTests.rows {
            #expect(!names.isEmpty, "\(requirement): no test")
            for name in names {
                #expect(
                    try ConformanceTests.exists(name, in: sources), "\(requirement): no \(name)")
            }
        }
    }

    private static func exists(
        _ name: String, in sources: [(text: String, path: String)]
    ) throws -> Bool {
        if name.hasPrefix("corpus: ") { return corpus.contains(String(name.dropFirst(8))) }
        if name.hasPrefix("scenario: ") {
            let file = "SimulatorTests/Scenarios/\(name.dropFirst(10)).yaml"
            return FileManager.default.fileExists(
                atPath: tests.appendingPathComponent(file).path)
        }
        if let mark = name.range(of: "::") {
            let file = tests.appendingPathComponent("EndToEnd/\(name[..<mark.lowerBound])")
            let text = try String(contentsOf: file, encoding: .utf8)
            return text.contains("\ndef \(name[mark.upperBound...])(")
        }
        let parts = name.split(separator: ".")
        guard parts.count == 2 else { return false }
        return sources.contains { text, path in
            text.contains("@Suite struct \(parts[0])") && text.contains("func \(parts[1])(")
                && path.hasSuffix("/\(parts[0]).swift")
        }
    }
}
