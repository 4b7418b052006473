// Files that list backends: what they say, in YAML and in JSON, and what is said of those that say something else.

import Admission
import Foundation
import Testing

@testable import Policy

@Suite struct BackendsFileTests {
    private func backends(_ text: String) throws -> [BackendAddress] {
        try BackendsFile.read(text: text, file: "b.yaml")
    }

    private func faults(_ text: String) -> [String] {
        do throws(PolicyError) {
            _ = try BackendsFile.read(text: text, file: "b.yaml")
            return []
        } catch {
            return error.diagnostics.map(\.description)
        }
    }

    @Test func yamlAndJSONSayTheSame() throws {
        let yaml = """
            - targets: ["10.0.0.11:8000", https://gpu-1.example.com]
              labels: {instance: pod-1, zone: 7}
            - targets: ['[fd00::1]:8000', 'http+unix:///run/a.sock']
            """
        let json = """
            [{"targets": ["10.0.0.11:8000", "https://gpu-1.example.com"],
            \t"labels": {"instance": "pod-1", "zone": "7"}},
             {"targets": ["[fd00::1]:8000", "http+unix:///run/a.sock"], "labels": {}}]
            """
        let found = try backends(yaml)
        #expect(try backends(json) == found)
        #expect(
            found.map(\.label) == [
                "http://10.0.0.11:8000", "https://gpu-1.example.com", "http://[fd00::1]:8000",
                "http+unix:///run/a.sock",
            ])
        #expect(found.map(\.instance) == ["pod-1", "pod-1", "", ""])
        #expect(found.map(\.scheme) == [.http, .https, .http, .unix])
        #expect(found[0].key != found[0].label && found[2].key == found[2].label)
        #expect(found[2].host == "fd00::1" && found[2].port == 8000)
    }

    @Test func whatIsSaidTwiceCountsOnce() throws {
        let text = """
            - {targets: ["a:1", "http://a:1/", "A:1"]}
            - {targets: ["a:1"], labels: {team: b}}
            """
        #expect(try backends(text).map(\.label) == ["http://a:1"])
        #expect(try backends("[]").isEmpty)
        #expect(try backends("- {targets: []}").isEmpty)
        let secured = "- {targets: [\"a:1\"], labels: {__scheme__: https}}"
        #expect(try backends(secured).map(\.label) == ["https://a:1"])
    }

    @Test func weightsAreTheGroups() throws {
        let text = """
            - {targets: ["a:1", "b:1"], labels: {__weight__: "3", weight: "4"}}
            - {targets: ["c:1"], labels: {weight: 0}}
            - {targets: ["d:1", "a:1"], labels: {weight: "03"}}
            """
        let found = try backends(text)
        #expect(found.map(\.weight) == [3, 3, 0, 3])
        #expect(
            found.map(\.weighedText)[1...2] == [
                "http://b:1 (weight 3)", "http://c:1 (weight 0, gets nothing new)",
            ])
        let faulty = faults(
            """
            - {targets: ["a:1"], labels: {__weight__: -1}}
            - {targets: ["b:1"], labels: {weight: 1001}}
            - {targets: ["c:1"], labels: {weight: "5"}}
            - {targets: ["c:1"]}
            """)
        #expect(
            faulty == [
                "b.yaml:1:43: error: [0].labels.__weight__: `-1` is no weight; write an integer from 0 to 1000",
                "b.yaml:2:39: error: [1].labels.weight: `1001` is no weight; write an integer from 0 to 1000",
                "b.yaml:4:14: error: [3].targets[0]: `http://c:1` has two values of `weight`; "
                    + "keep the one that is there now",
            ])
    }

    @Test func faultsNameTheirPlace() {
        let found = faults(
            """
            - targets: ["a:1", "b:99999", ftp://c]
              labels: {instance: x, __scheme__: gopher}
            - target: [a]
            - {targets: ["a:1"], labels: {instance: y}}
            - just text
            """)
        #expect(
            found == [
                "b.yaml:1:20: error: [0].targets[1]: `99999` is not a port; write a number from 1 to 65535",
                "b.yaml:1:31: error: [0].targets[2]: the scheme `ftp` is not known; "
                    + "write http://, https:// or http+unix://",
                "b.yaml:2:37: error: [0].labels.__scheme__: `gopher` is no scheme of a backend; "
                    + "write http or https",
                "b.yaml:3:3: error: [1].target: is not known; keys here are `targets`, `labels`",
                "b.yaml:3:3: error: [1].targets: is missing; write a list such as [\"10.0.0.11:8000\"]",
                "b.yaml:4:14: error: [2].targets[0]: `http://a:1` has two values of `instance`; "
                    + "keep the one that is there now",
                "b.yaml:5:3: error: [3]: found `just text`; write a mapping with `targets`",
            ])
    }

    /// A file that is being written ends anywhere: nothing of it may pass for the whole.
    @Test func whatIsCutShortIsAFault() throws {
        let json = "[{\"targets\": [\"10.0.0.11:8000\", \"10.0.0.12:8000\"]}]"
        #expect(try backends(json).count == 2)
        for length in 0..<json.utf8.count {
            #expect(!faults(String(json.prefix(length))).isEmpty, "\(length)")
        }
        #expect(faults("  \n")[0].hasPrefix("b.yaml:1:1: error: backends file: is empty; write "))
        #expect(faults("{}")[0].hasPrefix("b.yaml:1:1: error: backends file: found a mapping; "))
    }

    @Test func manyAreTooMany() throws {
        let most = BackendsFile.mostBackends
        let targets = (1...most).map { "\"a:\($0)\"" }.joined(separator: ", ")
        #expect(try backends("- {targets: [\(targets)]}").count == most)
        let found = faults("- {targets: [\(targets), \"b:1\"]}")
        #expect(found.count == 1 && found[0].contains("is backend 1001; keep at most 1000"))
        let none = faults((1...500).map { _ in "- {targets: [\"a:0\"]}" }.joined(separator: "\n"))
        #expect(none.count == PolicyError.maxDiagnostics)
    }

    @Test func aPolicyHasThemFromTheFile() throws {
        let folder = FileManager.default.temporaryDirectory.appending(
            path: "penstock-backends-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let list = folder.appending(path: "b.json").path
        let policy = folder.appending(path: "policy.yaml").path
        let text = """
            listen: 127.0.0.1:0
            pools: {p: {backends: {file: \(list)}}}
            routes: [{path: /*, pool: p}]
            """
        try text.write(toFile: policy, atomically: true, encoding: .utf8)
        // That it is not there yet is no fault of the policy's.
        let before = try PolicyLoader.load(path: policy)
        #expect(before.pools[0].backends.isEmpty)
        #expect(before.pools[0].discovery == .file(path: list))
        #expect(before.pools[0].admission.discoversBackends)
        try "[{\"targets\": [\"a:1\"]}]".write(toFile: list, atomically: true, encoding: .utf8)
        let after = try PolicyLoader.load(path: policy)
        #expect(after.pools[0].backends.map(\.label) == ["http://a:1"])
        #expect(PolicyDump.yaml(after).contains("backends:\n      file: \(list)\n"))
        // Who it finds is no change of the policy.
        #expect(PolicyChanges(from: before, to: after).paths.isEmpty)
    }
}
