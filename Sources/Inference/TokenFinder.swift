// What is known, while an event of a stream passes, of whether it carries tokens of the response. What counts
// as tokens is in `UsageReader+Tokens.swift`.

internal import Bytes

/// What is known of one event.
struct TokenFinder {
    private(set) var hasTokens = false
    private(set) var isOtherType = false
    /// Whether the choices of a response of OpenAI's are being read.
    var isInChoices = false
    /// Whether a list has begun that is tokens if it has an element.
    var isInList = false

    /// Whether it carries tokens.
    var carriesTokens: Bool { hasTokens && !isOtherType }

    /// Something was found that is not empty.
    mutating func found() { hasTokens = true }

    /// What an event's type says of tokens.
    enum Kind {
        case tokens, maybeTokens, other

        init(type: Span<UInt8>) {
            if type.hasSuffix(".delta") {
                self = .tokens
            } else if type.equals("content_block_delta") || type.equals("completion") {
                self = .maybeTokens
            } else {
                self = .other
            }
        }
    }

    /// The event says of what type it is.
    mutating func note(_ kind: Kind) {
        switch kind {
        case .tokens: hasTokens = true
        case .maybeTokens: break
        case .other: isOtherType = true
        }
    }
}
