// Each file in Golden is one case: a policy, a line of ten dashes, and what the loader makes of it,
// either the canonical dump or all diagnostics. `PENSTOCK_RECORD_GOLDEN=1 swift test` writes what
// it is today: read the difference before committing it.

import Foundation
import Testing

@testable import Policy

/// One file of Golden.
struct GoldenCase: CustomTestStringConvertible {
    static let separator = "\n----------\n"
    static let folder = URL(filePath: #filePath).deletingLastPathComponent().appending(
        path: "Golden")

    var name: String
    var policy: String
    var expected: String

    var isValid: Bool { name.hasPrefix("valid-") }
    var testDescription: String { name }

    /// All cases in the order of their names.
    static let all: [GoldenCase] = {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []
        return names.filter { $0.hasSuffix(".golden") }.sorted().compactMap { name in
            guard let text = try? String(contentsOf: folder.appending(path: name), encoding: .utf8)
            else { return nil }
            let parts = text.components(separatedBy: separator)
            return GoldenCase(
                name: String(name.dropLast(".golden".count)), policy: parts[0] + "\n",
                expected: parts.count == 2 ? parts[1] : "")
        }
    }()

    /// What the loader makes of the policy today.
    var actual: String {
        do throws(PolicyError) {
            return PolicyDump.yaml(try PolicyLoader.load(text: policy, file: "policy.yaml"))
        } catch {
            return error.description + "\n"
        }
    }

    func record() throws {
        try Data((policy.dropLast() + Self.separator + actual).utf8)
            .write(to: Self.folder.appending(path: name + ".golden"))
    }
}

@Suite struct GoldenTests {
    @Test(arguments: GoldenCase.all)
    func loadsAsRecorded(_ golden: GoldenCase) throws {
        if ProcessInfo.processInfo.environment["PENSTOCK_RECORD_GOLDEN"] != nil {
            try golden.record()
            return
        }
        #expect(golden.actual == golden.expected)
        #expect(golden.isValid == !golden.actual.contains(": error: "))
    }

    @Test func thereAreEnoughCases() {
        #expect(GoldenCase.all.count { $0.isValid } >= 20)
        #expect(GoldenCase.all.count { !$0.isValid } >= 60)
    }

    @Test(arguments: GoldenCase.all.filter(\.isValid))
    func dumpLoadsToAnEqualPolicy(_ golden: GoldenCase) throws {
        let policy = try PolicyLoader.load(text: golden.policy, file: "policy.yaml")
        let dump = PolicyDump.yaml(policy)
        let again = try PolicyLoader.load(text: dump, file: "dump.yaml")
        #expect(again == policy)
        #expect(PolicyDump.yaml(again) == dump)
    }
}
