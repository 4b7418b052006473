// What the clients that most people use do when they are refused. Read from openai-python 3.3.1,
// `_base_client.py`: two retries; the server's `retry-after-ms` is slept exactly when it is above 0
// and at most 120 s, and beyond that the error surfaces; else 0.5 s doubled each time, at most 8 s,
// shortened by up to a quarter at random.

import Admission

/// The retry rule of OpenAI's SDK.
enum SDKRetry {
    /// Attempts after the first.
    static let maxRetries = 2

    /// Nanoseconds until the next attempt; nil when there is none.
    ///
    /// - Parameters:
    ///   - attempt: attempts made before the one that failed, from 0.
    ///   - milliseconds: the server's `retry-after-ms`; nil when it sent none.
    static func delayNanoseconds(
        attempt: Int, retryAfterMilliseconds milliseconds: Int?, random: inout SplitMix64
    ) -> Int64? {
        guard attempt < maxRetries else { return nil }
        if let milliseconds, milliseconds > 0 {
            return milliseconds <= 120_000 ? Int64(milliseconds) * 1_000_000 : nil
        }
        let backoff = min(0.5 * Double(1 << min(attempt, 4)), 8)
        return Int64(backoff * (1 - 0.25 * random.unit()) * 1e9)
    }
}
