// When a worker dials a gateway again that it could not reach, or that did not take it. Pure.

internal import Admission

/// The pauses between dials that fail, one behind the other.
struct CreditPause {
    /// The longest pause as it stands; the next one is a random part of it.
    private var mostNanoseconds = CreditPause.leastNanoseconds
    /// Until when nobody is dialled.
    private(set) var endsAt = Instant(nanoseconds: .min / 2)

    /// The first pause is shorter than this, and each doubles it up to the longest.
    static let leastNanoseconds: Int64 = 100_000_000
    static let longestNanoseconds: Int64 = 30_000_000_000

    /// A handshake was answered as it should be.
    mutating func succeeded() { mostNanoseconds = CreditPause.leastNanoseconds }

    /// A dial or a handshake failed; `askedSeconds` is what the answer said, whatever that is.
    ///
    /// The whole pause is random ("full jitter"): workers that all lost their gateway at once come back one by one.
    mutating func failed(askedSeconds: Int? = nil, random: UInt64, now: Instant) {
        // Others of the same moment have failed for the same reason.
        guard now >= endsAt else { return }
        var nanoseconds = Int64(random % UInt64(mostNanoseconds))
        mostNanoseconds = min(CreditPause.longestNanoseconds, 2 * mostNanoseconds)
        if let askedSeconds {
            let most = Int(CreditPause.longestNanoseconds / 1_000_000_000)
            nanoseconds += Int64(min(max(0, askedSeconds), most)) * 1_000_000_000
        }
        endsAt = now.advanced(byNanoseconds: nanoseconds)
    }
}
