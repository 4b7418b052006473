// The gateway: one reactor with everything that lives in it, made from a policy. Two gateways can
// stand side by side in one process; nothing is shared or global.

internal import Admission
internal import HTTP1
package import Logging
package import Policy

/// A running gateway.
package final class Gateway {
    package let reactor: Reactor
    package let metrics: GatewayMetrics
    let dialler: Dialler
    let logger: Logger
    /// The policy in force.
    private(set) var snapshot: Snapshot
    /// All pools that still have something to do, those of former policies included.
    private(set) var pools: [Pool]
    private(set) var listeners: [Listener] = []
    private(set) var adminListener: Listener?
    /// Whether `drain` was called.
    package var isDraining: Bool { drains }
    private var drains = false
    let admin = AdminService()

    var connections = ConnectionTable()
    private var exchanges: [Exchange] = []
    private var freeExchanges: [Exchange] = []
    private var random: SplitMix64
    /// What tenants that no policy names are hashed with, for as long as the gateway runs.
    private let hashKey = HashKey.random()
    private var dates = DateWriter()
    var accessLog: AccessLog?
    /// The logs whose losses are counted, with the names of their metric labels.
    let logWriters: [(name: String, writer: LogWriter)]
    var drainTimer: DrainTimer?

    /// Makes a gateway and starts listening; throws when an address cannot be had.
    ///
    /// `seed` decides everything that is left to chance. The access log goes to `accessWriter`.
    package init(
        policy: Policy, version: String, logger: Logger, accessWriter: LogWriter? = nil,
        operationalWriter: LogWriter? = nil, seed: UInt64
    ) throws(SystemError) {
        for pool in policy.pools { try pool.tls.checkFiles() }
        let reactor = try Reactor()
        self.reactor = reactor
        self.logger = logger
        dialler = Dialler(reactor: reactor)
        metrics = GatewayMetrics(version: version, startNanoseconds: ProcessClock.wallNanoseconds())
        var random = SplitMix64(seed: seed)
        pools = policy.pools.map { [hashKey] settings in
            Pool(settings: settings, reactor: reactor, hashKey: hashKey, seed: random.next())
        }
        snapshot = Snapshot(policy, pools: pools)
        var writers: [(name: String, writer: LogWriter)] = []
        if let accessWriter { writers.append(("access", accessWriter)) }
        if let operationalWriter { writers.append(("operational", operationalWriter)) }
        logWriters = writers
        if let accessWriter {
            accessLog = AccessLog(writer: accessWriter, settings: policy.log, seed: random.next())
        }
        self.random = random
        for address in policy.listen {
            listeners.append(try Listener(gateway: self, role: .proxy, address: address))
        }
        if let address = policy.admin {
            adminListener = try Listener(gateway: self, role: .admin, address: address)
        }
        for pool in pools { pool.noteMoves(explains) }
        reactor.turnEnded = { [unowned self] in turnEnded() }
    }

    /// The addresses that clients can connect to, with the ports that the kernel chose.
    package var addresses: [ListenAddress] { listeners.map(\.address) }

    /// The admin listener's address.
    package var adminAddress: ListenAddress? { adminListener?.address }

    /// Runs until the gateway has drained or was stopped.
    package func run() {
        reactor.run()
        letGo()
    }

    /// Closes what is left open and unties what refers back to the gateway, so that nothing outlives it.
    private func letGo() {
        for listener in listeners { listener.close() }
        listeners.removeAll()
        adminListener?.close()
        adminListener = nil
        for connection in connections.all { connection.abort() }
        for pool in pools { pool.retire() }
        exchanges.removeAll()
        freeExchanges.removeAll()
        reactor.turnEnded = nil
    }

    // MARK: Turns

    /// Lets the pools decide about their parked requests; answers when they want to be asked again.
    private func turnEnded() -> Instant {
        var next = Instant.distantFuture
        var isRepeated = true
        while isRepeated {
            isRepeated = false
            next = .distantFuture
            for pool in pools {
                var deadline = pool.nextDeadline
                if deadline <= reactor.now {
                    while let decision = pool.poll() {
                        apply(decision, pool)
                        isRepeated = true
                    }
                    deadline = pool.nextDeadline
                }
                next = min(next, deadline)
            }
        }
        if explains { for pool in pools { explainMoves(pool) } }
        forgetRetiredPools()
        return next
    }

    private func apply(_ decision: consuming Decision, _ pool: Pool) {
        let exchange: Exchange
        switch consume decision {
        case .forward(let id, let permit):
            exchange = self.exchange(id)
            // A request that comes back from a failed dial was counted when it was first granted.
            if exchange.record.attempts == 0 {
                pool.metrics.countForwarded(
                    afterNanoseconds: reactor.now.nanoseconds(since: exchange.record.waitBeganAt),
                    in: exchange.classMetrics)
            }
            exchange.granted(permit)
        case .reject(let id, let rejection):
            exchange = self.exchange(id)
            exchange.refused(rejection)
        }
        exchange.client?.advance()
    }

    private func exchange(_ id: RequestID) -> Exchange {
        let exchange = exchanges[Int(UInt32(truncatingIfNeeded: id.rawValue))]
        precondition(exchange.id == id, "a decision for an exchange that has ended")
        return exchange
    }

    private func forgetRetiredPools() {
        guard pools.count > snapshot.pools.count else { return }
        pools.removeAll { pool in
            pool.isRetired && pool.admission.inFlight == 0 && pool.admission.queueLength == 0
        }
    }

    // MARK: Exchanges

    /// Lends an exchange, made anew where none is free; there are at most as many as client
    /// connections.
    func lendExchange() -> Exchange {
        if let exchange = freeExchanges.popLast() { return exchange }
        let exchange = Exchange(
            gateway: self, place: UInt32(truncatingIfNeeded: exchanges.count), snapshot: snapshot)
        exchanges.append(exchange)
        return exchange
    }

    /// Takes an exchange back that has ended.
    func takeBack(_ exchange: Exchange) {
        exchange.reset()
        freeExchanges.append(exchange)
    }

    /// Exchanges that are under way.
    var openExchangeCount: Int { exchanges.count - freeExchanges.count }

    /// Appends 32 hexadecimal digits that no other request has.
    func makeRequestID(_ bytes: inout [UInt8]) {
        for _ in 0..<2 {
            var value = random.next()
            for _ in 0..<16 {
                let digit = UInt8(truncatingIfNeeded: value & 0xf)
                bytes.append(digit < 10 ? 0x30 &+ digit : 0x57 &+ digit)
                value >>= 4
            }
        }
    }

    /// Appends the `Date` field; the text is made once a second.
    func appendDate(to output: inout ByteBuffer) {
        output.append("Date: ")
        dates.appendHTTPDate(ProcessClock.wallNanoseconds(), to: &output)
        output.appendLineEnd()
    }

    // MARK: Reload

    /// Puts `policy` in force.
    ///
    /// Listeners that it adds are opened first: when one cannot be had, nothing changes.
    package func reload(_ policy: Policy) throws(SystemError) {
        for pool in policy.pools { try pool.tls.checkFiles() }
        let opened = try openListeners(policy.listen)
        do throws(SystemError) {
            try replaceAdminListener(policy.admin)
        } catch {
            for listener in opened { listener.close() }
            throw error
        }
        for listener in listeners where !policy.listen.contains(listener.configured) {
            listener.close()
        }
        listeners.removeAll { !policy.listen.contains($0.configured) }
        listeners.append(contentsOf: opened)
        replacePools(policy)
        // There may be more room for clients than before.
        for listener in listeners { listener.resumeAccepting() }
        accessLog?.apply(policy.log)
        metrics.countReload(atNanoseconds: ProcessClock.wallNanoseconds())
    }

    private func replaceAdminListener(_ address: ListenAddress?) throws(SystemError) {
        guard address != adminListener?.configured else { return }
        var replacement: Listener?
        if let address {
            replacement = try Listener(gateway: self, role: .admin, address: address)
        }
        adminListener?.close()
        adminListener = replacement
    }

    private func openListeners(_ addresses: [ListenAddress]) throws(SystemError) -> [Listener] {
        var opened: [Listener] = []
        for address in addresses where !listeners.contains(where: { $0.configured == address }) {
            do throws(SystemError) {
                opened.append(try Listener(gateway: self, role: .proxy, address: address))
            } catch {
                for listener in opened { listener.close() }
                throw error
            }
        }
        return opened
    }

    private func replacePools(_ policy: Policy) {
        var current: [Pool] = []
        for settings in policy.pools {
            if let kept = snapshot.pools.first(where: { $0.name == settings.name }) {
                if kept.settings != settings { kept.reconfigure(settings) }
                current.append(kept)
            } else {
                let pool = Pool(
                    settings: settings, reactor: reactor, hashKey: hashKey, seed: random.next())
                pool.noteMoves(explains)
                pools.append(pool)
                current.append(pool)
            }
        }
        for pool in snapshot.pools where !current.contains(where: { $0 === pool }) {
            pool.retire()
        }
        snapshot = Snapshot(policy, pools: current)
    }

    // MARK: Drain

    /// Stops accepting and lets queued and running requests end, for at most the policy's
    /// `drain_timeout`; then `run` returns.
    package func drain() {
        guard !isDraining else { return }
        drains = true
        for listener in listeners { listener.close() }
        listeners.removeAll()
        for pool in pools { pool.drain() }
        for connection in connections.all { connection.drain() }
        let timer = DrainTimer(gateway: self)
        drainTimer = timer
        reactor.register(timer)
        reactor.setDeadline(
            of: timer,
            to: reactor.now.advanced(
                byNanoseconds: snapshot.policy.server.drainTimeout.wholeNanoseconds))
        stopIfDrained()
    }

    /// Ends at once, whatever is going on.
    package func stop() {
        for connection in connections.all { connection.abort() }
        reactor.stop()
    }

    func stopIfDrained() {
        if isDraining && connections.proxyCount == 0 { stop() }
    }
}

/// The deadline of a drain.
final class DrainTimer: EventHandler {
    private unowned let gateway: Gateway

    init(gateway: Gateway) { self.gateway = gateway }

    override func deadlineReached() { gateway.stop() }
}
