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
    /// What the value of the key in hand may be of tokens.
    func tokenValue() -> Value {
        let key = scanner.text.span
        switch scanner.depth {
        case 1: return UsageReader.tokenValueAtRoot(key)
        case 2: return UsageReader.isGenerated(key) ? .generated : .other
        case 3 where tokens.isInChoices:
            if key.equals("delta") { return .delta }
            return key.equals("text") ? .generated : .other
        case 4 where tokens.isInChoices:
            if key.equals("audio") || key.equals("function_call") { return .generatedObject }
            return UsageReader.isGenerated(key) ? .generated : .other
        default: return .other
        }
    }

    private static func tokenValueAtRoot(_ key: Span<UInt8>) -> Value {
        switch key.count {
        case 4:
            if key.equals("type") { return .type }
            return key.equals("text") ? .generated : .other
        case 5:
            if key.equals("token") { return .generatedObject }
            return key.equals("delta") ? .delta : .other
        case 7: return key.equals("choices") ? .choices : .other
        case 8: return key.equals("thinking") ? .generated : .other
        case 10: return key.equals("completion") ? .generated : .other
        case 11: return key.equals("text_output") ? .generated : .other
        default: return .other
        }
    }

    /// Whether a key of a delta, or of a message, has tokens for its value.
    private static func isGenerated(_ key: Span<UInt8>) -> Bool {
        switch key.count {
        case 4: key.equals("text")
        case 7: key.equals("content") || key.equals("refusal")
        case 8: key.equals("thinking")
        case 9: key.equals("reasoning")
        case 10: key.equals("tool_calls")
        case 12: key.equals("partial_json")
        case 17: key.equals("reasoning_content")
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
