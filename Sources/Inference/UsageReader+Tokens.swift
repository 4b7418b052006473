// Which events of a stream carry tokens of the response: text, reasoning or a call's arguments. Streams have
// others, some of them long before the first token: that a response was created, that a block begins or
// ends, usage, pings.
//
//     OpenAI chat       "choices": [{"delta": {"content", "reasoning_content", "reasoning", "refusal",
//                       "tool_calls", "function_call", "audio"}}]
//     completions       "choices": [{"text"}]
//     responses         "type": "response....delta"
//     Anthropic         "type": "content_block_delta", "delta": {"text", "thinking", "partial_json"};
//                       "type": "completion", "completion"
//     Ollama            "response", "thinking"; "message": {"content", "thinking", "tool_calls"}
//     TGI               "token": {}
//     SGLang, Triton    "text"; "text_output"
//
// An event that has a type carries tokens only where its type says so. Texts and lists that are empty are
// no tokens: streams begin and end with them.

internal import Bytes

extension UsageReader {
    /// What the value of that key may be of tokens, in a container of that depth.
    ///
    /// It is told what it looks at: a call that only looks at a reader has it copied.
    static func tokenValue(
        of key: borrowing ShortText, depth: Int, isInChoices: Bool
    ) -> Value {
        switch depth {
        case 1: return tokenValueAtRoot(key)
        case 2: return isGenerated(key) ? .generated : .other
        case 3 where isInChoices:
            switch key.count {
            case 4: return key.equals(Word.text) ? .generated : .other
            case 5: return key.equals(Word.delta) ? .delta : .other
            default: return .other
            }
        case 4 where isInChoices:
            if key.span.equals("audio") || key.span.equals("function_call") {
                return .generatedObject
            }
            return isGenerated(key) ? .generated : .other
        default: return .other
        }
    }

    private static func tokenValueAtRoot(_ key: borrowing ShortText) -> Value {
        switch key.count {
        case 4:
            if key.equals(Word.type) { return .type }
            return key.equals(Word.text) ? .generated : .other
        case 5:
            if key.equals(Word.token) { return .generatedObject }
            return key.equals(Word.delta) ? .delta : .other
        case 7: return key.equals(Word.choices) ? .choices : .other
        case 8: return key.equals(Word.thinking) ? .generated : .other
        case 10: return key.span.equals("completion") ? .generated : .other
        case 11: return key.span.equals("text_output") ? .generated : .other
        default: return .other
        }
    }

    /// Whether a key of a delta, or of a message, has tokens for its value.
    private static func isGenerated(_ key: borrowing ShortText) -> Bool {
        switch key.count {
        case 4: key.equals(Word.text)
        case 7: key.equals(Word.content) || key.equals(Word.refusal)
        case 8: key.equals(Word.thinking)
        case 9: key.span.equals("reasoning")
        case 10: key.span.equals("tool_calls")
        case 12: key.span.equals("partial_json")
        case 17: key.span.equals("reasoning_content")
        default: false
        }
    }

    /// Notes what `event` says of tokens, which is the value of what `value` stands for.
    mutating func follow(_ event: JSONEvent, as value: Value) {
        if tokens.isInList {
            // Its first element, or its end.
            tokens.isInList = false
            if event != .close { found() }
            return
        }
        switch (event, value) {
        case (.string, .type):
            let kind = TokenFinder.Kind(type: scanner.text.span)
            tokens.note(kind)
        case (.string, .generated), (.string, .delta), (.string, .response):
            if !scanner.isStringEmpty { found() }
        case (.open(isObject: false), .generated): tokens.isInList = true
        case (.open(isObject: true), .generatedObject): found()
        default: break
        }
    }

    /// The event carries tokens: no more of its choices needs to be looked at.
    private mutating func found() {
        tokens.found()
        guard tokens.isInChoices else { return }
        tokens.isInChoices = false
        scanner.reportedDepth = 1
    }

    /// Has what is in a container that has begun looked at, where it may hold tokens.
    mutating func descend(as value: Value) {
        switch value {
        case .choices:
            tokens.isInChoices = true
            scanner.reportedDepth = scanner.depth
        case .delta: scanner.reportedDepth = scanner.depth
        case .generated: if tokens.isInList { scanner.reportedDepth = scanner.depth }
        case .other where tokens.isInChoices && scanner.depth == 3:
            scanner.reportedDepth = 3
        default: break
        }
    }
}
