// Values of fields that do not stand in the policy: where they are read, what is wrong with them, and that nothing
// writes them down.

import Foundation
import Testing

@testable import Policy

@Suite struct SecretTests {
    /// A folder with a policy that takes a key from `key`, and with `files`.
    private func withPolicy(
        key: String, files: [String: (Data, Int)] = [:],
        _ body: (_ policy: String, _ folder: String) throws -> Void
    ) throws {
        let folder = FileManager.default.temporaryDirectory.appending(
            path: "penstock-secret-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        for (name, (data, mode)) in files {
            let path = folder.appending(path: name).path
            try data.write(to: URL(filePath: path))
            try FileManager.default.setAttributes([.posixPermissions: mode], ofItemAtPath: path)
        }
        let policy = folder.appending(path: "policy.yaml")
        let text = """
            listen: 127.0.0.1:80
            pools:
              hosted:
                backends: [https://api.example.com/v1]
                request:
                  set_fields: {Authorization: {\(key), prefix: "Bearer "}}
            routes:
              - {path: /*, pool: hosted}
            """
        try Data(text.utf8).write(to: policy)
        try body(policy.path, folder.path)
    }

    private func value(_ policy: Policy) -> [UInt8] {
        policy.pools[0].request.fields[0].value.bytes
    }

    @Test(arguments: [0o600, 0o640, 0o400])
    func filesAreReadWithoutTheWhiteSpaceAroundThem(mode: Int) throws {
        try withPolicy(key: "file: a.key", files: ["a.key": (Data(" sk-1\r\n".utf8), mode)]) {
            policy, folder in
            let loaded = try PolicyLoader.read(path: policy)
            #expect(loaded.error() == nil)
            #expect(value(loaded.policy) == Array("Bearer sk-1".utf8))
            // It is one of the files that are watched, and nothing else may be written there.
            #expect(loaded.policy.reloadedFiles(besides: [policy]).contains("\(folder)/a.key"))
            let logs = loaded.policy
            #expect(logs.clashes(besides: [policy]).isEmpty)
            var clash = logs
            clash.log.destination = .file(path: "\(folder)/a.key")
            #expect(
                clash.clashes(besides: [policy]).map(\.problem)
                    == [
                        "\(folder)/a.key is the file of pools.hosted.request.set_fields.Authorization.file"
                    ])
        }
    }

    @Test(arguments: [
        (Data("sk-secret".utf8), 0o644, "cannot be used: everybody may read it (mode 0644)"),
        (Data("sk-secret".utf8), 0o602, "cannot be used: everybody may write to it (mode 0602)"),
        (Data(" \n".utf8), 0o600, "is empty"),
        (Data("sk-secret\nsk-secret".utf8), 0o600, "has a line break or another control character"),
        (Data("sk-secret\u{0}x".utf8), 0o600, "has a line break or another control character"),
        (Data(repeating: 0x61, count: 4097), 0o600, "has more than 4096 bytes"),
        (Data(repeating: 0x61, count: 1 << 20), 0o600, "has more than 4096 bytes"),
    ])
    func whatIsWrongWithAFileIsToldWithItsPlace(data: Data, mode: Int, problem: String) throws {
        try withPolicy(key: "file: a.key", files: ["a.key": (data, mode)]) { policy, folder in
            let loaded = try PolicyLoader.read(path: policy)
            let error = try #require(loaded.error())
            #expect(error.diagnostics.count == 1 && !error.description.contains("sk-secret"))
            #expect(error.diagnostics[0].line == 6)
            #expect(
                error.diagnostics[0].path == "pools.hosted.request.set_fields.Authorization.file")
            #expect(error.description.contains(problem), "\(error)")
            // The policy may be for another machine.
            #expect(loaded.error(isPolicyOnly: true) == nil)
            #expect(value(loaded.policy) == Array("Bearer ".utf8))
        }
    }

    @Test func aFileThatIsMissingIsTold() throws {
        try withPolicy(key: "file: a.key") { policy, folder in
            let error = try #require(try PolicyLoader.read(path: policy).error())
            #expect(error.description.contains("\(folder)/a.key cannot be read: No such file"))
        }
    }

    @Test func variablesAreReadFromTheEnvironment() throws {
        let path = try #require(ProcessInfo.processInfo.environment["PATH"])
        try withPolicy(key: "env: PATH") { policy, _ in
            let loaded = try PolicyLoader.read(path: policy)
            #expect(loaded.error() == nil && value(loaded.policy) == Array("Bearer \(path)".utf8))
        }
        try withPolicy(key: "env: PENSTOCK_TEST_UNSET") { policy, _ in
            let error = try #require(try PolicyLoader.read(path: policy).error())
            #expect(error.description.contains("the variable PENSTOCK_TEST_UNSET is not set"))
            #expect(error.diagnostics[0].path.hasSuffix(".Authorization.env"))
        }
    }

    /// A text is shown where policies are, so that a key does not go into one; other fields may say where they come from.
    @Test func keysAreNotPutIntoTexts() throws {
        func policy(_ field: String) -> String {
            """
            version: 1
            listen: 127.0.0.1:8080
            pools:
              hosted:
                backends: [http://10.0.0.1:8000]
                request: {set_fields: {\(field)}}
            routes: [{path: /*, pool: hosted}]
            """
        }
        let variables = PolicyVariables { $0 == "KEY" ? "sk-secret-of-mine" : nil }
        for field in ["Authorization: \"Bearer ${KEY}\"", "x-api-key: ${KEY}", "API-Key: ${KEY}"] {
            let error = #expect(throws: PolicyError.self) {
                try PolicyLoader.read(
                    text: policy(field), file: "policy.yaml", variables: variables)
            }
            let text = try #require(error).description
            #expect(text.contains("write {env: KEY}") && !text.contains("sk-secret"), "\(text)")
        }
        let plain = try PolicyLoader.read(
            text: policy("X-Region: ${KEY}, Authorization: Basic"), file: "policy.yaml",
            variables: variables)
        #expect(plain.error() == nil)
    }

    @Test func nothingWritesItDown() throws {
        try withPolicy(key: "file: a.key", files: ["a.key": (Data("sk-secret".utf8), 0o600)]) {
            policy, _ in
            let loaded = try PolicyLoader.read(path: policy).policy
            #expect(value(loaded).count == 16)
            var reflected = ""
            dump(loaded, to: &reflected)
            for text in [
                PolicyDump.yaml(loaded), "\(loaded)", String(reflecting: loaded), reflected,
            ] {
                #expect(!text.contains("sk-secret") && !text.contains("115, 107, 45"))
                #expect(text.contains("a.key"))
            }
        }
    }

    @Test func aReloadNamesTheFieldWhoseValueDiffers() throws {
        try withPolicy(key: "file: a.key", files: ["a.key": (Data("sk-1".utf8), 0o600)]) {
            policy, folder in
            let former = try PolicyLoader.read(path: policy).policy
            try Data("sk-2".utf8).write(to: URL(filePath: "\(folder)/a.key"))
            let next = try PolicyLoader.read(path: policy).policy
            #expect(former != next)
            #expect(
                PolicyChanges(from: former, to: next).paths
                    == ["pools.hosted.request.set_fields.Authorization"])
        }
    }
}
