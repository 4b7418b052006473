// Finds the numbers of tokens that a response reports, in whichever of the engines' forms, while its
// bytes pass: a whole response, or the data of one event of a stream after the other. Of events it also
// says whether they carry tokens.
//
//     OpenAI, vLLM, SGLang   "usage": {"prompt_tokens", "completion_tokens"}, null but in the last event,
//                            "prompt_tokens_details": {"cached_tokens"} within
//     OpenAI's responses     "usage": {"input_tokens", "output_tokens"}, in "response" in a stream
//     Anthropic              the same in "message" of the first event, the rest in the last "usage"
//     Ollama                 "prompt_eval_count", "eval_count"
//     TGI                    "details": {"generated_tokens", "input_length" in a stream}
//     SGLang's own           "meta_info": {"prompt_tokens", "completion_tokens", "cached_tokens"}
//     llama.cpp              the first, and "timings": {"cache_n"}

internal import Bytes

/// Reads reported usage out of JSON texts.
package struct UsageReader {
    enum Value {
        case other, input, cached, cachedRead, cachedWritten, output, container, usage
        /// What may hold tokens of the response itself: see `UsageReader+Tokens.swift`.
        case type, generated, generatedObject, delta, response, choices
    }

    /// Numbers as they were read.
    package struct Reported: Sendable {
        /// What Anthropic calls input is what did not come from its cache and did not go into it.
        fileprivate var input: Int?
        fileprivate var cachedRead: Int?
        fileprivate var cachedWritten = 0
        fileprivate var cached: Int?
        fileprivate var output: Int?

        /// What they come to.
        package var usage: TokenUsage {
            TokenUsage(
                input: input.map { $0 + (cachedRead ?? 0) + cachedWritten },
                cached: cached ?? cachedRead, output: output)
        }
    }

    /// What was found so far, over all texts since `reset`.
    package private(set) var reported = Reported()
    var scanner = JSONScanner()
    private var next = Value.other
    /// Whether the response is a stream, of which each text is an event.
    private var isStream = false
    /// What is known of the present event.
    var tokens = TokenFinder()
    private var isBroken = false

    /// A reader that has found nothing.
    package init() {}

    /// Begins another response, which is a stream of events where `isStream` says so.
    package mutating func reset(isStream: Bool = false) {
        self.isStream = isStream
        reported = Reported()
        beginText()
    }

    /// Begins the next text of the same response.
    package mutating func beginText() {
        scanner.reset()
        next = .other
        isBroken = false
        tokens = TokenFinder()
    }

    /// Whether the present text is complete and was JSON; `[DONE]` is not.
    package var isTextComplete: Bool { !isBroken && scanner.isComplete }

    /// Whether the present text is complete and carries tokens of the response, of a stream's events.
    package var carriesTokens: Bool { isStream && tokens.carriesTokens && isTextComplete }

    /// Reads the next bytes of the present text; what is no JSON is passed over.
    package mutating func read(_ bytes: Span<UInt8>) {
        if isBroken { return }
        do throws(BodyFault) {
            var index = 0
            while true {
                let event = try scanner.next(in: bytes, at: &index)
                if event == .needMoreData { break }
                take(event)
            }
        } catch {
            isBroken = true
        }
    }

    @inline(__always) private mutating func take(_ event: JSONEvent) {
        if isStream, next != .other || tokens.isInList { follow(event, as: next) }
        switch event {
        case .key: takeKey()
        case .number:
            takeNumber()
            next = .other
        case .open:
            // Keys of deeper containers are looked at only within those that can hold usage, or tokens.
            switch next {
            case .container, .response: scanner.reportedDepth = 2
            case .usage: scanner.reportedDepth = scanner.depth
            default: if isStream { descend(as: next) }
            }
            next = .other
        case .close:
            scanner.reportedDepth = max(1, scanner.depth)
            if scanner.depth == 1 { tokens.isInChoices = false }
        case .string, .literal:
            next = .other
        case .needMoreData: break
        }
    }

    private mutating func takeKey() {
        next =
            scanner.isTextCut
            ? .other : UsageReader.value(of: scanner.text, depth: scanner.depth)
        guard isStream, next == .other else { return }
        next = UsageReader.tokenValue(
            of: scanner.text, depth: scanner.depth, isInChoices: tokens.isInChoices)
        if next == .type { scanner.captures = true }
    }

    private static func value(of key: borrowing ShortText, depth: Int) -> Value {
        // Their lengths rule most keys out, and most of the others two words.
        switch key.count {
        case 5: return key.equals(Word.usage) ? .usage : .other
        case 7:
            if key.equals(Word.details) || key.equals(Word.timings) { return .usage }
            if key.equals(Word.cacheN) { return .cached }
            return depth == 1 && key.equals(Word.message) ? .container : .other
        case 8: return depth == 1 && key.equals(Word.response) ? .response : .other
        case 9: return key.span.equals("meta_info") ? .usage : .other
        case 10: return key.span.equals("eval_count") ? .output : .other
        case 12:
            let isInput =
                key.equals(Word.inputStart, Word.tokensBehindT)
                || key.equals(Word.inputLengthStart, Word.lengthEnd)
            return isInput ? .input : .other
        case 13:
            if key.equals(Word.promptStart, Word.tokensBehindT) { return .input }
            if key.equals(Word.cachedStart, Word.tokensBehindD) { return .cached }
            return key.equals(Word.outputStart, Word.tokensBehindT) ? .output : .other
        case 16: return key.span.equals("generated_tokens") ? .output : .other
        case 17:
            guard key.span.equals("completion_tokens") else {
                return key.span.equals("prompt_eval_count") ? .input : .other
            }
            return .output
        case 20: return key.span.equals("input_tokens_details") ? .usage : .other
        case 21: return key.span.equals("prompt_tokens_details") ? .usage : .other
        case 23: return key.span.equals("cache_read_input_tokens") ? .cachedRead : .other
        case 27: return key.span.equals("cache_creation_input_tokens") ? .cachedWritten : .other
        default: return .other
        }
    }

    private mutating func takeNumber() {
        guard let number = scanner.number, (0...UsageReader.most).contains(number) else { return }
        switch next {
        case .input: reported.input = number
        case .cached: reported.cached = number
        case .cachedRead: reported.cachedRead = number
        case .cachedWritten: reported.cachedWritten = number
        case .output: reported.output = number
        case .other, .container, .usage, .type, .generated, .generatedObject, .delta, .response,
            .choices:
            break
        }
    }

    /// A number of tokens above this is taken for nonsense.
    private static let most = 1_000_000_000
}
