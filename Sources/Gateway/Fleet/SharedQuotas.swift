// The quotas of a policy's tenants, which all pools of all reactors charge.
//
// Its lock is taken while a pool's is held, never the other way round, and only where somebody has a
// quota. It is held for one decision.

internal import Admission
package import Policy
internal import Reactor
internal import Synchronization

/// The table of quotas of one gateway.
package final class SharedQuotas: Sendable {
    private let table: Lock<QuotaTable>
    /// Whether anybody has a quota, to be seen without the lock.
    private let isUsed = Atomic<Bool>(false)

    /// The quotas of `policy`; `hashKey` is for the names of tenants that a pool does not have.
    package init(_ policy: Policy, hashKey: HashKey) {
        let made = QuotaTable(policy.quotas, hash: hashKey.hash)
        isUsed.store(!made.isEmpty, ordering: .relaxed)
        table = Lock(made)
    }

    /// Quotas of nobody.
    package init() { table = Lock(QuotaTable()) }

    /// Whether anybody has a quota.
    var isInUse: Bool { isUsed.load(ordering: .relaxed) }

    /// Puts the quotas of another policy in force; what has been used stays used.
    func reconfigure(_ policy: Policy, hashKey: HashKey) {
        let settings = policy.quotas
        table.withLock { $0.reconfigure(settings, hash: hashKey.hash) }
        isUsed.store(table.withLock { !$0.isEmpty }, ordering: .relaxed)
    }

    /// Asks a pool for a request to be started, at the cost of the first of its payers that has a quota.
    func offer(
        to controller: inout AdmissionController, _ id: RequestID, _ ticket: Ticket,
        _ first: Payer?, now: Instant
    ) -> Verdict {
        table.withLock { controller.offer(id, ticket, charging: &$0, first, now: now) }
    }

    /// Puts right what was charged for a request that has ended.
    func settle(_ reservation: Reservation, _ charge: Charge, now: Instant) {
        guard reservation.isHeld else { return }
        table.withLock { $0.settle(reservation, charge, now: now) }
    }

    /// What the quotas of the first payer that has one come to.
    func rates(of first: Payer?, or own: Payer, now: Instant) -> TenantRates? {
        table.withLock { $0.rates(of: first, or: own, now: now) }
    }
}

extension HashKey {
    /// The hash of a name.
    func hash(_ name: String) -> UInt64 {
        let bytes = Array(name.utf8)
        return hash(bytes.span)
    }
}
