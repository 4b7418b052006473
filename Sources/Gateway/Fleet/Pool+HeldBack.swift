// Which backends of a pool get less than their limits allow, and why, in words for the log.

internal import Admission
internal import Policy
internal import Telemetry

extension Pool {
    /// Backends that are named at most.
    private static let mostNamed = 5

    /// The backends that something holds back, each with what does, at most five by name; empty for none.
    ///
    /// It locks the pool's admission some times for each backend, and is for those who read the log at level debug.
    func heldBack(now: Instant) -> String {
        var named: [String] = []
        var others = 0
        for case let upstream? in upstreams where !upstream.isRetired {
            guard let cause = cause(at: upstream.id, now: now) else { continue }
            if named.count < Self.mostNamed {
                named.append("\(upstream.address.label) \(cause)")
            } else {
                others += 1
            }
        }
        if others > 0 { named.append("\(others) more") }
        return named.joined(separator: ", ")
    }

    /// What keeps a backend from what its limit allows: what is said of it, its checks, what was seen of it.
    private func cause(at id: BackendID, now: Instant) -> String? {
        guard let status = admission.backend(id, now: now), status.isPresent else { return nil }
        if let heard = admission.signals(of: id, now: now).first(where: {
            $0.signal.state != .ready
        }) {
            return "\(heard.signal.state.name) (\(heard.source.name))"
        }
        if status.isWithheld { return "check" }
        if let suspicion = status.suspicion { return "\(suspicion.name)" }
        if status.unusableUntil != nil { return "ejected" }
        return status.report?.cap == nil ? nil : "report"
    }
}
