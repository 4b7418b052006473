// What is remembered about an exchange for its log line and the metrics.

internal import Admission

/// Facts and instants of one exchange; instants are zero until they happen.
struct ExchangeRecord {
    /// The first byte of the head was there.
    var startedAt = Instant(nanoseconds: 0)
    /// The request was offered for the first time: from then on its client waits for the gateway.
    var offeredAt = Instant(nanoseconds: 0)
    /// The request was offered to its pool, or went back to its queue after a failed dial.
    var waitBeganAt = Instant(nanoseconds: 0)
    /// The last permit was granted.
    var grantedAt = Instant(nanoseconds: 0)
    /// The first try to connect began; the connect budget counts from here.
    var connectBeganAt = Instant(nanoseconds: 0)
    /// The last dial began.
    var dialBeganAt = Instant(nanoseconds: 0)
    /// A connection to the backend was there.
    var connectedAt = Instant(nanoseconds: 0)
    /// The response's first byte was there.
    var firstByteAt = Instant(nanoseconds: 0)
    /// The first event of a stream was there.
    var firstEventAt = Instant(nanoseconds: 0)
    /// The last event of a stream was there.
    var lastEventAt = Instant(nanoseconds: 0)
    /// The response's last byte was there.
    var answeredAt = Instant(nanoseconds: 0)
    /// The backend last took or gave a byte.
    var upstreamProgressAt = Instant(nanoseconds: 0)
    /// A sign of the backend's life was last told to its pool.
    var lifeReportedAt = Instant(nanoseconds: 0)
    /// The client last sent a byte of the body.
    var bodyProgressAt = Instant(nanoseconds: 0)

    /// For how long the client was waited for.
    var bodyClock = BodyClock()
    /// A paused answer is taken further from then on, although its client is slow.
    var takesMoreAt = Instant(nanoseconds: 0)

    /// The client connection's counters when the exchange began.
    var receivedBefore = 0
    var sentBefore = 0
    /// The request body's bytes, without chunk framing.
    var bodyBytes = 0
    /// The response body's bytes, without chunk framing.
    var responseBodyBytes = 0
    /// Events of the response where it is a stream, else its chunks.
    var responsePieces = 0

    /// Whole seconds of the backend's `Retry-After`; 0 without one.
    var backendRetryAfterSeconds = 0

    /// Time without a permit, over all waits.
    var queueNanoseconds: Int64 = 0
    /// What the client was told; 0 before.
    var status = 0
    /// What the backend answered; 0 before.
    var backendStatus = 0
    var reason = Reason.none
    /// What it would have been refused for, if the pool did more than observe.
    var withheld = Reason.none
    /// How often it was tried again after its backend had failed.
    var retries = 0
    /// Backends that were tried.
    var attempts = 0
    /// Whether the last try was on a connection that had served before.
    var isReused = false
    /// Whether the client has sent a byte through its tunnel.
    var hasSpokenInTunnel = false
    /// Whether it was sent once more because a connection closed under it.
    var wasSentAgain = false
    /// The last backend's label.
    var backend: BackendID?

    /// Whether `instant` has happened.
    static func happened(_ instant: Instant) -> Bool { instant.nanoseconds != 0 }
}
