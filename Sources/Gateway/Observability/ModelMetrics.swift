// What the requests of one model came to in one pool, and what is expected of the next ones. It
// belongs to the reactor's thread.

package import Inference

/// Counters and histograms of one model, and its estimator.
package final class ModelMetrics {
    /// The model's name; empty for requests whose model is not read, `other` for those beyond the
    /// bound of names.
    package let name: [UInt8]
    /// `model="…"`, ready to be written.
    let label: String

    /// Time from a request's first byte to the first event of its answer.
    package private(set) var firstToken = Histogram(bounds: Histogram.durationBounds)
    /// Time between two events of an answer.
    package private(set) var interToken = Histogram(bounds: Histogram.interTokenBounds)
    /// Requests that were answered whole.
    package private(set) var answers: UInt64 = 0
    /// Tokens of prompts and answers, as reported, else counted by events.
    package private(set) var inputTokens: UInt64 = 0
    package private(set) var outputTokens: UInt64 = 0
    /// What is expected of requests.
    package var estimator = TokenEstimator()

    /// Zeroed counters of the model `name`.
    package init(name: [UInt8]) {
        self.name = name
        label = "model=\"\(escapedLabel(String(decoding: name, as: UTF8.self)))\""
    }

    /// Shows every counter to `walk`.
    func walk(_ walk: inout CounterWalk) {
        firstToken.walk(&walk)
        interToken.walk(&walk)
        walk.visit(&answers)
        walk.visit(&inputTokens)
        walk.visit(&outputTokens)
    }

    /// Counts a first event.
    func observeFirstToken(nanoseconds: Int64) { firstToken.observe(nanoseconds: nanoseconds) }

    /// Counts as many gaps between events.
    func observeInterToken(nanoseconds: Int64, times: Int) {
        for _ in 0..<times { interToken.observe(nanoseconds: nanoseconds) }
    }

    /// Counts a whole answer.
    func countAnswer() { answers &+= 1 }

    /// Counts what an answer came to.
    func countTokens(_ usage: TokenUsage) {
        inputTokens &+= UInt64(clamping: usage.input ?? 0)
        outputTokens &+= UInt64(clamping: usage.output ?? 0)
    }
}

extension PoolMetrics {
    /// Models that are told apart in one pool; clients may name as many as they like.
    package static let mostModels = 64

    /// The counters of the model `name`.
    func model(_ name: [UInt8]) -> ModelMetrics {
        for model in models where model.name == name { return model }
        if models.count >= PoolMetrics.mostModels {
            return PoolMetrics.other(&models)
        }
        let made = ModelMetrics(name: name)
        models.append(made)
        return made
    }

    private static func other(_ models: inout [ModelMetrics]) -> ModelMetrics {
        let name = Array("other".utf8)
        for model in models where model.name == name { return model }
        let made = ModelMetrics(name: name)
        models.append(made)
        return made
    }
}

extension Histogram {
    /// The bounds of vLLM's histogram of the time per output token, 10 ms..80 s.
    package static let interTokenBounds: [Int64] = [
        10, 25, 50, 75, 100, 150, 200, 300, 400, 500, 750, 1_000, 2_500, 5_000, 7_500, 10_000,
        20_000, 40_000, 80_000,
    ].map { $0 * 1_000_000 }
}
