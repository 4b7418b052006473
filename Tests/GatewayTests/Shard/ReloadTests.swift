// A new policy while requests run: what runs ends under the policy it began with, what comes gets the new one, and one
// that cannot be put in force changes nothing.

import Admission
import Foundation
import Policy
import Testing

@testable import Gateway
@testable import Reactor
@testable import TestSupport

@Suite struct ReloadTests {
    private static let get = "GET / HTTP/1.1\r\nHost: h\r\n\r\n"

    /// A backend that begins a stream and ends it when the door is open.
    private func streaming(_ name: String, _ go: Door) throws -> ScriptedBackend {
        try ScriptedBackend.serving { wire, _ in
            try wire.send(
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                    + "\(String(name.utf8.count, radix: 16))\r\n\(name)\r\n")
            try go.pass(within: 20)
            try wire.send("3\r\nend\r\n0\r\n\r\n")
        }
    }

    /// The policy's text with the listener that the gateway has, whose port the kernel chose.
    @Test func aStreamOutlivesItsPool() throws {
        let go = Door()
        let old = try streaming("old", go)
        let new = try ScriptedBackend.echoing()
        let gateway = try RunningGateway(policyText([old.url]))
        let client = try gateway.connect()
        try client.send(Self.get)
        _ = try client.read(until: "old\r\n")
        try gateway.reload(
            policyText([new.url]).replacingOccurrences(of: "main", with: "other"))
        let second = try gateway.connect()
        #expect(try second.get("/").status == 200)
        #expect(new.requests.count == 1)
        // The old pool is kept for what runs in it.
        #expect(try gateway.ask { $0.pools.count } == 2)
        go.open()
        #expect(try client.read(until: "0\r\n\r\n") == "3\r\nend\r\n0\r\n\r\n")
        try eventually("the old pool is forgotten") { try gateway.ask { $0.pools.count } == 1 }
        try gateway.settles(clients: 2, idle: 1)
        eventually("its connections are closed") { old.openCount == 0 }
        // The connection goes on under the new policy.
        #expect(try client.get("/").status == 200)
    }

    @Test func whatWaitsInARemovedPoolIsServed() throws {
        let go = Door()
        let old = try streaming("old", go)
        let new = try ScriptedBackend.echoing()
        let gateway = try RunningGateway(
            policyText([old.url], pool: "limit: 1, queue: {max_wait: 10s}"))
        let clients = try (0..<3).map { _ in try gateway.connect() }
        for client in clients { try client.send(Self.get) }
        try eventually("two wait") { try gateway.holdings().queued == 2 }
        try gateway.reload(
            policyText([new.url]).replacingOccurrences(of: "main", with: "other"))
        go.open()
        for client in clients { #expect(try client.readResponse().bodyText == "oldend") }
        try gateway.settles(clients: 3, idle: 0)
        #expect(try gateway.ask { $0.pools.count } == 1)
    }

    /// The limit of a backend holds over a pool's change of name, for what runs and waits already too.
    @Test func aRenamedPoolKeepsItsLimit() throws {
        let go = Door()
        let backend = try streaming("one", go)
        let text = policyText([backend.url], pool: "limit: 1, queue: {max_wait: 10s}")
        let gateway = try RunningGateway(text)
        let clients = try (0..<4).map { _ in try gateway.connect() }
        try clients[0].send(Self.get)
        _ = try clients[0].read(until: "one\r\n")
        try clients[1].send(Self.get)
        try eventually("one waits") { try gateway.holdings().queued == 1 }
        try gateway.reload(text.replacingOccurrences(of: "main", with: "other"))
        try clients[2].send(Self.get)
        try eventually("two wait") { try gateway.holdings().queued == 2 }
        #expect(backend.acceptedCount == 1)
        // And back again, which finds the same admission once more.
        try gateway.reload(text)
        try clients[3].send(Self.get)
        try eventually("three wait") { try gateway.holdings().queued == 3 }
        #expect(try gateway.holdings().inFlight == 1)
        go.open()
        #expect(try clients[0].read(until: "0\r\n\r\n") == "3\r\nend\r\n0\r\n\r\n")
        for client in clients[1...] { #expect(try client.readResponse().bodyText == "oneend") }
        try eventually("the other name is forgotten") {
            try gateway.askAll { $0.pools.map(\.name) }.allSatisfy { $0 == ["main"] }
        }
        try gateway.settles(clients: 4)
    }

    /// A pool that comes back while it still serves what it had is the same one.
    @Test func aPoolThatComesBackKeepsItsLimit() throws {
        let go = Door()
        let backend = try streaming("one", go)
        let elsewhere = try ScriptedBackend.echoing()
        let text = policyText([backend.url], pool: "limit: 1, queue: {max_wait: 10s}")
        let gateway = try RunningGateway(text)
        let clients = try (0..<2).map { _ in try gateway.connect() }
        try clients[0].send(Self.get)
        _ = try clients[0].read(until: "one\r\n")
        try gateway.reload(
            policyText([elsewhere.url]).replacingOccurrences(of: "main", with: "other"))
        try gateway.reload(text)
        try clients[1].send(Self.get)
        try eventually("one waits") { try gateway.holdings().queued == 1 }
        #expect(backend.acceptedCount == 1)
        go.open()
        for client in clients {
            let rest = try client.read(until: "0\r\n\r\n")
            #expect(rest.hasSuffix("end\r\n0\r\n\r\n"))
        }
        try gateway.settles(clients: 2)
        #expect(try gateway.ask { $0.pools.count } == 1)
    }

    @Test func aStreamOutlivesItsBackend() throws {
        let go = Door()
        let old = try streaming("old", go)
        let new = try ScriptedBackend.echoing()
        let gateway = try RunningGateway(policyText([old.url]))
        let client = try gateway.connect()
        try client.send(Self.get)
        _ = try client.read(until: "old\r\n")
        try gateway.reload(policyText([new.url]))
        let second = try gateway.connect()
        for _ in 0..<5 { #expect(try second.get("/").status == 200) }
        #expect(old.requests.count == 1)
        go.open()
        #expect(try client.read(until: "0\r\n\r\n") == "3\r\nend\r\n0\r\n\r\n")
        try gateway.settles(clients: 2, idle: 1)
    }

    /// A backend that comes back is as good as new: its connections are kept again.
    @Test func aBackendMayLeaveAndComeBack() throws {
        let one = try ScriptedBackend.echoing()
        let two = try ScriptedBackend.echoing()
        let gateway = try RunningGateway(policyText([one.url, two.url]))
        let client = try gateway.connect()
        for _ in 0..<8 { #expect(try client.get("/").status == 200) }
        try gateway.reload(policyText([two.url]))
        #expect(try client.get("/").status == 200)
        try gateway.settles(clients: 1, idle: 1)
        try gateway.reload(policyText([one.url]))
        for _ in 0..<3 { #expect(try client.get("/").status == 200) }
        try gateway.settles(clients: 1, idle: 1)
        try gateway.reload(policyText([two.url, one.url]))
        for _ in 0..<8 { #expect(try client.get("/").status == 200) }
        try gateway.settles(clients: 1, idle: 2)
    }

    /// The same, while a request from before still runs there.
    @Test func aBackendMayComeBackWhileItStillServes() throws {
        let go = Door()
        let stream = try streaming("old", go)
        let other = try ScriptedBackend.echoing()
        let gateway = try RunningGateway(policyText([stream.url]))
        let client = try gateway.connect()
        try client.send(Self.get)
        _ = try client.read(until: "old\r\n")
        try gateway.reload(policyText([other.url]))
        try gateway.reload(policyText([stream.url], pool: "limit: 1, queue: {max_wait: 10s}"))
        let second = try gateway.connect()
        try second.send(Self.get)
        // The slot that the first request holds still counts.
        try eventually("the second waits") { try gateway.holdings().queued == 1 }
        go.open()
        #expect(try second.readResponse().bodyText == "oldend")
        try gateway.settles(clients: 2, idle: 1)
    }

    @Test func changedLimitsActAtOnce() throws {
        let go = Door()
        let backend = try streaming("x", go)
        let gateway = try RunningGateway(
            policyText([backend.url], pool: "limit: 1, queue: {max_wait: 10s}"))
        let clients = try (0..<3).map { _ in try gateway.connect() }
        for client in clients { try client.send(Self.get) }
        try eventually("two wait") { try gateway.holdings().queued == 2 }
        try gateway.reload(policyText([backend.url], pool: "limit: 3, queue: {max_wait: 10s}"))
        try eventually("all run") { try gateway.holdings().inFlight == 3 }
        go.open()
        for client in clients { #expect(try client.readResponse().bodyText == "xend") }
        try gateway.settles(clients: 3, idle: 3)
    }

    @Test func aBackendThatLeavesIsNotWaitedFor() throws {
        let go = Door()
        let old = try streaming("old", go)
        let new = try ScriptedBackend.echoing()
        let gateway = try RunningGateway(
            policyText([old.url], pool: "limit: 1, queue: {max_wait: 10s}"))
        let first = try gateway.connect()
        try first.send(Self.get)
        try eventually("one runs") { try gateway.holdings().inFlight == 1 }
        let second = try gateway.connect()
        try second.send(Self.get)
        try eventually("one waits") { try gateway.holdings().queued == 1 }
        try gateway.reload(policyText([new.url], pool: "limit: 1, queue: {max_wait: 10s}"))
        #expect(try second.readResponse().status == 200)
        #expect(new.requests.count == 1)
        go.open()
        #expect(try first.readResponse().bodyText == "oldend")
        try gateway.settles(clients: 2, idle: 1)
    }

    @Test func listenersComeAndGo() throws {
        let backend = try ScriptedBackend.echoing()
        let path = Place.freshPath()
        let gateway = try RunningGateway(policyText([backend.url]))
        let client = try gateway.connect()
        #expect(try client.get("/").status == 200)
        try gateway.reload(policyText([backend.url], listen: "127.0.0.1:0, \"unix:\(path)\""))
        let local = try Wire(to: .unix(path: path))
        #expect(try local.get("/").status == 200)
        // The listener that stays keeps its port.
        #expect(try gateway.connect().get("/").status == 200)
        try gateway.reload(policyText([backend.url], listen: "\"unix:\(path)\""))
        #expect(throws: HarnessError.self) { try gateway.connect() }
        // Connections outlive their listener.
        #expect(try client.get("/").status == 200)
        #expect(try local.get("/").status == 200)
        try gateway.reload(policyText([backend.url]))
        #expect(!FileManager.default.fileExists(atPath: path))
    }

    @Test func aReloadChangesWhoMayConnect() throws {
        let backend = try ScriptedBackend.echoing()
        let path = Place.freshPath()
        let second = Place.freshPath()
        let admin = Place.freshPath()
        func text(_ mode: String, _ more: String = "", admin adminMode: String) -> String {
            let listen =
                "{address: \"unix:\(path)\", mode: \"\(mode)\"}, {address: \"unix:\(second)\"\(more)}"
            return policyText([backend.url], listen: listen).replacingOccurrences(
                of: "admin: off",
                with: "admin: {address: \"unix:\(admin)\", mode: \"\(adminMode)\"}")
        }
        func modes() throws -> [Int] {
            try [path, second, admin].map {
                let attributes = try FileManager.default.attributesOfItem(atPath: $0)
                return try #require(attributes[.posixPermissions] as? Int)
            }
        }
        let gateway = try RunningGateway(text("0600", admin: "0600"))
        #expect(try modes() == [0o600, 0o666, 0o600])
        let client = try gateway.connect()
        #expect(try client.get("/").status == 200)
        try gateway.reload(text("0660", admin: "0640"))
        #expect(try modes() == [0o660, 0o666, 0o640])
        #expect(try client.get("/").status == 200)
        #expect(try gateway.connect().get("/").status == 200)
        // Where one of them cannot have its access, all keep theirs.
        try FileManager.default.removeItem(atPath: second)
        #expect(throws: SystemError.self) {
            try gateway.reload(text("0606", ", mode: \"0606\"", admin: "0666"))
        }
        let kept = try [path, admin].map {
            try #require(
                FileManager.default.attributesOfItem(atPath: $0)[.posixPermissions] as? Int)
        }
        #expect(kept == [0o660, 0o640])
        try gateway.stop()
        #expect(![path, second, admin].contains { FileManager.default.fileExists(atPath: $0) })
    }

    @Test func anAddressInUseLeavesEverythingAsItWas() throws {
        let backend = try ScriptedBackend.echoing()
        let taken = try ScriptedBackend.echoing()
        let path = Place.freshPath()
        let gateway = try RunningGateway(policyText([backend.url]))
        let port = taken.url.split(separator: ":").last ?? ""
        #expect(throws: SystemError.self) {
            try gateway.reload(
                policyText(
                    [backend.url], listen: "\"unix:\(path)\", 127.0.0.1:\(port)"))
        }
        #expect(!FileManager.default.fileExists(atPath: path))
        #expect(throws: SystemError.self) {
            try gateway.reload(
                policyText([backend.url], listen: "\"unix:\(path)\"").replacingOccurrences(
                    of: "admin: off", with: "admin: 127.0.0.1:\(port)"))
        }
        #expect(!FileManager.default.fileExists(atPath: path))
        #expect(try gateway.connect().get("/").status == 200)
        #expect(taken.requests.isEmpty && backend.requests.count == 1)
    }

    @Test func aLargerCapLetsInWhoWaitedOutside() throws {
        let backend = try ScriptedBackend.echoing()
        let gateway = try RunningGateway(policyText([backend.url], server: "max_connections: 1"))
        let first = try gateway.connect()
        #expect(try first.get("/").status == 200)
        let second = try gateway.connect()
        try second.send(Self.get)
        try eventually("accepting pauses") { try gateway.acceptPauses() > 0 }
        try gateway.reload(policyText([backend.url], server: "max_connections: 2"))
        #expect(try second.readResponse().status == 200)
    }

    @Test func learntLimitsSurviveWhatDoesNotConcernThem() throws {
        let backend = try ScriptedBackend.serving { wire, _ in try wire.answer("x", status: 503) }
        let pool = "limit: {algorithm: aimd, initial: 20}"
        let gateway = try RunningGateway(policyText([backend.url], pool: pool))
        let client = try gateway.connect()
        _ = try client.get("/")
        try gateway.settles()
        let learnt = try gateway.ask { $0.snapshot.pools[0].admission.limit }
        #expect(learnt < 20)
        try gateway.reload(
            policyText([backend.url], pool: "\(pool), queue: {max_requests: 3}"))
        #expect(try gateway.ask { $0.snapshot.pools[0].admission.limit } == learnt)
    }
}
