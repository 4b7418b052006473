// Whether a client takes what it has been sent. Our kernel says late that it has room again: its buffer
// for a connection holds megabytes, and it speaks up when a third of them have gone, which takes a
// reader of 20 kB/s more than half a minute. So it is asked how much of that is left.
//
// The client's kernel speaks late as well: once its buffer was full it says nothing until half of that
// or more is free (RFC 9293 section 3.8.6.2.2), 64 kB and more where nobody has set it. Until then a
// reader of 2 kB/s and one that reads nothing look the same, so what was taken at once buys time.

internal import Admission

/// When a client that has bytes to take was last seen to take some.
struct WriteProgress {
    /// The last progress, or the beginning of the wait.
    private var at: Instant
    /// When it was last looked at what the kernel holds.
    private var lookedAt: Instant
    /// What had been sent and was not in the kernel any more then.
    private var takenBytes = 0
    /// What the client's kernel had last taken between two looks.
    private var burstBytes = 0

    /// Looks in the time that a client may take nothing.
    private static let looks: Int64 = 4
    /// What a byte buys: a reader of 2 kB/s needs as much for it.
    private static let byteNanoseconds: Int64 = 500_000
    /// What bytes buy at most, in the time that a client may take nothing.
    private static let boughtMost: Int64 = 2

    /// Nothing is waited for since `now`.
    init(now: Instant) {
        at = now
        lookedAt = now
    }

    /// The kernel has taken bytes.
    mutating func moved(now: Instant) { at = now }

    /// For how long the client may take nothing now, where it usually is `stall` nanoseconds.
    private func allowed(_ stall: Int64) -> Int64 {
        let bought = Int64(burstBytes) * WriteProgress.byteNanoseconds
        return stall + min(WriteProgress.boughtMost * stall, bought)
    }

    /// When to look again.
    func nextLook(stall: Int64) -> Instant {
        min(
            at.advanced(byNanoseconds: allowed(stall)),
            lookedAt.advanced(byNanoseconds: max(1, stall / WriteProgress.looks)))
    }

    /// Looks whether the client has taken nothing for as long as it may, usually `stall` nanoseconds.
    ///
    /// `sent` is what the kernel has taken over the connection's life, and `unsent` what of it the
    /// client has not; nil where nobody knows.
    mutating func isStalled(sent: Int, unsent: Int?, stall: Int64, now: Instant) -> Bool {
        lookedAt = now
        if let unsent, sent - unsent != takenBytes {
            // A unix socket counts its own storage as well: the number may fall, but it moves.
            burstBytes = max(0, min(sent - unsent - takenBytes, 1 << 30))
            // The first look only shows what there was before.
            if takenBytes != 0 { at = now }
            takenBytes = sent - unsent
        }
        return now.nanoseconds(since: at) >= allowed(stall)
    }
}
