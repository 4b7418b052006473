// WebSocket tunnels: refused unless the policy allows them, opened only when the backend agrees, and
// then bytes both ways with bounds, time-outs and one permit until the end.

import Admission
import Bytes
import Foundation
import HTTP1
import Testing

@testable import Gateway
@testable import Reactor
@testable import Telemetry
@testable import TestSupport

@Suite struct WebSocketTests {
    private static let handshake =
        "GET /chat HTTP/1.1\r\nHost: h\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n"
        + "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    private static let agreement =
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        + "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"
    private static let allowed = "limit: 2, websocket: allow"

    /// A backend that agrees and then runs `script`.
    private func agreeing(
        _ script: @escaping @Sendable (Wire) throws -> Void
    ) throws -> ScriptedBackend {
        try ScriptedBackend { wire, _ in
            _ = try wire.readHead()
            try wire.send(Self.agreement)
            try script(wire)
        }
    }

    private static func echo(_ wire: Wire) throws {
        while true {
            let bytes = try wire.receive(within: 60)
            if bytes.isEmpty { return }
            try wire.send(bytes)
        }
    }

    private func open(_ gateway: RunningGateway) throws -> Wire {
        let client = try gateway.connect()
        try client.send(Self.handshake)
        #expect(try client.read(until: "\r\n\r\n").hasPrefix("HTTP/1.1 101 "))
        return client
    }

    /// A client and a backend with a tunnel between them.
    private func open(_ world: World) throws -> (client: ClientPeer, backend: Peer) {
        let client = world.connect()
        try client.send(Self.handshake)
        let backend = try world.accept()
        _ = try backend.readHead()
        try backend.send(Self.agreement)
        #expect(try client.read(until: "\r\n\r\n").hasPrefix("HTTP/1.1 101 "))
        return (client, backend)
    }

    private func tunnels(_ gateway: RunningGateway) throws -> [UInt64] {
        try gateway.metric { [$0.tunnelsOpened, $0.tunnelsOpen] }
    }

    private func tunnels(_ world: World) -> [UInt64] {
        world.metric { [$0.tunnelsOpened, $0.tunnelsOpen] }
    }

    private func waitingForClient(_ world: World) -> Int? {
        world.pool.upstreams[0].flatMap { world.pool.admission.backend($0.id, now: world.now) }?
            .waitingForClient
    }

    @Test func refusedUnlessThePolicyAllowsIt() throws {
        let backend = try ScriptedBackend.echoing()
        let gateway = try RunningGateway(policyText([backend.url]))
        let client = try gateway.connect()
        try client.send(Self.handshake)
        let answer = try client.readResponse()
        #expect(answer.status == 403)
        #expect(answer.value("X-Penstock-Reason") == "upgrade_refused")
        #expect(answer.values("Upgrade").isEmpty)
        #expect(backend.acceptedCount == 0)
        // The connection is as good as before.
        #expect(try client.get("/").status == 200)
        try gateway.settles(clients: 1)
    }

    /// Java's client asks for h2c with each first request; a server may ignore that.
    @Test func otherUpgradesAreIgnored() throws {
        let passage = try Passage(
            "GET / HTTP/1.1\r\nHost: h\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"
                + "HTTP2-Settings: AAMAAABkAAQ\r\n\r\n", pool: Self.allowed)
        #expect(passage.answer.status == 204 && passage.keepsClient)
        for name in ["Upgrade", "Connection", "HTTP2-Settings"] {
            #expect(passage.request.values(name).isEmpty)
        }
    }

    @Test func heads() throws {
        let world = try World(pool: Self.allowed)
        let client = world.connect()
        try client.send(Self.handshake)
        let backend = try world.accept()
        let request = try backend.readHead()
        try backend.send(Self.agreement)
        backend.close()
        let answer = Message(head: try client.read(until: "\r\n\r\n"))
        #expect(answer.value("Upgrade") == "websocket" && answer.value("Connection") == "Upgrade")
        #expect(answer.value("Sec-WebSocket-Accept") == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")
        #expect(request.values("Connection") == ["Upgrade"])
        #expect(request.values("Upgrade") == ["websocket"])
        #expect(request.value("Sec-WebSocket-Version") == "13")
        #expect(client.ends())
        world.settles(clients: 0, idle: 0)
    }

    @Test func bytesPassBothWaysAndThePermitIsHeld() throws {
        let backend = try agreeing { wire in
            try Self.echo(wire)
        }
        let gateway = try RunningGateway(policyText([backend.url], pool: Self.allowed))
        let client = try open(gateway)
        // None of this is HTTP any more.
        for text in ["hello", "GET / HTTP/1.1\r\n\r\n", "\0\u{1}\r\r\n\n"] {
            try client.send(text)
            #expect(try client.read(count: text.utf8.count) == Array(text.utf8))
        }
        #expect(try gateway.holdings().inFlight == 1)
        #expect(try tunnels(gateway) == [1, 1])
        client.close()
        try gateway.settles(clients: 0, idle: 0)
        #expect(try tunnels(gateway) == [1, 0])
        #expect(try gateway.metric { $0.count(of: .switching, .none) } == 1)
    }

    /// What a client sends behind its handshake waits for the backend's agreement.
    @Test func bytesBehindTheHandshakeGoToTheBackendOnlyOnceItAgreed() throws {
        let world = try World(pool: Self.allowed)
        let client = world.connect()
        try client.send(Self.handshake + "early")
        let backend = try world.accept()
        _ = try backend.readHead()
        #expect(backend.isSilent(for: 0.1))
        try backend.send(Self.agreement)
        try backend.send(try backend.read(count: 5))
        _ = try client.read(until: "\r\n\r\n")
        #expect(try client.read(count: 5) == Array("early".utf8))
        client.close()
        world.settles(clients: 0, idle: 0)
    }

    @Test(arguments: [200, 400, 403, 426])
    func aBackendThatDoesNotAgreeAnswersAsUsual(status: Int) throws {
        let backend = try ScriptedBackend { wire, _ in
            while true {
                _ = try wire.readHead(within: 60)
                try wire.answer("no", status: status)
            }
        }
        let gateway = try RunningGateway(policyText([backend.url], pool: Self.allowed))
        let client = try gateway.connect()
        for _ in 0..<2 {
            try client.send(Self.handshake)
            let answer = try client.readResponse()
            #expect(answer.status == status && answer.bodyText == "no")
        }
        #expect(try tunnels(gateway) == [0, 0])
        try gateway.settles(clients: 1, idle: 1)
    }

    /// What follows a handshake that failed is a request like any other, never a tunnel's bytes.
    @Test func aFailedHandshakeOpensNoWayPastTheParser() throws {
        let world = try World(pool: Self.allowed)
        world.serve { backend, _ in try backend.answer("no", status: 426) }
        let client = world.connect()
        try client.send(Self.handshake + "GET /smuggled HTTP/1.1\nHost: h\n\n")
        #expect(try client.readResponse().status == 426)
        #expect(try client.readResponse().status == 400)
        #expect(client.ends())
        world.settles(clients: 0)
    }

    @Test(arguments: [
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n",
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
    ])
    func anAgreementToSomethingElseIsAnswered502(bytes: String) throws {
        let backend = try ScriptedBackend { wire, _ in
            _ = try wire.readHead()
            try wire.send(bytes)
            _ = wire.ends()
        }
        let gateway = try RunningGateway(policyText([backend.url], pool: Self.allowed))
        let client = try gateway.connect()
        try client.send(Self.handshake)
        let answer = try client.readResponse()
        #expect(answer.status == 502 && answer.value("X-Penstock-Reason") == "upstream_invalid")
        try gateway.settles(clients: 1, idle: 0)
    }

    /// The last bytes of the side that closes arrive, then the other side's end.
    @Test func theBackendsEndIsPassedOn() throws {
        let backend = try agreeing { wire in try wire.send("bye") }
        let gateway = try RunningGateway(policyText([backend.url], pool: Self.allowed))
        let client = try open(gateway)
        #expect(try client.readToEnd() == "bye")
        client.close()
        try gateway.settles(clients: 0, idle: 0)
    }

    @Test(arguments: Leaving.allCases)
    func theClientsEndIsPassedOn(leaving: Leaving) throws {
        let world = try World(pool: Self.allowed)
        let (client, backend) = try open(world)
        try client.send("bye")
        leaving.apply(to: client)
        #expect(try backend.readToEnd() == "bye")
        world.settles(clients: 0, idle: 0)
        #expect(tunnels(world) == [1, 0])
    }

    @Test func aSilentTunnelEnds() throws {
        let world = try World(pool: Self.allowed + ", timeouts: {tunnel_idle: 800ms, idle: 50ms}")
        let (client, _) = try open(world)
        for _ in 0..<6 {
            world.pass(milliseconds: 700)
            try client.send("x")
        }
        let waited = world.milliseconds { #expect(client.ends()) }
        #expect(waited == 800)
        // Also while the client has not closed its side.
        world.settles(clients: 0, idle: 0)
        client.close()
        #expect(world.metric { $0.count(of: .switching, .tunnelIdleTimeout) } == 1)
    }

    /// Water marks bound what a tunnel holds when one side does not read.
    @Test func aSlowSideSlowsTheOther() throws {
        let count = 1 << 20
        let world = try World(
            pool: Self.allowed,
            server: "buffer: {high: 32KiB, low: 8KiB}, max_head_size: 8KiB")
        let (client, backend) = try open(world)
        client.take(0)
        try backend.send(Array(Pattern.bytes(at: 0, count: count)))
        world.pass(milliseconds: 200)
        var got = 0
        while got < count {
            let held = world.gateway.connections.all.map { $0.output.count + $0.input.count }
            #expect(held.reduce(0, +) <= 48 << 10)
            client.take(24 << 10)
            world.pass(milliseconds: 10)
            let bytes = try client.read(count: min(24 << 10, count - got))
            try #require(Pattern.matches(bytes[...], at: got))
            got += bytes.count
        }
        client.close()
        world.settles(clients: 0, idle: 0)
    }

    @Test func bothDirectionsCarryMuchAtOnce() throws {
        let count = 4 << 20
        let arrived = Handover<Bool>()
        let backend = try agreeing { wire in
            onThread { try? wire.sendPattern(count, within: 60) }
            arrived.give(try wire.readPattern(count))
            _ = wire.ends(within: 60)
        }
        let gateway = try RunningGateway(policyText([backend.url], pool: Self.allowed))
        let client = try open(gateway)
        onThread { try? client.sendPattern(count, within: 60) }
        #expect(try client.readPattern(count))
        #expect(try arrived.take("all bytes", within: 30))
        client.close()
        try gateway.settles(clients: 0, idle: 0)
    }

    @Test func aDrainWaitsForTunnelsAsLongAsForOthers() throws {
        let backend = try agreeing { wire in
            try Self.echo(wire)
        }
        let gateway = try RunningGateway(
            policyText([backend.url], pool: Self.allowed, server: "drain_timeout: 500ms"))
        let client = try open(gateway)
        gateway.drain()
        try client.send("still")
        #expect(try client.read(count: 5) == Array("still".utf8))
        #expect(client.ends())
        try gateway.waitForEnd()
    }

    @Test func aTunnelTakesASlotOfTheLimit() throws {
        let world = try World(pool: "limit: 1, websocket: allow, queue: {max_requests: 0}")
        let (client, _) = try open(world)
        try client.send("work")
        #expect(waitingForClient(world) == 0)
        let second = world.connect()
        try second.send(Self.handshake)
        #expect(try second.readResponse().status == 503)
        client.close()
        #expect(world.inFlight == 0)
        second.close()
        let (third, _) = try open(world)
        third.close()
        world.settles(clients: 0, idle: 0)
    }

    /// Tunnels through which nothing has been asked yet, and those that have been quiet for a second,
    /// leave the pool to others.
    @Test func quietTunnelsTakeNoSlot() throws {
        let world = try World(pool: "limit: 1, websocket: allow, queue: {max_requests: 0}")
        let silent = try (0..<5).map { _ in try open(world) }
        try silent[0].client.send("work")
        #expect(try silent[0].backend.read(until: "work") == "work")
        try silent[0].backend.send("done")
        #expect(try silent[0].client.read(until: "done") == "done")
        #expect(waitingForClient(world) == 4)
        world.pass(milliseconds: 1_000)
        #expect(waitingForClient(world) == 5)
        let another = try open(world)
        for (client, _) in silent + [another] { client.close() }
        world.settles(clients: 0, idle: 0)
    }
}
