// What shards say to each other: a decision about a request goes to the shard that has the request.

internal import Admission
internal import Reactor

extension Shard {
    /// Hands a decision about another reactor's request over.
    func transfer(_ decision: consuming Decision, _ pool: Pool) {
        let admission = pool.admission
        let owner = decision.id.reactor
        let transfer = Transfer(decision)
        let isTaken = group.send(to: owner) { $0.received(transfer, admission) }
        if !isTaken { decline(transfer.take(), admission) }
    }

    /// Another reactor's call of the controller led to a decision about a request of this one.
    private func received(_ transfer: Transfer<Decision>, _ admission: SharedAdmission) {
        guard let decision = transfer.take() else { return }
        guard let exchange = openExchange(decision.id) else {
            // Its client left while the message was under way.
            decline(decision, admission)
            return
        }
        carryOut(decision, exchange)
    }

    private func decline(_ decision: consuming Decision?, _ admission: SharedAdmission) {
        guard case .forward(_, let permit)? = consume decision else { return }
        var work = ServedWork()
        work.charge = .nothing
        if let pool = pools.first(where: { $0.admission === admission }) {
            pool.complete(permit, .cancelled(by: .client, in: .connecting), work)
        } else {
            admission.complete(
                permit, .cancelled(by: .client, in: .connecting), work, now: reactor.now)
        }
    }
}

extension RequestID {
    /// Names a request by its slot in a reactor's table, and how many had that slot before.
    init(reactor: Int, slot: Int, generation: UInt32) {
        precondition(slot < 1 << 24 && reactor < 1 << 8, "a request's slot is out of range")
        self.init(
            rawValue: UInt64(generation) << 32 | UInt64(reactor) << 24 | UInt64(slot))
    }

    /// The reactor that has the request.
    var reactor: Int { Int(truncatingIfNeeded: rawValue >> 24) & 0xff }

    /// Where that reactor keeps it.
    var slot: Int { Int(truncatingIfNeeded: rawValue) & 0xff_ffff }
}
