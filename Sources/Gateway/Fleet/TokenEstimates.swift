// What requests of a pool's models are expected to come to. All threads learn from each other's responses
// and expect the same, so that a request costs a tenant as much whichever thread it came to.
//
// Only what a backend has answered for has a row. Some backends answer whatever the name is, so beyond the
// bound the model with the fewest responses makes room, and of several the one that had its last the longest
// time ago: names that are made up do not drive out one that is used.

internal import Inference
internal import Reactor

/// Expected tokens of one pool's requests, by model.
final class TokenEstimates: Sendable {
    /// What a request is expected to come to.
    struct Expected: Equatable {
        /// Tokens of the prompt.
        var input: Int
        /// Tokens of all its responses.
        var output: Int
    }

    /// What is known of a request beside its model.
    struct Request {
        /// Bytes of its body.
        var bodyBytes: Int
        /// The most tokens that it asks for.
        var maxTokens: Int?
        /// How many responses it asks for.
        var choices = 1
        /// A number for its tenant, 0 for nobody.
        var tenant: UInt64 = 0
    }

    private struct Row {
        let model: [UInt8]
        var estimator = TokenEstimator()
        /// Responses that were learnt from, and `Rows.learnt` at the last.
        var responses = 0
        var learntAt = 0
    }

    private struct Rows {
        var rows: [Row] = []
        /// Responses that were learnt from.
        var learnt = 0
    }

    /// Models that are told apart.
    static let mostModels = 64

    private let rows = Lock(Rows())

    /// What a request for `model` is expected to come to.
    func expected(of model: [UInt8], _ request: Request) -> Expected {
        rows.withLock { state in
            // Looked at where they are.
            let known = state.rows.span
            for index in known.indices where known[index].model == model {
                return TokenEstimates.expected(known[index].estimator, request)
            }
            return TokenEstimates.expected(TokenEstimator(), request)
        }
    }

    private static func expected(_ estimator: TokenEstimator, _ request: Request) -> Expected {
        Expected(
            input: estimator.input(bodyBytes: request.bodyBytes),
            output: estimator.output(
                maxTokens: request.maxTokens, choices: request.choices, tenant: request.tenant))
    }

    /// Learns from a response that reported `usage`, to a request for `model` that was served.
    func learn(of model: [UInt8], _ request: Request, _ usage: TokenUsage) {
        rows.withLock { state in
            state.learnt += 1
            let index = TokenEstimates.index(of: model, in: &state)
            state.rows[index].learntAt = state.learnt
            state.rows[index].responses += 1
            state.rows[index].estimator.learn(
                bodyBytes: request.bodyBytes, usage, choices: request.choices,
                tenant: request.tenant)
        }
    }

    private static func index(of model: [UInt8], in state: inout Rows) -> Int {
        if let index = state.rows.firstIndex(where: { $0.model == model }) { return index }
        guard state.rows.count >= mostModels,
            let least = state.rows.indices.min(by: {
                let one = state.rows[$0]
                let other = state.rows[$1]
                return (one.responses, one.learntAt) < (other.responses, other.learntAt)
            })
        else {
            state.rows.append(Row(model: model))
            return state.rows.count - 1
        }
        state.rows[least] = Row(model: model)
        return least
    }
}
