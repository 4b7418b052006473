// Usage out of the responses and streams of the engines, however their bytes are cut.

import Testing

@testable import Inference

@Suite struct UsageReaderTests {
    static let responses: [(String, TokenUsage)] = [
        ("vllm-chat", TokenUsage(input: 42, output: 18)),
        ("sglang-generate", TokenUsage(input: 7, output: 8)),
        ("tgi-generate", TokenUsage(output: 4)),
        ("ollama-generate", TokenUsage(input: 26, output: 290)),
        ("anthropic-message", TokenUsage(input: 3_095, output: 503)),
        ("openai-embeddings", TokenUsage(input: 8)),
        ("openai-response", TokenUsage(input: 36, output: 87)),
        ("triton-infer", TokenUsage()),
    ]

    /// With the number of events that stand for tokens.
    static let streams: [(String, TokenUsage, Int)] = [
        ("vllm-chat.sse", TokenUsage(input: 11, output: 3), 4),
        ("sglang-chat.sse", TokenUsage(input: 20, output: 2), 3),
        ("sglang-generate.sse", TokenUsage(input: 6, output: 2), 2),
        ("tgi-generate.sse", TokenUsage(input: 5, output: 2), 2),
        ("anthropic-message.sse", TokenUsage(input: 35, output: 15), 6),
        ("openai-response.sse", TokenUsage(input: 37, output: 11), 3),
        ("ollama-generate.ndjson", TokenUsage(input: 26, output: 259), 3),
        ("ollama-chat.ndjson", TokenUsage(input: 31, output: 2), 2),
        ("triton-generate.sse", TokenUsage(), 2),
        ("odd-lines.sse", TokenUsage(input: 3, output: 4), 2),
    ]

    @Test(arguments: responses)
    func responsesReportTheirUsage(_ name: String, _ usage: TokenUsage) throws {
        for pieces in Corpus.cuts(try Corpus.bytes("Answers/\(name).json")) {
            var reader = UsageReader()
            for piece in pieces { reader.read(piece.span) }
            #expect(reader.usage == usage)
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
    func streamsReportTheirUsage(_ name: String, _ usage: TokenUsage, _ events: Int) throws {
        let bytes = try Corpus.bytes("Streams/\(name)")
        for pieces in Corpus.cuts(bytes) {
            var stream = FollowedStream(name.hasSuffix(".sse") ? .serverSent : .lines)
            for piece in pieces { stream.read(piece) }
            #expect(stream.usage == usage)
            #expect(stream.events == events)
            #expect(stream.splitter.isAtBoundary)
        }
    }

    @Test func aReaderBeginsAnew() {
        var reader = UsageReader()
        reader.read(Array("{\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":2}}".utf8).span)
        reader.reset()
        #expect(reader.usage == TokenUsage())
        reader.read(Array("nonsense".utf8).span)
        #expect(!reader.isTextComplete)
        reader.beginText()
        reader.read(Array("{\"usage\":{\"prompt_tokens\":-1,\"completion_tokens\":1e3}}".utf8).span)
        #expect(reader.usage == TokenUsage(), "no counts of tokens")
        #expect(reader.isTextComplete)
    }
}

/// A stream read as the gateway reads it.
struct FollowedStream {
    var splitter: EventSplitter
    private var reader = UsageReader()
    private(set) var events = 0

    init(_ format: EventSplitter.Format) { splitter = EventSplitter(format) }

    var usage: TokenUsage { reader.usage }

    mutating func read(_ bytes: [UInt8]) {
        var index = 0
        while true {
            switch splitter.next(in: bytes.span, at: &index) {
            case .needMoreData: return
            case .data(let range): reader.read(bytes.span.extracting(range))
            case .event(let isProgress):
                if isProgress, reader.isTextComplete { events += 1 }
                reader.beginText()
            }
        }
    }
}
