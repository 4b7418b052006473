// A real gateway on threads of its own, started from a policy's text and looked at through its
// mailboxes. PENSTOCK_TEST_THREADS says how many reactors each one has, 1 by default: what holds for
// one has to hold for four.

import Admission
import Control
import Foundation
import Logging
import Policy
import Testing

@testable import Gateway
@testable import Reactor
@testable import Telemetry
@testable import TestSupport

/// A gateway under test.
///
/// Stop it, or let it go.
final class RunningGateway: Sendable {
    /// Reactors of each gateway that does not ask for a number of its own.
    static let usualThreads =
        ProcessInfo.processInfo.environment["PENSTOCK_TEST_THREADS"].flatMap { Int($0) } ?? 1

    private let group: ReactorGroup
    private let control: Mailbox<GatewayControl>
    private let end: Handover<Bool>
    /// Where its first listener is.
    let place: Place
    /// All its listeners.
    let addresses: [ListenAddress]
    let adminAddress: ListenAddress?

    /// `keys` are those of every pool that asks for keys.
    init(
        _ policyText: String, keys: [KeyEntry] = [], seed: UInt64 = 1, threads: Int = usualThreads
    ) throws {
        var loaded = try RunningGateway.policy(policyText, keys)
        loaded.threads = threads
        let policy = loaded
        let end = Handover<Bool>()
        let start = Handover<Result<[ListenAddress], any Error>>()
        let admin = Handover<ListenAddress?>()
        let group = Handover<ReactorGroup>()
        let reloads = Handover<Mailbox<GatewayControl>>()
        onThread {
            defer { end.give(true) }
            do {
                let control = try GatewayControl(
                    policy: policy, version: "test",
                    logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }, seed: seed)
                admin.give(control.adminAddress)
                group.give(control.gateway.group)
                start.give(.success(control.gateway.addresses))
                let mailbox = try Mailbox<GatewayControl>()
                try mailbox.deliver(to: control, in: control.reactor)
                reloads.give(mailbox)
                control.run()
            } catch {
                start.give(.failure(error))
            }
        }
        self.end = end
        addresses = try start.take("the gateway's start").get()
        adminAddress = try admin.take("the admin address")
        self.group = try group.take("the reactors")
        control = try reloads.take("the controlling thread")
        place = RunningGateway.place(addresses[0])
    }

    deinit { group.control.send { $0.stop() } }

    static func place(_ address: ListenAddress) -> Place {
        switch address {
        case .tcp(let host, let port):
            host == "::1" ? .loopback6(port: port) : .loopback(port: port)
        case .unix(let path): .unix(path: path)
        }
    }

    /// A new client connection to the first listener.
    func connect(receiveBuffer: Int32? = nil) throws -> Wire {
        try Wire(to: place, receiveBuffer: receiveBuffer)
    }

    /// Asks every shard something, each on its own thread.
    func askAll<Answer: Sendable>(
        _ question: @escaping @Sendable (Shard) -> Answer
    ) throws -> [Answer] {
        try (0..<group.count).map { try ask($0, question) }
    }

    /// Asks a shard something, the first by default, on its own thread.
    func ask<Answer: Sendable>(
        _ index: Int = 0, _ question: @escaping @Sendable (Shard) -> Answer
    ) throws -> Answer {
        let answer = Handover<Answer>()
        group.send(to: index) { answer.give(question($0)) }
        return try answer.take("a shard's answer")
    }

    /// Asks the gateway as a whole something, on the thread that controls it.
    func askControl<Answer: Sendable>(
        _ question: @escaping @Sendable (GatewayControl) -> Answer
    ) throws -> Answer {
        let answer = Handover<Answer>()
        control.send { answer.give(question($0)) }
        return try answer.take("the gateway's answer")
    }

    private static func policy(_ text: String, _ keys: [KeyEntry]) throws -> Policy {
        var policy = try PolicyLoader.load(text: text, file: "policy.yaml")
        for index in policy.pools.indices { policy.pools[index].claims.keys?.entries = keys }
        return policy
    }

    /// Puts another policy in force; throws what the gateway throws.
    func reload(_ policyText: String, keys: [KeyEntry] = []) throws {
        let policy = try RunningGateway.policy(policyText, keys)
        let result = try askControl { control -> Result<Bool, SystemError> in
            do throws(SystemError) {
                try control.reload(policy)
                return .success(true)
            } catch {
                return .failure(error)
            }
        }
        _ = try result.get()
        // A reactor that answers has read the message that came before.
        _ = try askAll { _ in true }
    }

    /// Whether every reactor knows that the gateway drains.
    func isDraining() throws -> Bool { try askAll { $0.isDraining }.allSatisfy { $0 } }

    func drain() { group.control.send { $0.drain() } }

    /// Ends at once and waits for the thread's end.
    func stop() throws {
        group.control.send { $0.stop() }
        try waitForEnd()
    }

    /// Waits until the gateway has ended by itself.
    func waitForEnd(within seconds: Double = patience) throws {
        _ = try end.take("the gateway's end", within: seconds)
    }

    /// What the gateway holds now.
    func holdings() throws -> Holdings {
        try askAll { Holdings(of: $0) }.reduce(into: Holdings()) { $0.add($1) }
    }

    /// Waits until nothing is held but `clients` connections and `idle` idle ones to backends (nil:
    /// any number); records an issue when that does not happen.
    ///
    /// Idle connections are each reactor's own: where one has `idle`, several may have some more.
    func settles(
        clients: Int? = nil, idle: Int? = nil, sourceLocation: SourceLocation = #_sourceLocation
    ) throws {
        var now = Holdings()
        try eventually(
            "nothing else is held", sourceLocation: sourceLocation, otherwise: { "it holds \(now)" }
        ) {
            now = try holdings()
            return now.isSettled(clients: clients, idle: idle, reactors: group.count)
        }
    }

    /// A counter of the first pool's.
    func metric<Value: Sendable>(_ path: @escaping @Sendable (PoolMetrics) -> Value) throws -> Value
    {
        let reports = try askAll { $0.report().pools[0] }
        return path(.adding(reports))
    }

    /// Makes a reactor stand still until `door` opens; returns when it does.
    func hold(_ index: Int, until door: Door) throws {
        let stands = Door()
        group.send(to: index) { _ in
            stands.open()
            try? door.pass("the end of a standstill")
        }
        try stands.pass("a standstill")
    }

    /// Takes room for a connection, as a reactor does before it accepts one.
    func reserveConnection(most: Int) -> Bool { group.reserveConnection(most: most) }

    /// Gives that room up again, as the first shard would.
    func releaseConnection() { group.releaseConnection(at: 0) }

    /// How often the reactors have paused accepting.
    func acceptPauses() throws -> UInt64 {
        try askAll { $0.metrics.acceptPauses }.reduce(0, +)
    }
}
