// The keys of workers: what a line says, and what is said about one that does not say it.

import Admission
import Foundation
import Testing

@testable import Policy

@Suite struct WorkerKeysTests {
    private static let digests = ["0123456789abcdef", "fedcba9876543210", "00112233445566aa"].map {
        String(repeating: $0, count: 4)
    }

    /// The policy with a keys file of these lines, or its faults.
    private func load(_ lines: [String]) throws -> (policy: Policy?, faults: [String]) {
        let folder = FileManager.default.temporaryDirectory.appending(
            path: "penstock-workers-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let text = """
            listen: 127.0.0.1:8080
            workers: {listen: 127.0.0.1:8090, keys: workers.keys}
            pools:
              chat: {workers: {}}
              more: {workers: {}, backends: [http://127.0.0.1:8000]}
              dialled: {backends: [http://127.0.0.1:8001]}
            routes: [{path: /a, pool: chat}, {path: /b, pool: more}, {path: /c, pool: dialled}]

            """
        let file = folder.appending(path: "policy.yaml")
        try Data(text.utf8).write(to: file)
        let keys = folder.appending(path: "workers.keys")
        try Data(lines.joined(separator: "\n").utf8).write(to: keys)
        try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: keys.path)
        do throws(PolicyError) {
            return (try PolicyLoader.load(path: file.path), [])
        } catch {
            return (nil, error.diagnostics.map { $0.description.replacing(folder.path, with: "") })
        }
    }

    @Test func aLineHasPoolsAndADigest() throws {
        let lines = [
            "# workers", "chat sha256:\(Self.digests[0])", "chat,more sha256:\(Self.digests[1])",
        ]
        let policy = try #require(try load(lines).policy)
        #expect(policy.workers?.keys.map(\.pools) == [["chat"], ["chat", "more"]])
        #expect(policy.workers?.keys.first?.digest.count == 32)
        #expect(policy.pools.map { $0.workers != nil } == [true, true, false])
        #expect(policy.pools.map(\.admission.takesWorkers) == [true, true, false])
    }

    @Test func faultsNameTheirLineAndNotTheKey() throws {
        let secret = "pw_s3cr3t"
        let faults = try load([
            "chat \(secret)", "chta sha256:\(Self.digests[0])",
        ]).faults
        #expect(faults.count == 1 && !faults[0].contains(secret))
        #expect(faults[0].hasPrefix("/workers.keys:1:1: error: workers' keys file: has no sha256:"))
        let unknown = try load([
            "chat,chta sha256:\(Self.digests[0])", "dialled sha256:\(Self.digests[1])",
        ]).faults
        #expect(
            unknown == [
                "/workers.keys:1:1: error: workers' keys file: is for a pool that is not there: `chta`; "
                    + "did you mean `chat`? name a pool that has `workers`",
                "/workers.keys:2:1: error: workers' keys file: is for a pool that takes none: `dialled`; "
                    + "add workers: {} to the pool, or remove the line",
            ])
    }

    @Test func aChangedKeyIsAChange() throws {
        let former = try #require(try load(["chat sha256:\(Self.digests[0])"]).policy)
        let next = try #require(try load(["chat sha256:\(Self.digests[1])"]).policy)
        #expect(PolicyChanges(from: former, to: next).paths == ["workers.keys"])
    }
}
