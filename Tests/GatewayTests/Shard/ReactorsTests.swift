// Several reactors in one gateway: connections are spread, bounds hold over all of them, grants cross threads, and what
// each has counted is added up. What one reactor does is tested everywhere else, with four as well.

import Admission
import Foundation
import Policy
import Synchronization
import Testing

@testable import Gateway
@testable import Reactor
@testable import Telemetry
@testable import TestSupport

@Suite struct ReactorsTests {
    private static let get = "GET / HTTP/1.1\r\nHost: h\r\n\r\n"

    /// Few connections that stay are what a hash spreads badly.
    @Test(arguments: ["127.0.0.1:0", "[::1]:0", "unix:\(Place.freshPath())"])
    func fewConnectionsAreSpreadEvenly(listen: String) throws {
        let backend = try ScriptedBackend.echoing()
        let gateway = try RunningGateway(
            policyText([backend.url], listen: "\"\(listen)\""), threads: 4)
        let clients = try (0..<10).map { _ in
            let client = try gateway.connect()
            #expect(try client.get("/").status == 200)
            return client
        }
        #expect(try gateway.askAll { $0.connections.count }.sorted() == [2, 2, 3, 3])
        for client in clients { #expect(try client.get("/").status == 200) }
    }

    @Test func theCapHoldsOverAllReactors() throws {
        let backend = try ScriptedBackend.echoing()
        let gateway = try RunningGateway(
            policyText([backend.url], server: "max_connections: 5"), threads: 4)
        let clients = try (0..<8).map { _ in try gateway.connect() }
        for client in clients { try client.send(Self.get) }
        try eventually("five are served") {
            try gateway.metric { $0.count(of: .success, .none) } == 5
        }
        let served = clients.filter { !$0.isSilent(for: 0.02) }
        #expect(served.count == 5)
        #expect(try gateway.holdings().clients == 5)
        let waiting = clients.filter { client in !served.contains { $0 === client } }
        // Whoever leaves makes room for one that waits at any reactor.
        for client in served.prefix(3) { client.close() }
        for client in waiting { #expect(try client.readResponse().status == 200) }
        #expect(try gateway.acceptPauses() > 0)
    }

    /// Room that a reactor had taken and did not need is told of like that of a connection that ended.
    @Test func roomThatWasNotNeededGoesToThoseThatWait() throws {
        let backend = try ScriptedBackend.serving { wire, _ in try wire.answer("ok") }
        let gateway = try RunningGateway(
            policyText([backend.url], server: "max_connections: 1"), threads: 2)
        // As if one reactor were just looking whether anybody is there.
        #expect(gateway.reserveConnection(most: 1))
        var clients: [Wire] = []
        try eventually("both listeners wait") {
            let client = try gateway.connect()
            try client.send("GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
            clients.append(client)
            return try gateway.acceptPauses() == 2
        }
        // A try that fails leaves no trace.
        #expect(!gateway.reserveConnection(most: 1))
        #expect(try gateway.holdings().clients == 0)
        gateway.releaseConnection()
        for client in clients { #expect(try client.readResponse().status == 200) }
    }

    @Test func aSlotThatComesFreeIsGivenToAnotherReactor() throws {
        let started = Mutex<[String]>([])
        let steps = (0..<8).map { _ in Door() }
        let backend = try ScriptedBackend { wire, _ in
            while true {
                let request = try wire.readRequest(within: 20)
                let target = request.startLine.split(separator: " ")[1]
                started.withLock { $0.append(String(target)) }
                try steps[Int(target.dropFirst()) ?? 0].pass()
                try wire.answer("ok")
            }
        }
        let gateway = try RunningGateway(
            policyText([backend.url], pool: "limit: 1, queue: {max_wait: 10s}"), threads: 4)
        let clients = try (0..<8).map { _ in try gateway.connect() }
        for (number, client) in clients.enumerated() {
            try client.send("GET /\(number) HTTP/1.1\r\nHost: h\r\n\r\n")
            try eventually("it runs or waits") {
                let now = try gateway.holdings()
                return now.inFlight == 1 && now.queued == number
            }
        }
        // One after the other, in the order of arrival, whichever reactor they are at.
        for (number, client) in clients.enumerated() {
            eventually("its turn comes") { started.withLock { $0.count } == number + 1 }
            #expect(started.withLock { $0.last } == "/\(number)")
            steps[number].open()
            #expect(try client.readResponse().status == 200)
        }
        try gateway.settles(clients: 8)
    }

    /// Who waits is told in time at whichever reactor, though another one has the slot.
    @Test func waitingEndsInTimeAtEveryReactor() throws {
        let go = Door()
        let backend = try ScriptedBackend.held(until: go)
        let gateway = try RunningGateway(
            policyText([backend.url], pool: "limit: 1, queue: {max_wait: 100ms}"), threads: 4)
        let first = try gateway.connect()
        try first.send(Self.get)
        try eventually("one runs") { try gateway.holdings().inFlight == 1 }
        let others = try (0..<4).map { _ in try gateway.connect() }
        for client in others { try client.send(Self.get) }
        for client in others {
            let response = try client.readResponse()
            #expect(response.status == 503)
            #expect(response.value("X-Penstock-Reason") == "queue_timeout")
        }
        go.open()
        #expect(try first.readResponse().status == 200)
        try gateway.settles(clients: 5, idle: 1)
    }

    /// Clients that leave at any moment, above all while their grant is on its way from another thread.
    @Test(arguments: [1, 2, 3] as [UInt64])
    func noPermitIsLost(seed: UInt64) throws {
        let backend = try ScriptedBackend.serving { wire, _ in try wire.answer("ok") }
        let gateway = try RunningGateway(
            policyText([backend.url], pool: "limit: 2, queue: {max_requests: 64, max_wait: 10s}"),
            threads: 4)
        let done = DispatchSemaphore(value: 0)
        for worker in 0..<4 {
            onThread {
                defer { done.signal() }
                var random = SplitMix64(seed: seed &* 16 &+ UInt64(worker))
                for _ in 0..<60 {
                    guard let client = try? gateway.connect() else { continue }
                    try? client.send(Self.get)
                    // Left to chance, so that every moment between two threads is met.
                    usleep(UInt32(random.next() % 1_500))
                    switch random.next() % 3 {
                    case 0: client.reset()
                    case 1: client.close()
                    default: _ = try? client.readResponse()
                    }
                }
            }
        }
        for _ in 0..<4 { #expect(done.wait(timeout: .now() + 60) == .success, "seed \(seed)") }
        try gateway.settles(clients: 0)
        // Both slots are still there.
        for _ in 0..<4 { #expect(try gateway.connect().get("/").status == 200, "seed \(seed)") }
    }

    /// Reactors take a policy over one after the other; no request may meet half of it.
    @Test func requestsGoOnThroughReloads() throws {
        let one = try ScriptedBackend.echoing()
        let two = try ScriptedBackend.echoing()
        let gateway = try RunningGateway(policyText([one.url]), threads: 4)
        let ends = Mutex(false)
        let failures = Mutex<[Int]>([])
        let done = DispatchSemaphore(value: 0)
        for _ in 0..<4 {
            onThread {
                defer { done.signal() }
                guard let client = try? gateway.connect() else { return }
                while !ends.withLock({ $0 }) {
                    let status = (try? client.get("/").status) ?? 0
                    if status != 200 { failures.withLock { $0.append(status) } }
                }
            }
        }
        for round in 0..<40 {
            let backends = [[two.url], [one.url, two.url], [one.url]][round % 3]
            let tenants = round % 2 == 0 ? ", tenant: {header: x-tenant}" : ""
            try gateway.reload(policyText(backends, pool: "limit: 100\(tenants)"))
        }
        ends.withLock { $0 = true }
        for _ in 0..<4 { #expect(done.wait(timeout: .now() + 60) == .success) }
        #expect(failures.withLock { $0 } == [])
        #expect(!one.requests.isEmpty && !two.requests.isEmpty)
        try gateway.settles(clients: nil)
    }

    /// A listener that a reload adds has a socket in every reactor, and one that it takes away in none.
    @Test func listenersComeAndGoInAllReactors() throws {
        let backend = try ScriptedBackend.echoing()
        let path = Place.freshPath()
        let gateway = try RunningGateway(policyText([backend.url]), threads: 3)
        #expect(try gateway.askAll { $0.listeners.count } == [1, 1, 1])
        try gateway.reload(policyText([backend.url], listen: "127.0.0.2:0, \"unix:\(path)\""))
        try eventually("all have it") { try gateway.askAll { $0.listeners.count } == [2, 1, 1] }
        let addresses = try gateway.askAll { $0.listeners[0].address }
        #expect(Set(addresses).count == 1)
        #expect(throws: HarnessError.self) { try gateway.connect() }
        let client = try Wire(to: .unix(path: path))
        #expect(try client.get("/").status == 200)
    }

    /// Sharing an address among reactors must not share it with whoever comes next.
    @Test func aSharedAddressIsInUseForOthers() throws {
        let backend = try ScriptedBackend.echoing()
        let gateway = try RunningGateway(policyText([backend.url]), threads: 2)
        guard case .loopback(let port) = gateway.place else { return }
        #expect(throws: SystemError.self) {
            try RunningGateway(
                policyText([backend.url], listen: "127.0.0.1:\(port)"), threads: 2)
        }
        #expect(try gateway.connect().get("/").status == 200)
    }

    // MARK: Counters

    @Test func aScrapeAddsUpWhatAllReactorsCounted() throws {
        let backend = try ScriptedBackend.echoing()
        let text = policyText([backend.url]).replacingOccurrences(
            of: "admin: off", with: "admin: 127.0.0.1:0")
        let gateway = try RunningGateway(text, threads: 4)
        let clients = try (0..<8).map { _ in try gateway.connect() }
        for client in clients {
            for _ in 0..<5 { #expect(try client.get("/").status == 200) }
        }
        let admin = try Wire(to: RunningGateway.place(try #require(gateway.adminAddress)))
        try eventually("all are counted") {
            let page = try admin.get("/metrics", host: "localhost").bodyText
            return page.contains(
                "penstock_requests_total{pool=\"main\",code=\"2xx\",reason=\"none\"} 40\n")
        }
        let page = try admin.get("/metrics", host: "localhost").bodyText
        #expect(page.contains("penstock_client_connections 8\n"))
        #expect(page.contains("penstock_client_connections_accepted_total 8\n"))
        #expect(page.contains("penstock_request_seconds_count{pool=\"main\"} 40\n"))
        let url = "pool=\"main\",backend=\"\(backend.url)\""
        #expect(page.contains("penstock_upstream_connections_idle{\(url)} 4\n"))
        #expect(page.contains("penstock_upstream_connections_opened_total{\(url)} 4\n"))
        #expect(
            try admin.get("/status", host: "localhost").bodyText.contains(
                "\"client_connections\":{\"open\":8"))
    }

    /// A counter that a walk forgets would be missing in every sum.
    @Test func everyCounterIsAddedUp() {
        let pool = PoolMetrics(name: "p", backends: ["b"])
        var walk = CounterWalk(adding: Array(repeating: 1, count: 1_000))
        pool.walk(&walk)
        // Sums have rows of their own.
        expectCounted(pool, leavingOut: ["reasonCount", "trafficCount"])
        let traffic = pool.traffic(pool.model([]), pool.classes[0], tenant: -1)
        var ofTraffic = CounterWalk(adding: Array(repeating: 1, count: 1_000))
        traffic.walk(&ofTraffic)
        expectCounted(traffic, leavingOut: ["streams", "tenant"])
        var ofStreams = CounterWalk(adding: Array(repeating: 1, count: 1_000))
        traffic.streams.walk(&ofStreams)
        expectCounted(traffic.streams, leavingOut: ["priorityClass", "traffic"])
        var ofClass = CounterWalk(adding: Array(repeating: 1, count: 1_000))
        pool.classes[0].walk(&ofClass)
        expectCounted(pool.classes[0], leavingOut: ["reasonCount"])
        var ofBackend = CounterWalk(adding: Array(repeating: 1, count: 1_000))
        pool.backends[0].walk(&ofBackend)
        expectCounted(pool.backends[0], leavingOut: [])
        let gateway = GatewayMetrics(version: "v", startNanoseconds: 1)
        var ofGateway = CounterWalk(adding: Array(repeating: 1, count: 1_000))
        gateway.walk(&ofGateway)
        // Reloads happen in the leading reactor.
        expectCounted(
            gateway,
            leavingOut: [
                "startNanoseconds", "lastReloadNanoseconds", "reloads", "reloadFailures",
                "stateWrites", "certificateReloads", "policySources",
            ])
        #expect(gateway.handshakes.full == 1 && gateway.handshakes.resumed == 1)
        gateway.countStateWrite(failed: true)
        gateway.countStateWrite(failed: false)
        gateway.countCertificateReload(failed: true)
        gateway.countHandshake(isResumed: true, nanoseconds: 5)
        gateway.countHandshake(failed: .crowded)
        let life = gateway.copyOfLife()
        // The admin listener's are of the controlling thread.
        #expect(life.certificateReloads.failed == 1 && life.handshakes.resumed == 2)
        #expect(life.failedHandshakes[HandshakeFault.crowded.index] == 2)
        #expect(life.handshakeTimes.sumNanoseconds == gateway.handshakeTimes.sumNanoseconds)
        #expect(life.stateWrites.all == 2 && life.stateWrites.failed == 1)
    }

    private func expectCounted(_ object: Any, leavingOut: Set<String>) {
        for child in Mirror(reflecting: object).children {
            guard let name = child.label, !leavingOut.contains(name) else { continue }
            switch child.value {
            case let counter as UInt64: #expect(counter == 1, "\(name)")
            // A sum is two counters of a walk.
            case let sum as UInt128: #expect(sum == UInt128(1) << 64 | 1, "\(name)")
            case is (full: UInt64, resumed: UInt64): break
            case let counters as [UInt64]: #expect(counters.allSatisfy { $0 == 1 }, "\(name)")
            case let histogram as Histogram:
                #expect(histogram.counts.allSatisfy { $0 == 1 }, "\(name)")
                #expect(histogram.sumNanoseconds == UInt128(1) << 64 | 1, "\(name)")
            case is String, is Bool, is [ClassMetrics], is [BackendMetrics]: break
            default: Issue.record("\(name) is of a kind that this test does not know")
            }
        }
    }

    // MARK: How many

    @Test func quotasAreRoundedUp() {
        #expect(ProcessorCount.processors(quota: 150_000, period: 100_000) == 2)
        #expect(ProcessorCount.processors(quota: 50_000, period: 100_000) == 1)
        #expect(ProcessorCount.processors(quota: 400_000, period: 100_000) == 4)
        #expect(ProcessorCount.processors(quota: -1, period: 100_000) == nil)
        #expect(ProcessorCount.processors(quota: nil, period: 100_000) == nil)
        #expect(ProcessorCount.usable() >= 1)
        #expect(ProcessorCount.usable() <= ProcessInfo.processInfo.processorCount)
    }
}
