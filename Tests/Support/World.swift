// A whole gateway whose connections are in memory and whose clock is the caller's: minutes pass in no
// time, and what each side takes and sends, and when, is exactly what a test or a fuzzer says.

import Admission
import Logging
import Policy

@testable import Gateway
@testable import Reactor
@testable import Telemetry

/// A gateway of one reactor, stepped by hand, with its clients, its backends and its clock.
final class World {
    /// What a backend that serves does with each request that has come whole.
    typealias Service = (Peer, Message) throws -> Void

    /// Where the backend is that is never really dialled.
    static let backendURL = "http://127.0.0.1:9"
    /// Longest time that passes between two looks at something.
    static let step = 10

    let gateway: Shard
    private(set) var now = Instant(nanoseconds: 1_000_000_000_000)
    /// The connections to backends that were accepted, in order.
    private var accepted: [Line] = []
    /// The requests that a service was given, in order.
    private(set) var requests: [Message] = []
    private var service: Service?
    private var isServing = false
    private var isTurning = false
    private var plans: [Plan] = []

    /// Something that is to happen later.
    private struct Plan {
        let at: Instant
        let act: () throws -> Void
    }

    init(_ policy: Policy, seed: UInt64 = 1) throws {
        gateway = try Shard.alone(policy, seed: seed)
        gateway.dialler.holdsDials = true
        turn()
    }

    convenience init(text: String) throws {
        try self.init(try PolicyLoader.load(text: text, file: "policy.yaml"))
    }

    convenience init(
        pool: String = "limit: 100", server: String = "", more: String = ""
    ) throws {
        try self.init(
            text: policyText([World.backendURL], pool: pool, server: server, more: more))
    }

    deinit { gateway.letGo() }

    // MARK: Time

    /// Lets `events` happen, and those be done that yielded meanwhile: they go on in the next turns.
    ///
    /// What peers do within `events` happens in the same turn.
    func turn(_ events: () -> Void = {}) {
        if isTurning { return events() }
        isTurning = true
        gateway.reactor.turn(at: now, events)
        isTurning = false
        for _ in 0..<4 { gateway.reactor.turn(at: now) {} }
        serveBackends()
    }

    /// Lets time pass at once, as for a reactor that did not get to run meanwhile.
    func jump(milliseconds: Int) {
        now = now.advanced(byNanoseconds: Int64(milliseconds) * 1_000_000)
        carryOutPlans()
        turn()
    }

    /// Lets time pass in small steps.
    func pass(milliseconds: Int) {
        var left = milliseconds
        while left > 0 {
            jump(milliseconds: min(left, World.step))
            left -= World.step
        }
    }

    /// Lets time pass until `condition` holds; throws when it does not within `seconds`.
    func wait(
        for what: String, within seconds: Double = patience, _ condition: () throws -> Bool
    ) throws {
        let end = now.advanced(byNanoseconds: Int64(seconds * 1e9))
        while !(try condition()) {
            guard now < end else { throw TimedOut(description: "waited in vain for \(what)") }
            jump(milliseconds: World.step)
        }
    }

    /// Milliseconds of the world's time that pass while `body` waits.
    func milliseconds(_ body: () throws -> Void) rethrows -> Int64 {
        let start = now
        try body()
        return now.nanoseconds(since: start) / 1_000_000
    }

    /// Has something done when `milliseconds` have passed; what fails then is no concern of anybody's,
    /// as with a peer that finds its connection closed.
    func later(milliseconds: Int, _ act: @escaping () throws -> Void) {
        plans.append(
            Plan(at: now.advanced(byNanoseconds: Int64(milliseconds) * 1_000_000), act: act))
    }

    private func carryOutPlans() {
        while let index = plans.firstIndex(where: { $0.at <= now }) {
            let plan = plans.remove(at: index)
            try? plan.act()
        }
    }

    // MARK: Clients

    /// A client that is accepted.
    func connect(network: UInt64 = 0) -> ClientPeer {
        let line = Line()
        let connection = ClientConnection(
            shard: gateway, transport: .memory(line.stream), peer: PeerAddress(), network: network)
        precondition(gateway.reserveConnection(), "no room for a connection")
        precondition(gateway.group.assign(acceptedBy: gateway.index) == gateway.index, "no slot")
        if network != 0 { _ = gateway.group.networks.acquire(.connections, network, most: .max) }
        let client = ClientPeer(self, line, connection)
        turn { gateway.serve(connection) }
        return client
    }

    // MARK: Backends

    /// The connections to backends that were accepted, in order.
    var backends: [Peer] { accepted.map { Peer(self, $0) } }

    /// A backend accepts the oldest connection that is being made, if there is one, and has sent
    /// `greeting` by the time the gateway knows.
    func acceptIfDialled(saying greeting: String = "") -> Peer? {
        let line = Line()
        line.stream.send(Array(greeting.utf8))
        var isAccepted = false
        turn {
            isAccepted = gateway.dialler.finishHeld(.connected(.memory(line.stream)))
            if isAccepted { accepted.append(line) }
        }
        return isAccepted ? Peer(self, line) : nil
    }

    /// A backend accepts the oldest connection that is being made.
    func accept(saying greeting: String = "") throws -> Peer {
        guard let backend = acceptIfDialled(saying: greeting) else {
            throw TimedOut(description: "no backend is dialled")
        }
        return backend
    }

    /// The oldest connection that is being made fails; false where there is none.
    @discardableResult
    func failDial(_ failure: Reason = .connectFailed) -> Bool {
        var hasFailed = false
        turn { hasFailed = gateway.dialler.finishHeld(.failed(failure)) }
        return hasFailed
    }

    /// From now on every connection is accepted, and `service` called for each request that has come
    /// whole; nil ends that.
    func serve(_ service: Service?) {
        self.service = service
        turn()
    }

    /// From now on each request is answered with its own body.
    func echo() { serve { backend, request in try backend.answer(request.bodyText) } }

    private func serveBackends() {
        guard let service, !isServing else { return }
        // What a service does makes turns of its own.
        isServing = true
        defer { isServing = false }
        var isQuiet = false
        while !isQuiet {
            isQuiet = acceptIfDialled() == nil
            for line in accepted where !line.isTaken {
                let backend = Peer(self, line)
                guard let request = backend.takeRequest() else { continue }
                isQuiet = false
                requests.append(request)
                // A service may find its connection closed.
                try? service(backend, request)
            }
        }
    }

    // MARK: What is left

    var pool: Pool { gateway.pools[0] }
    var inFlight: Int { pool.admission.inFlight }
    var queued: Int { pool.admission.queueLength }

    /// What the gateway holds now.
    var holdings: Holdings { Holdings(of: gateway) }

    /// A counter of the first pool's.
    func metric<Value>(_ path: (PoolMetrics) -> Value) -> Value {
        path(.adding([gateway.report().pools[0]]))
    }
}
