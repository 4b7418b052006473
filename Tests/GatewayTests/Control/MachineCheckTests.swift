// What the machine would have to give for a policy, and that looking leaves nothing behind.

import Control
import Foundation
import Glibc
import Testing

@testable import Policy
@testable import Reactor
@testable import TestSupport

@Suite struct MachineCheckTests {
    /// What is told of a policy, a line for each fault.
    private static func faults(_ text: String, file: String = "policy.yaml") throws -> [String] {
        let loaded = try PolicyLoader.read(text: text, file: file)
        let error = loaded.error(MachineCheck.faults(loaded.policy, loaded.sources))
        return error?.diagnostics.map(\.description) ?? []
    }

    private static func folder() throws -> String {
        let path = "/tmp/penstock-check-\(getpid())-\(UInt32.random(in: 0 ... .max))"
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        return path
    }

    @Test func whatIsThereIsNoFault() throws {
        let folder = try Self.folder()
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let text = policyText(
            ["http://127.0.0.1:1"], listen: "\"unix:\(folder)/a.sock\", 127.0.0.1:0"
        ).replacingOccurrences(of: "{access: off}", with: "{to: \(folder)/log, access: off}")
        #expect(try Self.faults(text).isEmpty)
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder).isEmpty)
    }

    @Test func filesThatAreNotThere() throws {
        let text = policyText(
            ["https://127.0.0.1:1"], pool: "tls: {ca_file: /nowhere/ca.pem}"
        ).replacingOccurrences(
            of: "log: {access: off}", with: "log:\n  to: /nowhere/log\n  access: /nowhere/access")
        let found = try Self.faults(text)
        #expect(found.count == 3)
        #expect(found[0].hasPrefix("policy.yaml:5:7: error: log.to: cannot open log file"))
        #expect(found[1].hasPrefix("policy.yaml:6:11: error: log.access.to: cannot open log"))
        #expect(found[2].contains("error: pools.main.tls.ca_file: cannot read /nowhere/ca.pem: No"))
    }

    /// Whoever has mended one is not told of the next only then.
    @Test func allFilesOfAllPoolsAreNamed() throws {
        let folder = try Self.folder()
        defer { try? FileManager.default.removeItem(atPath: folder) }
        try Data("no key\n".utf8).write(to: URL(filePath: folder + "/b.pem"))
        try FileManager.default.setAttributes(
            [.posixPermissions: 0o640], ofItemAtPath: folder + "/b.pem")
        try Data("no key\n".utf8).write(to: URL(filePath: folder + "/open.pem"))
        try FileManager.default.setAttributes(
            [.posixPermissions: 0o644], ofItemAtPath: folder + "/open.pem")
        let settings = [
            // One path ends with the other.
            "ca_file: \(folder)/x/b.pem, certificate_file: /b.pem, key_file: /a/b.pem",
            "ca_file: \(folder)/b.pem, certificate_file: \(folder)/b.pem, key_file: \(folder)/b.pem",
            "certificate_file: /none.pem, key_file: \(folder)/open.pem",
        ]
        let pools = settings.enumerated().map { index, settings in
            "  p\(index):\n    backends: [\"https://127.0.0.1:\(index + 1)\"]\n    tls: {\(settings)}"
        }
        let text =
            "listen: 127.0.0.1:0\nadmin: off\nlog: {to: /nowhere/log}\npools:\n"
            + pools.joined(separator: "\n") + "\nroutes: [{path: /*, pool: p0}]\n"
        let found = try Self.faults(text)
        let paths = found.map { String($0.split(separator: " ")[2].dropLast()) }
        #expect(
            paths == [
                "log.to", "pools.p0.tls.ca_file", "pools.p0.tls.certificate_file",
                "pools.p0.tls.key_file", "pools.p1.tls.ca_file", "pools.p1.tls.certificate_file",
                "pools.p1.tls.key_file", "pools.p2.tls.certificate_file", "pools.p2.tls.key_file",
            ])
        #expect(found[1].contains("cannot read \(folder)/x/b.pem: No such file"))
        #expect(found[2].contains("cannot read /b.pem: No such file"))
        #expect(found[3].contains("cannot read /a/b.pem: No such file"))
        #expect(found[4].contains("it holds no certificate in PEM"))
        #expect(found[6].contains("it holds no private key in PEM"))
        #expect(
            found[8].contains(
                "cannot use \(folder)/open.pem: everybody may read it (mode 0644); take that away"))
    }

    /// Those of keys files as well, which a policy can be read without.
    @Test func aKeysFileHidesNothing() throws {
        let folder = try Self.folder()
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let file = folder + "/policy.yaml"
        let text = policyText(
            ["https://127.0.0.1:1"], pool: "tenant: {keys: no.keys}, tls: {ca_file: /nowhere.pem}")
        try Data(text.utf8).write(to: URL(filePath: file))
        let loaded = try PolicyLoader.read(path: file)
        let error = loaded.error(MachineCheck.faults(loaded.policy, loaded.sources))
        let found = error?.diagnostics.map(\.description) ?? []
        #expect(found.count == 2)
        #expect(found[0].contains("error: pools.main.tls.ca_file: cannot read /nowhere.pem"))
        #expect(found[1].hasPrefix("\(folder)/no.keys:1:1: error: keys file: cannot be read"))
    }

    @Test func aLogThatCannotBeOne() throws {
        let folder = try Self.folder()
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let text = policyText(["http://127.0.0.1:1"])
        let found = try Self.faults(
            text.replacingOccurrences(of: "{access: off}", with: "{to: \(folder), access: off}"))
        #expect(found.count == 1 && found[0].contains("log.to: ") && found[0].contains("directory"))
        // A link is followed, also to a file that is to be made.
        for (name, target) in [("there", "./log"), ("nowhere", "/nowhere/log"), ("far", "nowhere")]
        {
            try FileManager.default.createSymbolicLink(
                atPath: "\(folder)/\(name)", withDestinationPath: target)
            let told = try Self.faults(
                text.replacingOccurrences(
                    of: "{access: off}", with: "{to: \(folder)/\(name), access: off}"))
            #expect(told.count == (name == "there" ? 0 : 1), "\(name): \(told)")
        }
        // Whoever reads a FIFO may come later.
        let fifo = folder + "/fifo"
        #expect(unsafe mkfifo(fifo, 0o600) == 0)
        let begun = ContinuousClock.now
        #expect(
            try Self.faults(
                text.replacingOccurrences(of: "{access: off}", with: "{to: \(fifo), access: off}")
            ).isEmpty)
        #expect(ContinuousClock.now - begun < .seconds(2))
    }

    @Test func addressesThatCannotBeHad() throws {
        let folder = try Self.folder()
        defer { try? FileManager.default.removeItem(atPath: folder) }
        try Data().write(to: URL(filePath: folder + "/file"))
        let listen =
            "192.0.2.1:80, \"unix:/nowhere/a.sock\", \"unix:\(folder)/file\", 127.0.0.1:0"
        let found = try Self.faults(policyText(["http://127.0.0.1:1"], listen: listen))
        #expect(found.count == 3)
        #expect(
            found[0].hasPrefix("policy.yaml:2:10: error: listen[0]: cannot listen on 192.0.2.1"))
        #expect(found[1].contains("listen[1]: cannot listen on unix:/nowhere/a.sock: No such file"))
        #expect(found[2].contains("listen[2]: ") && found[2].contains("a regular file lies there"))
    }

    /// Mostly it is that of the gateway that runs.
    @Test func anAddressInUseIsNoFault() throws {
        let path = Place.freshPath()
        let other = try ListeningSocket(.tcp(host: "127.0.0.1", port: 0))
        let file = try ListeningSocket(.unix(path: path))
        let listen = "\(other.address.text), \"unix:\(path)\""
        #expect(try Self.faults(policyText(["http://127.0.0.1:1"], listen: listen)).isEmpty)
        #expect(FileManager.default.fileExists(atPath: path))
        extendLifetime(file)
    }

    /// A folder may have two names, as `/var/run` mostly is `/run`.
    @Test func aBackendThatIsTheGatewayByALink() throws {
        let folder = try Self.folder()
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let link = folder + "/link"
        try FileManager.default.createSymbolicLink(atPath: link, withDestinationPath: folder)
        for name in ["none.sock", "there.sock"] {
            let file =
                name == "there.sock"
                ? try ListeningSocket(.unix(path: "\(folder)/\(name)")) : nil
            let found = try Self.faults(
                policyText(
                    ["http+unix://\(link)/\(name)"], listen: "\"unix:\(folder)/\(name)\""))
            #expect(found.count == 1 && found[0].contains("pools.main.backends[0]: "))
            extendLifetime(file)
        }
    }

    /// So may a listener, and a log or a key where one listens.
    @Test func aFileWithTwoUsesByALink() throws {
        let folder = try Self.folder()
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let link = folder + "/link"
        try FileManager.default.createSymbolicLink(atPath: link, withDestinationPath: folder)
        let policy = folder + "/policy.yaml"
        let keys = folder + "/who.keys"
        for file in [policy, keys] { try Data().write(to: URL(filePath: file)) }
        func found(_ listen: String, log: String, pool: String = "") throws -> [String] {
            let text = policyText(["http://127.0.0.1:1"], pool: pool, listen: listen)
                .replacingOccurrences(of: "{access: off}", with: log)
            return try Self.faults(text, file: policy)
        }
        let sockets = "\"unix:\(folder)/a.sock\", \"unix:\(link)/a.sock\""
        let same = try found(sockets, log: "{access: off}")
        #expect(same.count == 1)
        #expect(same[0].contains("listen[1]: is the same socket as listen[0] (unix:\(folder)/a.so"))
        let socket = try found("\"unix:\(folder)/a.sock\"", log: "{access: \(link)/a.sock}")
        #expect(socket.count == 1)
        #expect(socket[0].contains("log.access.to: \(link)/a.sock is the socket of listen; name"))
        let own = try found("127.0.0.1:0", log: "{to: \(link)/policy.yaml, access: off}")
        #expect(own.count == 1 && own[0].contains("log.to: \(link)/policy.yaml is this policy's"))
        let read = try found(
            "127.0.0.1:0", log: "{access: \(link)/who.keys}", pool: "tenant: {keys: who.keys}")
        #expect(read.count == 1)
        #expect(read[0].contains("is the file of pools.main.tenant.keys.file; name another file"))
        let left = try FileManager.default.contentsOfDirectory(atPath: folder).sorted()
        #expect(left == ["link", "policy.yaml", "who.keys"])
    }

    @Test func moreConnectionsThanDescriptors() throws {
        let most = DescriptorLimit.raise()
        guard most < 1_000_000 else { return }
        let found = try Self.faults(
            policyText(["http://127.0.0.1:1"], server: "max_connections: \(most)"))
        #expect(found.count == 1)
        #expect(found[0].contains("server.max_connections: the limit of open files is \(most)"))
    }
}
