// A gateway: shards on threads of their own, and what they share. It lives on the thread that controls
// it, which serves no client: what opens files, reads policies or makes pages stops nobody there.
//
// Both sides talk by messages. A shard is told of another policy, of a drain and of the end, and asked for
// what it has counted; it says when it has stopped accepting and when the last client has left. Two
// gateways can stand side by side in one process; nothing is global.

internal import Admission
package import Logging
package import Policy
package import Reactor
package import Telemetry

/// All shards of one gateway, for the one thread that controls them.
package final class Gateway {
    /// A pool that shards serve, or served until a reload.
    struct Member {
        var settings: PoolSettings
        let admission: SharedAdmission
        /// Whether the policy in force has it no more.
        var isRetired = false
    }

    /// The certificates of listeners that are not its own.
    package var certificatesBeside: () -> [CertificateSnapshot] = { [] }
    /// What operators have changed, for the pages.
    package var overridesBeside: () -> [OverrideSnapshot] = { [] }
    /// The loop of the controlling thread.
    package let reactor: Reactor
    /// Called when all shards have ended, after `stop` or when a drain is over.
    package var ended: () -> Void = {}
    let group: ReactorGroup
    let logger: Logger
    /// What tenants that no policy names are hashed with, for as long as the gateway runs.
    let hashKey = HashKey.random()
    /// What tenants may use, in all pools together.
    let quotas: SharedQuotas
    /// What is counted of it as a whole, besides what the shards count.
    package let metrics: GatewayMetrics
    /// When it was made.
    let startedAt: Instant
    var random: SplitMix64
    /// The policy in force.
    package internal(set) var policy: Policy
    /// Its pools, and those of former policies that still served something at the last reload.
    var members: [Member] = []
    /// What operators have changed, by the names of pools.
    var overrides: [String: PoolOverrides]
    /// Limits that an earlier process found.
    let remembered: LearntLimits
    /// How backends are looked up, by the names of their pools.
    var discoveries: [String: DiscoverySnapshot] = [:]
    /// Backends that are asked something although no client wants anything of them.
    var trials: [TriedBackend: Fetch] = [:]
    /// Made for the first of them.
    private(set) lazy var trialFetcher = Fetcher(askingBackendsIn: reactor)
    /// Where it listens.
    var listening: [Listening] = []
    /// Where workers come in; nil where none do.
    var workerListener: WorkerListener?
    /// How many connections workers have.
    let workerTotal = WorkerTotal()
    /// Topics that requests are taken from, those that end included, and the number of the last one that began.
    var topics: [TopicService] = []
    var topicNumber = 0
    /// When topics that could not begin are tried again.
    var topicRetry = GrowingPause()
    /// Listeners that were opened so far.
    var openedCount = 0
    /// The logs whose losses are counted, with the names of their metric labels.
    var logWriters: [(name: String, writer: LogWriter)] = []
    var gatherings: [Gathering] = []
    private var threads: [SystemThread] = []
    private var timer: GatewayTimer?
    /// Whether `drain` was called.
    package private(set) var isDraining = false
    private var drainEndsAt = Instant.distantFuture
    /// Whether it will drain soon, and says so.
    package private(set) var isLeaving = false
    private var drainBeginsAt = Instant.distantFuture
    /// Shards that still accept connections.
    private var acceptingShards = 0

    /// Most shards of one gateway.
    private static let maxShards = 128

    /// Starts a gateway that listens; throws when an address cannot be had.
    ///
    /// `reactor` is the loop of this thread. `seed` decides everything that is left to chance. The
    /// access log goes to `accessWriter`. `credentials` are those of `policy`; nil has them read here.
    /// `remembered` are limits that an earlier process found, `inherited` sockets that were open when this one began,
    /// `overrides` what operators have changed of pools by their names.
    package init(
        policy: Policy, version: String, logger: Logger, accessWriter: LogWriter? = nil,
        operationalWriter: LogWriter? = nil, credentials: PolicyCredentials? = nil, seed: UInt64,
        remembered: LearntLimits = LearntLimits(), inherited: InheritedSockets = InheritedSockets(),
        overrides: [String: PoolOverrides] = [:],
        reactor: Reactor
    ) throws(SystemError) {
        self.policy = policy
        self.remembered = remembered
        self.overrides = overrides
        quotas = SharedQuotas(policy, hashKey: hashKey)
        self.logger = logger
        self.reactor = reactor
        startedAt = reactor.now
        metrics = GatewayMetrics(
            version: version, startNanoseconds: ProcessClock.wallNanoseconds())
        random = SplitMix64(seed: seed)
        let threads = policy.threads ?? ProcessorCount.usable()
        group = try ReactorGroup(count: min(threads, Gateway.maxShards))
        if let accessWriter { logWriters.append(("access", accessWriter)) }
        if let operationalWriter { logWriters.append(("operational", operationalWriter)) }
        let timer = GatewayTimer(gateway: self)
        self.timer = timer
        reactor.register(timer)
        do throws(SystemError) {
            try group.control.deliver(to: self, in: reactor)
            let files = credentials ?? PolicyCredentials(policy)
            let all = try files.pools.usable()
            members = zip(policy.pools, all).map { pool, credentials in
                let settings = pool.overridden(by: overrides[pool.name])
                return Member(settings: settings, admission: makeAdmission(settings, credentials))
            }
            let opened = try open(policy.listen, files.listeners, inherited: inherited)
            let workers = try openWorkers(policy, files.listeners, inherited: inherited)
            try startShards(opened, accessWriter)
            noteListening(opened)
            followWorkers(workers, policy, files.listeners)
            try followTopics()
        } catch {
            end()
            throw error
        }
    }

    private func startShards(
        _ opened: [OpenedAddress], _ accessWriter: LogWriter?
    ) throws(SystemError) {
        for index in 0..<group.count {
            let assignment = Assignment(
                group: group, index: index, policy: policy,
                admissions: members.map(\.admission), hashKey: hashKey, logger: logger,
                accessWriter: accessWriter, seed: random.next())
            threads.append(
                try ShardThread.start(assignment, listeningOn: opened.sockets(ofShard: index)))
        }
    }

    /// The addresses that clients can connect to, with the ports that the kernel chose.
    package var addresses: [ListenAddress] { listening.map(\.actual) }

    /// The same addresses as the policy has them.
    package var configuredAddresses: [ListenAddress] {
        listening.map(\.configured.address)
            + [workerListener?.configured.address].compactMap(\.self)
    }

    /// The limits that were found by measuring backends, by the names of pools and backends' keys.
    package var foundLimits: [(pool: String, limits: [String: Double])] {
        members.filter { !$0.isRetired }.map { ($0.settings.name, $0.admission.foundLimits) }
    }

    /// The same of limits that another process may begin with at once.
    package var limitsInForce: [(pool: String, limits: [String: Double])] {
        members.filter { !$0.isRetired }.map { ($0.settings.name, $0.admission.limitsInForce) }
    }

    /// Threads that serve.
    package var threadCount: Int { group.count }

    /// Whether some pool has a backend that is neither ejected nor on trial, and of which something good was heard.
    package var hasWorkingBackend: Bool {
        members.contains { !$0.isRetired && $0.admission.hasWorkingBackend(now: reactor.now) }
    }

    // MARK: Ends

    /// Says that it is not ready any more, and drains after the policy's `drain_delay`: balancers then look elsewhere
    /// before anybody is refused.
    package func leave() {
        guard !isDraining, !isLeaving else { return }
        isLeaving = true
        drainBeginsAt = reactor.now.advanced(
            byNanoseconds: policy.server.drainDelay.wholeNanoseconds)
        group.sendToAll { $0.isLeaving = true }
        arrangeTimer()
    }

    /// Stops accepting and lets queued and running requests end, for at most the policy's
    /// `drain_timeout`.
    package func drain() { drain(handedOver: []) }

    /// The same, where another process has the listeners with those numbers.
    func drain(handedOver: Set<Int>) {
        guard !isDraining else { return }
        isDraining = true
        drainBeginsAt = .distantFuture
        acceptingShards = group.count
        drainEndsAt = reactor.now.advanced(
            byNanoseconds: policy.server.drainTimeout.wholeNanoseconds)
        arrangeTimer()
        removeFiles()
        finishTopics()
        group.sendToAll { $0.drain(handedOver: handedOver) }
    }

    /// Removes the files of the listening sockets, where they are still this gateway's: here, where
    /// waiting for a lock of their directories stops no client.
    private func removeFiles() {
        for listening in listening { listening.file?.remove() }
        listening.removeAll()
    }

    /// A shard accepts nobody any more.
    func stoppedAccepting() {
        acceptingShards -= 1
        stopIfDrained()
    }

    /// Ends a drain when no shard has a client any more.
    func stopIfDrained() {
        // What topics have ended is written before they leave.
        guard topics.isEmpty else { return }
        if isDraining && acceptingShards <= 0 && group.isDeserted { stop() }
    }

    /// Ends at once, whatever is going on, and returns when all shards have ended.
    package func stop() {
        guard !threads.isEmpty else { return }
        end()
        ended()
    }

    /// Ends the shards' threads and lets go of the reactor.
    private func end() {
        removeFiles()
        workerListener?.close()
        workerListener = nil
        endTrials()
        endTopics()
        group.sendToAll { $0.stop() }
        for thread in threads { thread.join() }
        threads.removeAll()
        for gathering in gatherings { gathering.then(nil) }
        gatherings.removeAll()
        group.control.close(for: self)
        if let timer { reactor.deregister(timer) }
        timer = nil
    }

    // MARK: Time

    /// Has the timer wake when the drain has lasted long enough, or a shard is silent for too long.
    func arrangeTimer() {
        guard let timer else { return }
        let soonest = min(drainBeginsAt, drainEndsAt, topicRetry.endsAt)
        let next = gatherings.reduce(soonest) { min($0, $1.endsAt) }
        reactor.setDeadline(of: timer, to: next)
    }

    /// Logs that clients did not get all they were to get in the time that a drain has.
    private func tellCut() {
        guard group.connectionCount > 0 else { return }
        logger.warning(
            "drain cut",
            metadata: [
                "client_connections": "\(group.connectionCount)",
                "timeout": "\(policy.server.drainTimeout)",
            ])
    }

    fileprivate func timerFired() {
        if reactor.now >= drainBeginsAt {
            drainBeginsAt = .distantFuture
            drain()
        }
        if reactor.now >= drainEndsAt {
            tellCut()
            return stop()
        }
        if reactor.now >= topicRetry.endsAt { followTopicsOrTryAgain() }
        giveUpGatherings()
        arrangeTimer()
    }
}

/// The deadlines of a gateway as a whole.
private final class GatewayTimer: EventHandler {
    private unowned let gateway: Gateway

    init(gateway: Gateway) { self.gateway = gateway }

    override func deadlineReached() { gateway.timerFired() }
}
