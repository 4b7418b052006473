// How long backends take to read prompts and to write answers, learnt from requests that ended.
//
// What a request waits for inside an engine is not told apart from reading, so that every first byte gives
// only a bound: no byte takes longer than the time to the first byte over the bytes that had to be read. The
// time of a byte is what one in ten such bounds is below, of prompts of which much had to be read. A least
// squares fit was tried instead: under overload the waits hide what reading costs, it comes to nothing, and
// then nothing keeps prompts where they are known, which keeps the overload up.
//
// Until enough is known, and where responses are not streamed, reading a usual prompt is taken for a quarter
// of the whole time. Only the proportion of reading to writing decides anything.

/// The time of a byte of a prompt, and of an answer.
struct PromptTime: Sendable {
    /// What is left of a sample's weight after each further one.
    private static let decay = 0.995
    /// The share of the whole time that reading a prompt is first taken for.
    private static let priorShare = 0.25
    /// The share of bounds that the time of a byte is above, and by how much one moves it.
    private static let quantile = 0.1
    private static let step = 0.1
    /// Bounds that are needed.
    private static let enough = 8

    private var weight = 0.0
    private var size = 0.0
    private var total = 0.0
    private var answer = 0.0
    private var bounds = 0
    private var bound = 0.0

    /// Whether no request has ended yet.
    var isUnknown: Bool { weight == 0 }

    /// Seconds for a byte that is not known, from 0.
    private(set) var secondsPerByte = 0.0
    /// Seconds for a usual answer at the backends' usual load, above 0.
    private(set) var answerSeconds = 1.0

    /// A request of `size` bytes, of which `own` were to be read and so many others before them, had its
    /// first byte and its end after so many seconds.
    mutating func learn(
        size sample: Double, own: Double, ahead: Double, firstByteSeconds: Double,
        totalSeconds: Double
    ) {
        // A response in one piece has its first byte when it ends.
        let isStreamed = firstByteSeconds < 0.95 * totalSeconds
        let writing = isStreamed ? totalSeconds - firstByteSeconds : 0.75 * totalSeconds
        weight = weight * Self.decay + 1
        size = size * Self.decay + sample
        total = total * Self.decay + totalSeconds
        answer = answer * Self.decay + writing
        answerSeconds = max(answer / weight, 1e-6)
        if isStreamed, 4 * own > size / weight, firstByteSeconds > 0 {
            take(firstByteSeconds / (own + ahead))
        }
        let prior = Self.priorShare * total / max(1, size)
        secondsPerByte = bounds < Self.enough ? prior : bound
    }

    private mutating func take(_ sample: Double) {
        bounds = min(bounds + 1, Self.enough)
        if bounds < Self.enough {
            bound = bounds == 1 ? sample : min(bound, sample)
        } else if sample < bound {
            bound *= 1 - Self.step * (1 - Self.quantile)
        } else {
            bound *= 1 + Self.step * Self.quantile
        }
    }

    /// Takes over a prior for prompts of that size while no request has ended.
    mutating func expect(size: Double) {
        guard weight == 0 else { return }
        secondsPerByte = Self.priorShare * answerSeconds / max(1, size)
    }
}
