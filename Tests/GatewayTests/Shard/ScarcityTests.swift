// Connections that are scarce: those that rest give way, silent ones go early, and no client network has
// more than its share of connections, of heads and of bodies.

import CShims
import Foundation
import Glibc
import Policy
import Testing

@testable import Gateway
@testable import Reactor
@testable import Telemetry
@testable import TestSupport

@Suite struct ScarcityTests {
    private static let get = "GET / HTTP/1.1\r\nHost: h\r\n\r\n"
    private static let partOfAHead = "GET / HTTP/1.1\r\nHo"
    private static let partOfABody =
        "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 100000\r\n\r\nb"

    // MARK: At the cap

    @Test(arguments: [1, 4])
    func whoRestsLongestGivesWay(threads: Int) throws {
        let backend = try ScriptedBackend.echoing()
        let gateway = try RunningGateway(
            policyText([backend.url], server: "max_connections: 4"), threads: threads)
        var clients: [Wire] = []
        for _ in 0..<4 {
            clients.append(try gateway.connect())
            #expect(try clients[clients.count - 1].get("/").status == 200)
        }
        let late = try gateway.connect()
        #expect(try late.get("/").status == 200)
        #expect(clients.count { $0.ends(within: 0.05) } == 1)
        if threads == 1 { #expect(clients[0].ends()) }
        let counts = try gateway.askAll {
            [$0.metrics.capReached, $0.metrics.connectionsEvicted]
        }
        #expect(counts.map { $0[0] }.reduce(0, +) >= 1)
        #expect(counts.map { $0[1] }.reduce(0, +) == 1)
        #expect(try gateway.holdings().clients == 4)
    }

    /// Requests that run are never ended for others.
    @Test func whoIsServedStays() throws {
        let go = Door()
        let backend = try ScriptedBackend.held(until: go)
        let gateway = try RunningGateway(
            policyText([backend.url], server: "max_connections: 2"), threads: 1)
        let clients = try (0..<3).map { _ in try gateway.connect() }
        for client in clients { try client.send(Self.get) }
        #expect(clients[2].isSilent(for: 1.3))
        go.open()
        for client in clients { #expect(try client.readResponse().status == 200) }
    }

    @Test func probesAreAnsweredBesideManySilentConnections() throws {
        let backend = try ScriptedBackend.echoing()
        let text = policyText([backend.url]).replacingOccurrences(
            of: "admin: off", with: "admin: \"127.0.0.1:0\"")
        let gateway = try RunningGateway(text)
        let place = RunningGateway.place(try #require(gateway.adminAddress))
        let silent = try (0..<64).map { _ in try Wire(to: place) }
        for _ in 0..<3 { #expect(try Wire(to: place).get("/healthz").status == 200) }
        #expect((1...3).contains(silent.count { $0.ends(within: 0.01) }))
    }

    // MARK: Silent connections

    @Test(arguments: [3, 2])
    func whoSendsNothingHasAHeadsTimeWhereConnectionsAreScarce(others: Int) throws {
        let world = try World(server: "max_connections: 4")
        let silent = world.connect()
        let used = world.connect()
        try used.send(Self.get)
        let backend = try world.accept()
        try backend.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        let more = (0..<(others - 1)).map { _ in world.connect() }
        world.pass(milliseconds: 11_000)
        let isShort = others == 3
        // When one has gone, connections are scarce no more.
        #expect(([silent] + more).count { !$0.isOpen } == (isShort ? 1 : 0) && used.isOpen)
        world.pass(milliseconds: 65_000)
        #expect(!silent.isOpen && !used.isOpen)
    }

    // MARK: Crowds

    private static let promise =
        "POST / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 9\r\n\r\n"

    /// Clients that are waited for take no slot, up to 64 of them; of more the slowest lose theirs to
    /// whoever finds no room.
    @Test func aCrowdOfSlowClientsGivesWay() throws {
        let world = try World(pool: "limit: 2")
        let slow = try (0..<66).map { _ in
            let client = world.connect()
            try client.send(Self.promise)
            _ = try world.accept()
            return client
        }
        // While nobody else wants their slots, nobody loses one.
        world.pass(milliseconds: 500)
        #expect(world.inFlight == 66 && slow.allSatisfy { $0.got.isEmpty })
        // All but two send something.
        for client in slow[2...] { try client.send("12") }
        let first = world.connect()
        try first.send(Self.get)
        world.pass(milliseconds: 20)
        let backend = try world.accept()
        try backend.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        #expect(first.got.hasPrefix("HTTP/1.1 200 "))
        for (index, client) in slow.enumerated() {
            #expect(client.got.hasPrefix("HTTP/1.1 408 ") == (index < 2), "\(index)")
        }
        #expect(world.inFlight == 64)
    }

    /// Those that send as fast as they can are not slow, many as they may be.
    @Test func aCrowdOfFastClientsDoesNot() throws {
        let world = try World(pool: "limit: 2", server: "body_before_queue: 0B")
        let head = "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1000000\r\n\r\n"
        let fast = try (0..<66).map { _ in
            let client = world.connect()
            try client.send(head)
            _ = try world.accept()
            return client
        }
        let other = world.connect()
        try other.send(Self.get)
        let piece = String(repeating: "x", count: 10_000)
        for _ in 0..<10 {
            for client in fast { try client.send(piece) }
            world.pass(milliseconds: 50)
        }
        #expect(fast.allSatisfy { $0.got.isEmpty && $0.isOpen } && world.queued == 1)
    }

    // MARK: Networks

    @Test func networksAreCountedInOneTable() {
        let networks = ClientNetworks()
        #expect(
            networks.acquire(.connections, 7, most: 2) && networks.acquire(.connections, 7, most: 2)
        )
        #expect(!networks.acquire(.connections, 7, most: 2))
        #expect(networks.acquire(.connections, 8, most: 2) && networks.acquire(.heads, 7, most: 1))
        #expect(networks.count == 2)
        for _ in 0..<2 { networks.release(.connections, 7) }
        networks.release(.connections, 8)
        #expect(networks.count == 1 && !networks.acquire(.heads, 7, most: 1))
        networks.release(.heads, 7)
        #expect(networks.count == 0)
    }

    @Test func unfinishedHeadsHaveABound() throws {
        let world = try World(server: "max_connections: 1000, per_network: {heads: 0.001}")
        let slow = (0..<17).map { _ in world.connect(network: 1) }
        for client in slow { try client.send(Self.partOfAHead) }
        #expect(slow.prefix(16).allSatisfy { $0.got.isEmpty })
        #expect(slow[16].got.hasPrefix("HTTP/1.1 503 ") && slow[16].got.contains("exhausted"))
        // Others, and whole heads of the same network, are served.
        for network: UInt64 in [0, 1, 2] {
            let client = world.connect(network: network)
            try client.send(Self.get)
            #expect(client.got.isEmpty && client.isOpen)
        }
        #expect(world.inFlight == 3)
        try slow[0].send("st: h\r\n\r\n")
        let next = world.connect(network: 1)
        try next.send(Self.partOfAHead)
        #expect(next.got.isEmpty)
        #expect(world.gateway.metrics.networkRefusals == [0, 1, 0])
    }

    @Test(arguments: ["", ", body_before_queue: 0B"])
    func unfinishedBodiesHaveABound(server: String) throws {
        let world = try World(
            server: "max_connections: 1000, per_network: {bodies: 0.001}\(server)")
        let slow = (0..<17).map { _ in world.connect(network: 1) }
        for client in slow {
            try client.send(Self.partOfABody)
            if !server.isEmpty { _ = world.acceptIfDialled() }
        }
        #expect(slow.prefix(16).allSatisfy { $0.got.isEmpty })
        #expect(slow[16].got.hasPrefix("HTTP/1.1 503 ") && slow[16].got.contains("exhausted"))
        #expect(world.inFlight == (server.isEmpty ? 0 : 16))
        let other = world.connect(network: 2)
        try other.send(Self.partOfABody)
        #expect(other.got.isEmpty)
        for client in slow {
            client.close()
        }
        world.pass(milliseconds: 3_000)
        #expect(world.gateway.group.networks.count == 1)
    }

    @Test func addressesHaveNetworks() throws {
        let trusted = [
            TrustedPeer.network(
                Network(lowest: UInt128(0xffff) << 32 | 0x0a00_0000, prefixLength: 104, text: ""))
        ]
        func network(_ text: String) -> UInt64 {
            PeerAddressText.address(text).network(unlessAmong: trusted)
        }
        #expect(network("127.0.0.1") == 0 && network("127.9.9.9") == 0 && network("::1") == 0)
        #expect(network("10.1.2.3") == 0 && PeerAddress().network(unlessAmong: []) == 0)
        #expect(network("192.0.2.1") != 0 && network("192.0.2.1") != network("192.0.2.2"))
        #expect(network("2001:db8::1") == network("2001:db8::ffff:2"))
        #expect(network("2001:db8:0:1::1") != network("2001:db8::1"))
        #expect(network("::ffff:192.0.2.1") == network("192.0.2.1"))
    }
}

/// Addresses of peers as `accept` would give them.
private enum PeerAddressText {
    static func address(_ text: String) -> PeerAddress {
        var storage = sockaddr_storage()
        var four = sockaddr_in()
        var six = sockaddr_in6()
        if unsafe inet_pton(AF_INET, text, &four.sin_addr) == 1 {
            four.sin_family = sa_family_t(AF_INET)
            unsafe withUnsafeMutableBytes(of: &storage) {
                unsafe $0.storeBytes(of: four, as: sockaddr_in.self)
            }
        } else if unsafe inet_pton(AF_INET6, text, &six.sin6_addr) == 1 {
            six.sin6_family = sa_family_t(AF_INET6)
            unsafe withUnsafeMutableBytes(of: &storage) {
                unsafe $0.storeBytes(of: six, as: sockaddr_in6.self)
            }
        }
        return PeerAddress(storage)
    }
}
