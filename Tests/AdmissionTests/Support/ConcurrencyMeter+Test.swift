@testable import Admission

extension ConcurrencyMeter {
    /// A response in one piece ended well, or one that was streamed and began then.
    mutating func succeeded(
        afterSeconds seconds: Double, firstByteSeconds: Double? = nil, now: Instant
    ) {
        succeeded(
            afterSeconds: seconds, firstByteSeconds: firstByteSeconds ?? seconds,
            isStreamed: firstByteSeconds != nil, now: now)
    }
}
