// What the prompts of a group of clients are like: what they begin with, what is their own, and whether
// they go on as conversations.

import Admission

/// The prompts of a group of clients, in tokens.
package struct PromptModel: Equatable, Sendable {
    /// Tokens that prompts of one kind begin with alike, from 0: a system prompt, a document.
    package var sharedTokens = 0
    /// How many kinds there are; a request, or a conversation, is of one of them at random.
    package var kinds = 1
    /// Share of the requests that are of the first kind, beside its part of the rest, 0...1.
    package var hotShare = 0.0
    /// Tokens that each request has of its own, from 0.
    package var ownTokens = 0
    /// Requests of a conversation, from 1: each repeats all that was said before it.
    package var turns = 1
    /// Mean seconds between an answer and its conversation's next request, exponentially distributed.
    package var thinkSeconds = 0.0

    /// Prompts without a token.
    package init() {}
}

/// The prompt of one request, as engines and gateways know it.
struct Prompt {
    /// Names what it begins with as others do, and how long that is.
    var sharedKey: UInt64 = 0
    var sharedTokens = 0
    /// Names what follows: the conversation, or this one request.
    var ownKey: UInt64 = 0
    /// Tokens of the conversation's earlier requests and answers.
    var historyTokens = 0
    /// Tokens that are new.
    var newTokens = 0
    /// Requests of the conversation before this one, and after it.
    var turn = 0
    var turnsLeft = 0

    /// All tokens.
    var tokens: Int { sharedTokens + historyTokens + newTokens }

    /// The conversation's next request, after an answer of that many tokens.
    mutating func goOn(afterAnswer answerTokens: Int, newTokens: Int) {
        historyTokens += self.newTokens + answerTokens
        self.newTokens = newTokens
        turn += 1
        turnsLeft -= 1
    }

    /// What a gateway knows it by.
    var keys: PrefixKeys {
        var keys = PrefixKeys(bytes: AffinitySettings.bytesPerToken * tokens)
        forEachBeginning { keys.append(key: $0, bytes: AffinitySettings.bytesPerToken * $1) }
        return keys
    }

    /// Calls `body` with a key for each beginning of the prompt that others may share, the shortest
    /// first, and with its tokens: the shared one, and up to the end of each request, which are taken for
    /// equally long.
    func forEachBeginning(_ body: (_ key: UInt64, _ tokens: Int) -> Void) {
        if sharedTokens > 0 { body(sharedKey, sharedTokens) }
        for index in 0...turn {
            var mixed = SplitMix64(seed: ownKey &+ UInt64(index))
            let own = (historyTokens + newTokens) * (index + 1) / (turn + 1)
            body(mixed.next(), sharedTokens + own)
        }
    }
}
