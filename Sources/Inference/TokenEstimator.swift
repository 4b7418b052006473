// What a request will come to, learnt from what earlier ones of its model came to.

/// Expected tokens of one model's requests.
package struct TokenEstimator: Sendable {
    /// A running mean.
    private struct Mean {
        var key: UInt64 = 0
        var value = 0.0
        var samples = 0

        /// The first samples count alike, later ones with a fiftieth each.
        mutating func learn(_ sample: Double) {
            samples = min(samples + 1, 50)
            value += (sample - value) / Double(samples)
        }
    }

    /// Tokens of a response before any was seen.
    package static let firstOutput = 256
    /// Tenants whose responses are told apart at once; a new one takes the place of another.
    package static let tenants = 64
    /// No prompt is expected to have more.
    private static let mostInput = 1e12
    /// Responses of a tenant that are needed before they count more than all tenants' together.
    private static let enough = 8

    /// Tokens and bytes of late prompts; the first four bytes a token are a guess that soon weighs
    /// nothing.
    private var inputTokens = 256.0
    private var inputBytes = 1_024.0
    private var output = Mean()
    private var outputs = [Mean](repeating: Mean(), count: TokenEstimator.tenants)

    /// An estimator that has seen nothing.
    package init() {}

    /// Learns from a response that reported `usage`, to a request of `bodyBytes` by `tenant`.
    ///
    /// `output` counts all choices; it is learnt for one.
    package mutating func learn(
        bodyBytes: Int, _ usage: TokenUsage, choices: Int = 1, tenant: UInt64 = 0
    ) {
        if let tokens = usage.input, tokens > 0, bodyBytes > 0 {
            inputTokens = inputTokens * 0.98 + Double(tokens)
            inputBytes = inputBytes * 0.98 + Double(bodyBytes)
        }
        guard let tokens = usage.output, tokens >= 0 else { return }
        let sample = Double(tokens) / Double(max(1, choices))
        output.learn(sample)
        guard tenant != 0 else { return }
        let slot = TokenEstimator.slot(of: tenant)
        if outputs[slot].key != tenant { outputs[slot] = Mean(key: tenant) }
        outputs[slot].learn(sample)
    }

    /// Expected tokens of a prompt in a body of that many bytes.
    package func input(bodyBytes: Int) -> Int {
        guard bodyBytes > 0 else { return 0 }
        let expected = Double(bodyBytes) * inputTokens / inputBytes
        return max(1, Int(min(expected, TokenEstimator.mostInput)))
    }

    /// Expected tokens of the responses to a request; `maxTokens` bounds each of them.
    package func output(maxTokens: Int?, choices: Int = 1, tenant: UInt64 = 0) -> Int {
        var expected = output.samples == 0 ? Double(TokenEstimator.firstOutput) : output.value
        if tenant != 0 {
            let own = outputs[TokenEstimator.slot(of: tenant)]
            if own.key == tenant, own.samples >= TokenEstimator.enough { expected = own.value }
        }
        let each = min(Int(expected.rounded(.up)), max(0, maxTokens ?? .max))
        return each * max(1, choices)
    }

    private static func slot(of tenant: UInt64) -> Int {
        Int(truncatingIfNeeded: (tenant &* 0x9e37_79b9_7f4a_7c15) >> 58) & (tenants - 1)
    }
}
