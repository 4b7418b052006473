// One request's part in the rates of bytes that hold for it: how much of its bodies may pass now, and when to look again.
// What may not pass is not read, so that TCP's own window slows its sender down.
//
// Life: made with an attempt in a pool that has rates, and kept until its exchange forgets it or tries elsewhere; what it
// has fetched and not used goes back when the backend's connection does.

internal import Admission
internal import Reactor
internal import Telemetry

/// The pace of one request's bodies.
final class Pacing {
    private let rates: SharedByteRates
    private let metrics: PoolMetrics
    private var down = Side()
    private var up = Side()
    /// Bytes of the request's body that were read before it came to its backend, and may not be sent yet.
    private var heldBytes = 0
    /// Whether either body has ever waited: how long the request took says nothing of its backend then.
    private(set) var hasWaited = false
    /// Whether the backend's deadline is that of the next look, and no time-out.
    var isDeadlineOurs = false

    /// One of the two bodies.
    private struct Side {
        var lease: ByteLease?
        /// Nothing may pass before; nil for at once.
        var waitsUntil: Instant?
        var waitsSince: Instant?
        /// Bytes of the body that were counted.
        var counted = 0
    }

    /// The pace in `pool`.
    init(in pool: Pool) {
        rates = pool.admission.byteRates
        metrics = pool.metrics
    }

    /// The response's body begins, for `tenant`.
    func beginResponse(for tenant: TenantID, now: Instant) {
        down.lease = rates.open(.down, of: tenant, now: now)
    }

    /// The request's body goes on, for `tenant`, of which `count` bytes were read and `heldBytes` are in the backend's
    /// output already.
    func beginRequest(for tenant: TenantID, after count: Int, heldBytes: Int, now: Instant) {
        up.lease = rates.open(.up, of: tenant, now: now)
        up.counted = count
        self.heldBytes = up.lease == nil ? 0 : heldBytes
    }

    /// Whether what is in the backend's output may be sent.
    func maySend(now: Instant) -> Bool {
        while heldBytes > 0 {
            guard let lease = fetch(1, &up, .up, now) else { return false }
            let count = min(lease, heldBytes)
            heldBytes -= count
            use(&up, .up, count)
        }
        return true
    }

    /// What the output may hold, which holds `count` bytes and may hold `highBytes` otherwise, of a body that gets
    /// `framing` bytes beside its own; nil where nothing may pass now.
    func room(
        _ direction: ByteDirection, highBytes: Int, outputHolds count: Int, framing: Int,
        now: Instant
    ) -> Int? {
        switch direction {
        case .down: room(&down, direction, highBytes, count + framing, now)
        case .up: maySend(now: now) ? room(&up, direction, highBytes, count + framing, now) : nil
        }
    }

    private func room(
        _ side: inout Side, _ direction: ByteDirection, _ highBytes: Int, _ count: Int,
        _ now: Instant
    ) -> Int? {
        guard side.lease != nil else { return highBytes }
        // What is less is not worth a step.
        let least = BodyRelay.roomWorthAStep(highBytes)
        return fetch(least, &side, direction, now).map { min(highBytes, count + $0) }
    }

    /// Bytes that may pass now, `least` and more; nil where there are fewer.
    private func fetch(
        _ least: Int, _ side: inout Side, _ direction: ByteDirection, _ now: Instant
    ) -> Int? {
        guard var lease = side.lease else { return .max }
        if let until = side.waitsUntil, now < until { return nil }
        if lease.bytes < least {
            let until = rates.fetch(least, for: &lease, now: now)
            side.lease = lease
            side.waitsUntil = until
            if until != nil {
                hasWaited = true
                if side.waitsSince == nil { side.waitsSince = now }
                return nil
            }
        }
        noteWaited(&side, direction, now)
        return lease.bytes
    }

    private func noteWaited(_ side: inout Side, _ direction: ByteDirection, _ now: Instant) {
        side.waitsUntil = nil
        guard let since = side.waitsSince else { return }
        side.waitsSince = nil
        metrics.countPaced(direction, nanoseconds: now.nanoseconds(since: since))
    }

    /// So many bytes of a body have passed since it began.
    func note(_ direction: ByteDirection, passed total: Int) {
        switch direction {
        case .down:
            use(&down, direction, total - down.counted)
            down.counted = total
        case .up:
            use(&up, direction, total - up.counted)
            up.counted = total
        }
    }

    private func use(_ side: inout Side, _ direction: ByteDirection, _ count: Int) {
        guard side.lease != nil, count > 0 else { return }
        side.lease?.use(count)
        metrics.countPaced(direction, bytes: count)
    }

    /// Whether the body waits for bytes.
    func waits(_ direction: ByteDirection, now: Instant) -> Bool {
        switch direction {
        case .down: down.waitsUntil.map { now < $0 } ?? false
        case .up: up.waitsUntil.map { now < $0 } ?? false
        }
    }

    /// When a body that waits is to be looked at; nil where none does.
    func nextLook(now: Instant) -> Instant? {
        let looks = [down.waitsUntil, up.waitsUntil].compactMap(\.self).filter { now < $0 }
        return looks.min()
    }

    /// Gives back what was fetched: the backend is done, or given up.
    func end(now: Instant) {
        for direction in ByteDirection.allCases {
            switch direction {
            case .down: end(&down, direction, now)
            case .up: end(&up, direction, now)
            }
        }
        isDeadlineOurs = false
    }

    private func end(_ side: inout Side, _ direction: ByteDirection, _ now: Instant) {
        noteWaited(&side, direction, now)
        guard let lease = side.lease else { return }
        side.lease = nil
        rates.close(lease)
    }
}
