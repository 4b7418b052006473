// What a request is held against its tenant's quotas: an estimate when it comes, what it came to when
// it ends, nothing when it was not served.

internal import Admission
internal import Bytes
internal import HTTP1
internal import Inference
internal import Reactor

extension Exchange {
    /// Bytes of English text that make a token, about: OpenAI, "What are tokens and how to count
    /// them?".
    private static let bytesPerToken = 4

    /// Tokens of the prompt, from its length, where nothing better is known.
    func promptTokens(_ framing: BodyFraming) -> Int {
        let bytes: Int
        switch framing {
        case .length(let length): bytes = length
        case .none: bytes = 0
        case .chunked, .untilClose: bytes = client?.input.count ?? 0
        }
        return (bytes + Exchange.bytesPerToken - 1) / Exchange.bytesPerToken
    }

    /// What the request is charged that ends now.
    var charge: Charge {
        switch record.backendStatus {
        case 0, 429, 500...: return .nothing
        case 400...: return .tokens(0)
        default: return .tokens(servedTokens)
        }
    }

    /// Tokens that have been served so far, as the response reports them; else each piece of a
    /// streamed response is one, and other responses count by their length.
    private var servedTokens: Int {
        let usage = usage
        if let input = usage.input { return input + (usage.output ?? 0) }
        let prompt = max(promptTokens(head.framing), record.bodyBytes / Exchange.bytesPerToken)
        let answer =
            record.responsePieces > 0
            ? record.responsePieces : record.responseBodyBytes / Exchange.bytesPerToken
        return prompt + answer
    }
}
