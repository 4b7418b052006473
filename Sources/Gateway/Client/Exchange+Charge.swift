// What a request is held against its tenant's quotas: an estimate when it comes, what it came to when
// it ends, nothing when it was not served.

internal import Admission
internal import HTTP1

extension Exchange {
    /// Bytes of English text that make a token, about: OpenAI, "What are tokens and how to count
    /// them?".
    private static let bytesPerToken = 4

    /// Tokens that the request is expected to come to, from its length.
    var expectedTokens: Int {
        let bytes: Int
        switch parser.head.framing {
        case .length(let length): bytes = length
        case .none: bytes = 0
        case .chunked, .untilClose: bytes = client?.input.count ?? 0
        }
        return (bytes + Exchange.bytesPerToken - 1) / Exchange.bytesPerToken
    }

    /// What the request is charged that ends with `outcome`.
    func charge(_ outcome: Outcome) -> Charge {
        guard isAnswerBegun else { return .nothing }
        switch record.status {
        case 429, 500...: return .nothing
        case 400...: return .tokens(0)
        default: return .tokens(servedTokens)
        }
    }

    /// Tokens that have been served so far: each piece of a streamed answer is one, and other
    /// answers count by their length.
    private var servedTokens: Int {
        let prompt = max(expectedTokens, record.bodyBytes / Exchange.bytesPerToken)
        let answer =
            record.answerPieces > 0
            ? record.answerPieces : record.answerBodyBytes / Exchange.bytesPerToken
        return prompt + answer
    }
}
