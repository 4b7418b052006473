// What may pass a second of a pool's bodies, which all reactors share. Its lock is held for one step of one body at a
// time: ten milliseconds' worth, 64 KiB at most. It is taken by nobody where no rate is set.

internal import Admission
internal import Policy
internal import Reactor
internal import Synchronization

/// The rates of one pool and its tenants.
final class SharedByteRates: Sendable {
    private let rates: Lock<ByteRates>
    /// Whether anybody has one, to be seen without the lock.
    private let isUsed = Atomic<Bool>(false)

    /// The rates of `pool`.
    init(_ pool: PoolSettings) {
        let settings = ByteRates.Settings(pool)
        rates = Lock(ByteRates(settings))
        isUsed.store(!settings.isEmpty, ordering: .relaxed)
    }

    /// Whether anybody has a rate.
    var isInUse: Bool { isUsed.load(ordering: .relaxed) }

    /// Puts those of a reloaded policy in force.
    func reconfigure(_ pool: PoolSettings) {
        let settings = ByteRates.Settings(pool)
        rates.withLock { $0.reconfigure(settings) }
        isUsed.store(!settings.isEmpty, ordering: .relaxed)
    }

    /// A body that is to pass for `tenant`; nil where it may as fast as it can.
    func open(_ direction: ByteDirection, of tenant: TenantID, now: Instant) -> ByteLease? {
        rates.withLock { $0.open(direction, of: tenant, now: now) }
    }

    /// Fetches bytes until `lease` has `least`, from 1; nil where it has them, else when to ask again.
    func fetch(_ least: Int, for lease: inout ByteLease, now: Instant) -> Instant? {
        rates.withLock { $0.fetch(least, for: &lease, now: now) }
    }

    /// The body has ended.
    func close(_ lease: ByteLease) { rates.withLock { $0.close(lease) } }
}

extension ByteRates.Settings {
    fileprivate init(_ pool: PoolSettings) {
        self.init()
        self.pool = pool.byteRates
        others = pool.admission.otherTenants.byteRates
        for tenant in pool.admission.tenants { named[TenantKey(tenant.name)] = tenant.byteRates }
    }
}
