// Routes that share their requests among several pools: which one a request goes to, and, where the route says so, the
// next one when that refuses it.

internal import Admission
internal import HTTP1
internal import Policy
internal import Telemetry

extension Exchange {
    /// The pool of the route with that index that the request goes to; and whether it may be copied.
    @inline(never)
    func choosePool(
        ofRoute index: Int, _ head: borrowing RequestHead, _ client: ClientConnection
    ) -> Pool {
        spread.mayBeCopied = snapshot.policy.routes[index].mirror != nil
        guard let split = snapshot.routes.split(ofRoute: index),
            let part = split.part(for: hash(for: split, head, client))
        else { return snapshot.pools[snapshot.policy.routes[index].pool] }
        spread.triedParts = 1 << UInt32(part)
        let chosen = snapshot.pools[split.pool(of: part)]
        chosen.metrics.splits &+= 1
        return chosen
    }

    /// Sends the request to the next pool of its route's split after it was refused for want of capacity.
    func spills(after rejection: Rejection) -> Bool {
        rejection.reason.isOfPool && !outlet.isBegun && spills()
    }

    /// Sends the request to the next pool of its route's split, where there is one and the route says so.
    func spills() -> Bool {
        guard spread.triedParts != 0, !hasFallenBack,
            let split = snapshot.routes.split(ofRoute: routeIndex), split.spills, let client,
            let former = pool
        else { return false }
        let hash = hash(for: split, intake.head, client)
        while let part = split.part(for: hash, besides: spread.triedParts) {
            spread.triedParts |= 1 << UInt32(part)
            let other = snapshot.pools[split.pool(of: part)]
            if asksForTunnel, other.settings.webSocket != .allow { continue }
            if !spread.hasSpilled { claim.leave(former) }
            spread.hasSpilled = true
            former.metrics.spills &+= 1
            pool = other
            if other.chargesLengths { intake.noteCoding() }
            ask(other, intake.head, from: client)
            return true
        }
        return false
    }

    /// What requests have in common that go to the same pool of `split`, as a number that all gateways have.
    private func hash(
        for split: RouteSplit, _ head: borrowing RequestHead, _ client: ClientConnection
    ) -> UInt64 {
        let key = RouteSplit.hashKey
        if split.sticksToTenant {
            let first = snapshot.pools[snapshot.policy.routes[routeIndex].pool]
            if let hash = Claim.tenantHash(in: first, head, from: client, key) { return hash }
        }
        if let name = split.header, let field = Classifier.field(name, of: head) {
            return key.hash(head.value(of: field))
        }
        let id = requestID
        return key.hash(id.span)
    }
}
