// What is remembered about an exchange as a whole for its log line and the metrics; what its attempts and
// both its sides remember is theirs.

internal import Admission
internal import Telemetry

/// Facts and instants of one exchange; instants are zero until they happen.
struct ExchangeRecord {
    /// The first byte of the head was there.
    var startedAt = Instant(nanoseconds: 0)
    /// The request was offered for the first time: from then on its client waits for the gateway.
    var offeredAt = Instant(nanoseconds: 0)
    /// The request was offered to its pool, or went back to its queue after a failed attempt.
    var waitBeganAt = Instant(nanoseconds: 0)
    /// The first try to connect began; the connect budget, of all backends that are tried because one
    /// cannot be reached, counts from here.
    var connectBeganAt = Instant(nanoseconds: 0)
    /// Time without a permit, over all waits.
    var queueNanoseconds: Int64 = 0

    /// The client connection's counters when the exchange began.
    var receivedBefore = 0
    var sentBefore = 0

    var reason = Reason.none
    /// What it would have been refused for, if the pool did more than observe.
    var withheld = Reason.none
    /// How often it was tried again after its backend had failed.
    var retries = 0
    /// How often it went back to its queue because a worker had gone away before it had begun.
    var workerReturns = 0
    /// Connections that were asked for.
    private(set) var attempts = 0
    /// Backends that it was to go to before the last, oldest first, and the last; nil before the first.
    private(set) var formerBackends: [BackendMetrics] = []
    private(set) var lastBackend: BackendMetrics?
    /// Whether it was sent once more because a connection closed under it.
    var wasSentAgain = false

    /// Most backends that are remembered besides the last.
    private static let mostFormerBackends = 8

    /// A connection to `backend` is asked for.
    mutating func noteAttempt(at backend: BackendMetrics) {
        attempts += 1
        noteFormerBackend()
        lastBackend = backend
    }

    /// The backend that it was to go to has left the policy, and no other takes its place yet.
    mutating func noteLostBackend() {
        noteFormerBackend()
        lastBackend = nil
    }

    private mutating func noteFormerBackend() {
        // A request that is tried once, as most are, has no list.
        if let lastBackend, formerBackends.count < Self.mostFormerBackends {
            formerBackends.append(lastBackend)
        }
    }

    /// Whether `instant` has happened.
    static func happened(_ instant: Instant) -> Bool { instant.nanoseconds != 0 }
}
