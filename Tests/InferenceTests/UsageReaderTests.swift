// Usage out of the responses and streams of the engines, however their bytes are cut.

import Testing

@testable import Inference

@Suite struct UsageReaderTests {
    static let responses: [(String, TokenUsage)] = [
        ("vllm-chat", TokenUsage(input: 42, cached: 16, output: 18)),
        ("sglang-generate", TokenUsage(input: 7, cached: 6, output: 8)),
        ("tgi-generate", TokenUsage(output: 4)),
        ("ollama-generate", TokenUsage(input: 26, output: 290)),
        ("anthropic-message", TokenUsage(input: 3_095, cached: 900, output: 503)),
        ("openai-embeddings", TokenUsage(input: 8)),
        ("openai-response", TokenUsage(input: 36, cached: 0, output: 87)),
        ("triton-infer", TokenUsage()),
    ]

    /// With the number of events that show progress, and of those of them that carry tokens.
    static let streams: [(String, TokenUsage, Int, Int)] = [
        ("vllm-chat.sse", TokenUsage(input: 11, output: 3), 4, 2),
        ("sglang-chat.sse", TokenUsage(input: 20, output: 2), 3, 1),
        ("sglang-generate.sse", TokenUsage(input: 6, cached: 5, output: 2), 2, 2),
        ("tgi-generate.sse", TokenUsage(input: 5, output: 2), 2, 2),
        ("anthropic-message.sse", TokenUsage(input: 35, cached: 10, output: 15), 6, 1),
        ("openai-response.sse", TokenUsage(input: 37, cached: 0, output: 11), 3, 1),
        ("ollama-generate.ndjson", TokenUsage(input: 26, output: 259), 3, 2),
        ("ollama-chat.ndjson", TokenUsage(input: 31, output: 2), 2, 1),
        ("triton-generate.sse", TokenUsage(), 2, 2),
        ("odd-lines.sse", TokenUsage(input: 3, output: 4), 2, 0),
    ]

    @Test(arguments: responses)
    func responsesReportTheirUsage(_ name: String, _ usage: TokenUsage) throws {
        for pieces in Corpus.cuts(try Corpus.bytes("Answers/\(name).json")) {
            var reader = UsageReader()
            for piece in pieces { reader.read(piece.span) }
            #expect(reader.reported.usage == usage)
            #expect(reader.isTextComplete)
            reader.read([0x7b].span)
            #expect(!reader.isTextComplete, "what comes after the answer breaks it")
        }
    }

    @Test func everyFixtureIsTested() throws {
        let names = UsageReaderTests.responses.map { "Answers/\($0.0).json" }.sorted()
        #expect(try Corpus.names(in: "Answers") == names)
        let streams = UsageReaderTests.streams.map { "Streams/\($0.0)" }.sorted()
        #expect(try Corpus.names(in: "Streams") == streams)
    }

    @Test(arguments: streams)
    func streamsReportTheirUsage(
        _ name: String, _ usage: TokenUsage, _ events: Int, _ tokens: Int
    ) throws {
        let bytes = try Corpus.bytes("Streams/\(name)")
        for pieces in Corpus.cuts(bytes) {
            var stream = FollowedStream(name.hasSuffix(".sse") ? .serverSent : .lines)
            for piece in pieces { stream.read(piece) }
            #expect(stream.usage == usage)
            #expect(stream.events == events)
            #expect(stream.tokens == tokens)
            #expect(stream.splitter.isAtBoundary)
        }
    }

    static let carryTokens = [
        #"{"choices":[{"index":0,"delta":{"content":"x"}}]}"#,
        #"{"choices":[{"delta":{}},{"logprobs":{"content":[]},"delta":{"content":"x"}}]}"#,
        #"{"choices":[{"delta":{"content":"","reasoning_content":"x"}}]}"#,
        #"{"choices":[{"delta":{"reasoning":"x"}}]}"#, #"{"choices":[{"delta":{"refusal":"x"}}]}"#,
        #"{"choices":[{"delta":{"tool_calls":[{"index":0,"function":{"arguments":"{"}}]}}]}"#,
        #"{"choices":[{"delta":{"function_call":{"arguments":""}}}]}"#,
        #"{"choices":[{"delta":{"audio":{"data":"eA=="}}}]}"#,
        #"{"choices":[{"delta":{"content":[{"type":"text","text":"x"}]}}]}"#,
        #"{"choices":[{"text":"x","index":0}]}"#, #"{"choices":[{"text":"\n"}],"usage":null}"#,
        #"{"type":"response.output_text.delta","delta":"x"}"#,
        #"{"delta":"x","type":"response.reasoning_summary_text.delta"}"#,
        #"{"type":"response.function_call_arguments.delta","delta":"{"}"#,
        #"{"type":"content_block_delta","delta":{"type":"text_delta","text":"x"}}"#,
        #"{"delta":{"type":"thinking_delta","thinking":"x"},"type":"content_block_delta"}"#,
        #"{"type":"content_block_delta","delta":{"type":"input_json_delta","partial_json":"{"}}"#,
        #"{"type":"completion","completion":"x"}"#,
        #"{"response":"x","done":false}"#, #"{"response":"","thinking":"x","done":false}"#,
        #"{"message":{"role":"assistant","content":"x"},"done":false}"#,
        #"{"message":{"content":"","tool_calls":[{"function":{"name":"f"}}]},"done":false}"#,
        #"{"index":1,"token":{"id":1,"text":"","special":true},"generated_text":null}"#,
        #"{"text":"x","meta_info":{"completion_tokens":1}}"#, #"{"text_output":"x"}"#,
    ]

    static let carryNone = [
        #"{"choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}]}"#,
        #"{"choices":[{"delta":{"content":null,"tool_calls":null,"reasoning_content":null}}]}"#,
        #"{"choices":[{"delta":{"tool_calls":[]},"finish_reason":"stop"}]}"#,
        #"{"choices":[{"delta":{},"content_filter_results":{"content":"x","text":"x"}}]}"#,
        #"{"choices":[{"text":"","finish_reason":"stop"}]}"#,
        #"{"choices":[],"usage":{"prompt_tokens":1,"completion_tokens":2}}"#,
        #"{"type":"response.created","response":{"id":"r","output":["x"],"text":"x"}}"#,
        #"{"type":"response.output_item.added","item":{"type":"message","content":["x"]}}"#,
        #"{"type":"response.output_text.done","text":"all of it"}"#,
        #"{"type":"response.completed","response":{"usage":{"input_tokens":1}}}"#,
        #"{"type":"message_start","message":{"content":[],"usage":{"input_tokens":1}}}"#,
        #"{"type":"content_block_start","content_block":{"type":"text","text":""}}"#,
        #"{"type":"content_block_delta","delta":{"type":"input_json_delta","partial_json":""}}"#,
        #"{"type":"content_block_delta","delta":{"type":"signature_delta","signature":"x"}}"#,
        #"{"type":"message_delta","delta":{"stop_reason":"end_turn"}}"#, #"{"type":"ping"}"#,
        #"{"type":"error","error":{"type":"overloaded_error","message":"x"}}"#,
        #"{"response":"","done":true,"eval_count":2}"#, #"{"text_output":""}"#,
        #"{"message":{"role":"assistant","content":"","tool_calls":[]},"done":true}"#,
        #"{"error":{"message":"x"}}"#, "{}", "[DONE]", #"{"choices":[{"delta":{"content":"x"#,
    ]

    /// A stream has events long before its first token.
    @Test func onlySomeEventsCarryTokens() {
        for (events, carries) in [(Self.carryTokens, true), (Self.carryNone, false)] {
            for event in events {
                for pieces in Corpus.cuts(Array(event.utf8)) {
                    var reader = UsageReader()
                    reader.reset(isStream: true)
                    for piece in pieces { reader.read(piece.span) }
                    #expect(reader.carriesTokens == carries, "\(event)")
                    reader.beginText()
                    #expect(!reader.carriesTokens)
                }
            }
        }
    }

    @Test func aReaderBeginsAnew() {
        var reader = UsageReader()
        reader.read(Array("{\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":2}}".utf8).span)
        reader.reset()
        #expect(reader.reported.usage == TokenUsage())
        reader.read(Array("nonsense".utf8).span)
        #expect(!reader.isTextComplete)
        reader.beginText()
        reader.read(Array("{\"usage\":{\"prompt_tokens\":-1,\"completion_tokens\":1e3}}".utf8).span)
        #expect(reader.reported.usage == TokenUsage(), "no counts of tokens")
        #expect(reader.isTextComplete)
    }
}

/// A stream read as the gateway reads it.
struct FollowedStream {
    var splitter: EventSplitter
    private var reader = UsageReader()
    private(set) var events = 0
    private(set) var tokens = 0

    init(_ format: EventSplitter.Format) {
        splitter = EventSplitter(format)
        reader.reset(isStream: true)
    }

    var usage: TokenUsage { reader.reported.usage }

    mutating func read(_ bytes: [UInt8]) {
        var index = 0
        while true {
            switch splitter.next(in: bytes.span, at: &index) {
            case .needMoreData: return
            case .data(let range): reader.read(bytes.span.extracting(range))
            case .event(let isProgress):
                if isProgress, reader.isTextComplete { events += 1 }
                if reader.carriesTokens { tokens += 1 }
                reader.beginText()
            }
        }
    }
}
