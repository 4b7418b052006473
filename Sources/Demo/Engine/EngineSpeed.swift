// The one law of the simulated engine: how long a step takes.

/// How long an engine's step takes, and how many requests can share one: `base + perRequest *
/// batch`.
///
/// The base is what reading the model's weights takes, whatever the batch; the rest grows with it.
/// Real engines have this shape with other numbers.
package struct EngineSpeed: Equatable, Sendable {
    /// The part of a step that does not depend on the batch, in nanoseconds.
    package var baseNanoseconds: Int64 = 4_000_000
    /// What each request in the batch adds, in nanoseconds.
    package var perRequestNanoseconds: Int64 = 250_000
    /// Requests that one step can have, at least 1.
    package var maxBatch = 64

    /// The demo's engine: 20 ms a step and 3,200 tokens a second with a full batch of 64.
    package init() {}

    /// How long a step of `batch` requests takes, in nanoseconds.
    package func stepNanoseconds(batch: Int) -> Int64 {
        baseNanoseconds + perRequestNanoseconds * Int64(batch)
    }

    /// Tokens a second with `batch` requests in every step, at most `maxBatch` of them.
    package func tokensPerSecond(batch: Int) -> Double {
        let batch = min(batch, maxBatch)
        return Double(batch) * 1e9 / Double(stepNanoseconds(batch: batch))
    }
}
