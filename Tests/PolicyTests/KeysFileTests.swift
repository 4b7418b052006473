// Keys files: what a line says, and what is said about one that does not say it.

import Foundation
import Testing

@testable import Policy

@Suite struct KeysFileTests {
    private static let digest = String(repeating: "0123456789abcdef", count: 4)
    private static let other = String(repeating: "fedcba9876543210", count: 4)

    private func faults(_ text: String) -> [String] {
        do throws(PolicyError) {
            _ = try KeysFile.load(text: text, file: "a.keys")
            return []
        } catch {
            return error.diagnostics.map(\.description)
        }
    }

    @Test func linesAreReadAsTheyAreWritten() throws {
        let lines = [
            "# Keys of the team.", "", "acme sha256:\(Self.digest)",
            "  globex\tsha256:\(Self.other.uppercased())\r",
        ]
        let entries = try KeysFile.load(text: lines.joined(separator: "\n"), file: "a.keys").map(
            \.entry)
        let bytes: [UInt8] = [0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef]
        #expect(entries.map(\.tenant) == ["acme", "globex"])
        #expect(entries[0].digest == bytes + bytes + bytes + bytes)
        #expect(entries[1].digest.first == 0xfe && entries[1].digest.count == 32)
        let line = KeysFile.line(tenant: "acme", digest: Self.digest)
        #expect(try KeysFile.load(text: line, file: "a.keys").map(\.entry) == [entries[0]])
        #expect(try KeysFile.load(text: "", file: "a.keys").isEmpty)
    }

    @Test func faultsNameTheirPlaceAndNotTheKey() {
        let secret = "penstock-s3cr3t"
        let found = faults(
            """
            acme \(secret)
            acme sha256:\(Self.digest)
            \(secret)
             acme sha256:\(Self.digest.dropLast())x
            globex sha256:\(Self.digest)
            globex md5:\(Self.digest)
            """)
        #expect(found.count == 5)
        #expect(found.allSatisfy { !$0.contains(secret) && !$0.contains(Self.digest) })
        #expect(found.first?.hasPrefix("a.keys:1:1: error: keys file: has no sha256:") == true)
        #expect(found[1].hasPrefix("a.keys:3:1: error: keys file: is not a tenant and a digest; "))
        #expect(found[2].hasPrefix("a.keys:4:2: "))
        #expect(
            found[3]
                == "a.keys:5:1: error: keys file: has the same key as line 2; remove one of them")
    }

    @Test func thePolicysFolderIsWhereRelativePathsBegin() throws {
        let folder = FileManager.default.temporaryDirectory.appending(
            path: "penstock-keys-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let policy = folder.appending(path: "policy.yaml")
        let text = """
            listen: 127.0.0.1:8080
            pools:
              chat: {backends: [http://127.0.0.1:8000], tenant: {keys: team.keys}}
              more: {backends: [http://127.0.0.1:8001], tenant: {keys: {file: team.keys}}}
            routes: [{path: /a, pool: chat}, {path: /b, pool: more}]

            """
        try Data(text.utf8).write(to: policy)
        do throws(PolicyError) {
            _ = try PolicyLoader.load(path: policy.path)
            Issue.record("a keys file that is not there was read")
        } catch {
            #expect(error.diagnostics.count == 1)
            #expect(
                error.description
                    == "\(folder.path)/team.keys:1:1: error: keys file: cannot be read: "
                    + "No such file or directory; name a file that is readable")
        }
        try Data("acme sha256:\(Self.digest)\n".utf8).write(to: folder.appending(path: "team.keys"))
        let loaded = try PolicyLoader.load(path: policy.path)
        #expect(loaded.pools.map { $0.claims.keys?.entries.map(\.tenant) } == [["acme"], ["acme"]])
        #expect(!PolicyDump.yaml(loaded).contains(Self.digest))
    }

    /// What the loader says about a keys file with `keys`, for a pool with that `tenant` section.
    private func load(tenant: String, keys: String) throws -> [String] {
        let folder = FileManager.default.temporaryDirectory.appending(
            path: "penstock-keys-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let policy = folder.appending(path: "policy.yaml")
        let text = """
            listen: 127.0.0.1:8080
            pools: {chat: {backends: [http://127.0.0.1:8000], tenant: \(tenant)}}
            routes: [{path: /*, pool: chat}]

            """
        try Data(text.utf8).write(to: policy)
        try Data(keys.utf8).write(to: folder.appending(path: "a.keys"))
        do throws(PolicyError) {
            _ = try PolicyLoader.load(path: policy.path)
            return []
        } catch {
            return error.diagnostics.map {
                $0.description.replacing("\(folder.path)/", with: "")
            }
        }
    }

    @Test func aTenantThatNoPoolNamesIsAnError() throws {
        let keys = """
            # Two of them are right.
            acme sha256:\(Self.digest)
              acmee sha256:\(Self.other)
            zeppelin sha256:\(Self.digest.replacing("0", with: "1"))

            """
        let named = "named: [{name: acme, requests_per_minute: 5}, {name: globex}]"
        let remedy =
            "name it under tenant.named, or set tenant.keys.unnamed to allow"
        let problem =
            "error: keys file: is a key of a tenant that pool chat does not name; "
        #expect(
            try load(tenant: "{keys: a.keys, \(named)}", keys: keys) == [
                "a.keys:3:3: \(problem)did you mean `acme`? \(remedy)",
                "a.keys:4:1: \(problem)\(remedy)",
            ])
        #expect(
            try load(tenant: "{keys: {file: a.keys, unnamed: refuse}, \(named)}", keys: keys).count
                == 2)
        #expect(
            try load(tenant: "{keys: {file: a.keys, unnamed: allow}, \(named)}", keys: keys)
                .isEmpty)
        // Where nobody is named, all have the same terms.
        #expect(try load(tenant: "{keys: a.keys}", keys: keys).isEmpty)
        #expect(
            try load(
                tenant: "{keys: a.keys, default: {requests_per_minute: 5}}", keys: keys
            ).isEmpty)
    }

    @Test func faultsOfManyKeysAreFoundInTime() throws {
        var keys = ""
        for index in 0..<50_000 {
            let digits = String(index, radix: 16)
            keys +=
                "tenant-\(index) sha256:\(String(repeating: "0", count: 64 - digits.count))\(digits)\n"
        }
        let names = (0..<1_000).map { "{name: team-\($0)}" }.joined(separator: ", ")
        let clock = ContinuousClock()
        let begin = clock.now
        let found = try load(tenant: "{keys: a.keys, named: [\(names)]}", keys: keys)
        #expect(found.count == PolicyError.maxDiagnostics)
        #expect(clock.now - begin < .seconds(20))
    }

    @Test func thereAreNotTooMany() {
        var text = ""
        for index in 0...KeysFile.maxKeys {
            let digits = String(index, radix: 16)
            text += "a sha256:\(String(repeating: "0", count: 64 - digits.count))\(digits)\n"
        }
        #expect(
            faults(text) == [
                "a.keys:100001:1: error: keys file: is key 100001; keep at most 100000 in a file"
            ])
    }
}
