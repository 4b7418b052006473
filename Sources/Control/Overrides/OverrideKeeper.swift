// Keeps what operators have changed: puts it in force, takes it back when its time is over or when the policy says
// something else in its place, and tells the log each time who did what. In memory only: it goes to the next process of an
// upgrade, and not to one that is started anew, for which the policy is all there is.

internal import Admission
internal import Gateway
internal import Logging
internal import Policy
internal import Reactor
internal import Telemetry

/// The changes of one gateway.
final class OverrideKeeper: EventHandler {
    /// Why a change is not made.
    struct Refusal: Error, Equatable {
        /// Whether it names something that is not there.
        var isUnknown = false
        var text: String
    }

    private let gateway: Gateway
    private let logger: Logger
    private(set) var overrides: Overrides
    /// Has the log write what has that level, or what the policy says where it is nil.
    var setLogLevel: (LogSettings.Level?) -> Void = { _ in }

    /// Keeps changes of `gateway`, of which `adopted` are in force already.
    init(_ gateway: Gateway, adopted: Overrides, logger: Logger) {
        self.gateway = gateway
        self.logger = logger
        overrides = adopted
        super.init()
        gateway.reactor.register(self)
        waitForNextEnd()
    }

    /// Keeps nothing any more.
    func stop() { gateway.reactor.deregister(self) }

    // MARK: Changes

    /// Makes a change that ends after `duration`, or lasts.
    ///
    /// Throws where the policy has nothing of the kind, or too much is changed already.
    func make(
        _ change: Change, for duration: Duration?, by author: PeerCredentials
    ) throws(Refusal) {
        guard let configured = change.configured(in: gateway.policy) else {
            throw Refusal(isUnknown: true, text: unknown(change))
        }
        let now = gateway.reactor.now
        let override = Override(
            change: change, replaced: configured, since: now,
            until: duration.map { now.advanced(byNanoseconds: $0.wholeNanoseconds) },
            author: author)
        let (isTaken, former) = overrides.set(override)
        guard isTaken else {
            throw Refusal(
                text: "\(Overrides.most) things are changed already, which is as many as may be; "
                    + "take some back, or write them into the policy")
        }
        putInForce(change)
        var facts = facts(of: change, by: author)
        let configuredName = change.configuredName(in: gateway.policy) ?? configured
        facts["from"] = "\(former?.change.value ?? configuredName)"
        facts["to"] = "\(change.value)"
        if let duration { facts["for"] = "\(duration.written)" }
        logger.notice("changed by an operator", metadata: facts)
    }

    /// Takes back the change of the same thing as `change`; throws where there is none.
    func takeBack(_ change: Change, by author: PeerCredentials) throws(Refusal) {
        guard let former = overrides.remove(change) else {
            guard change.configured(in: gateway.policy) != nil else {
                throw Refusal(isUnknown: true, text: unknown(change))
            }
            throw Refusal(text: "nothing was changed there")
        }
        end([former], why: "taken back", by: author)
    }

    /// Takes back all changes; how many there were.
    func takeAllBack(by author: PeerCredentials) -> Int {
        let former = overrides.clear()
        end(former, why: "taken back", by: author)
        return former.count
    }

    /// Takes back what the policy that is in force now says otherwise than before.
    func follow() { end(overrides.follow(gateway.policy), why: "the policy says something else") }

    override func deadlineReached() {
        end(overrides.expire(now: gateway.reactor.now), why: "its time is over")
    }

    private func end(_ ended: [Override], why: String, by author: PeerCredentials? = nil) {
        for override in ended {
            putInForce(override.change)
            var facts = facts(of: override.change, by: author)
            facts["from"] = "\(override.change.value)"
            facts["to"] = "\(override.change.configuredName(in: gateway.policy) ?? "gone")"
            facts["why"] = "\(why)"
            logger.notice("change ended", metadata: facts)
        }
        waitForNextEnd()
    }

    private func putInForce(_ change: Change) {
        if let pool = change.pool {
            gateway.override(overrides.pools[pool] ?? PoolOverrides(), of: pool)
        } else {
            setLogLevel(overrides.logLevel)
        }
        waitForNextEnd()
    }

    private func waitForNextEnd() {
        gateway.reactor.setDeadline(of: self, to: overrides.nextEnd)
    }

    // MARK: Texts

    private func facts(of change: Change, by author: PeerCredentials?) -> Logger.Metadata {
        var facts: Logger.Metadata = ["verb": "\(change.verb.rawValue)"]
        if let pool = change.pool { facts["pool"] = "\(pool)" }
        if let backend = change.backend { facts["backend"] = "\(backend.label)" }
        if let tenant = change.tenant { facts["tenant"] = "\(tenant)" }
        if let author {
            facts["uid"] = "\(author.user)"
            facts["pid"] = "\(author.process)"
        }
        return facts
    }

    /// What is wrong with the names of a change.
    private func unknown(_ change: Change) -> String {
        guard let name = change.pool, let pool = gateway.configured(pool: name) else {
            let names = gateway.policy.pools.map(\.name)
            return "no such pool; the policy has \(names.prefix(10).joined(separator: ", "))"
        }
        guard let tenant = change.tenant else { return "no such backend in pool \(name)" }
        let names = pool.admission.tenants.prefix(10).map(\.name)
        return names.isEmpty
            ? "the policy names no tenants in pool \(name); name \(tenant) there"
            : "no tenant \(tenant) is named in pool \(name); there are \(names.joined(separator: ", "))"
    }

    /// The changes as pages show them.
    var shown: [OverrideSnapshot] {
        let now = gateway.reactor.now
        return overrides.all.map { override in
            var shown = OverrideSnapshot(
                verb: override.change.verb, value: override.change.value,
                replaced: override.change.configuredName(in: gateway.policy)
                    ?? override.replaced, user: override.author.user,
                process: override.author.process)
            shown.pool = override.change.pool
            shown.backend = override.change.backend?.label
            shown.tenant = override.change.tenant
            shown.ageNanoseconds = max(0, now.nanoseconds(since: override.since))
            shown.leftNanoseconds = override.until.map { max(0, $0.nanoseconds(since: now)) }
            return shown
        }
    }
}
