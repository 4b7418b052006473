// What reading along costs: a stream's events on their way to the client, and a request's body that is
// routed by the model that it names.

import Inference

enum InferenceProbe {
    /// An event such as vLLM sends for a token.
    private static let event = """
        data: {"id":"chatcmpl-5b0d3d0c8f0e4d2a9c1f7a6b2e3d4c5f","object":"chat.completion.chunk",\
        "created":1764100000,"model":"meta-llama/Llama-3.3-70B-Instruct","choices":[{"index":0,\
        "delta":{"content":" word"},"logprobs":null,"finish_reason":null}],"usage":{\
        "prompt_tokens":1234,"total_tokens":1300,"completion_tokens":66}}\n\n
        """

    /// Splits a stream into its events, reads the usage that each reports and finds that it carries tokens.
    static func readEvents(_ count: Int) {
        let bytes = Array(event.utf8)
        var splitter = EventSplitter(.serverSent)
        var reader = UsageReader()
        reader.reset(isStream: true)
        var events = 0
        for _ in 0..<count {
            var index = 0
            reading: while true {
                switch splitter.next(in: bytes.span, at: &index) {
                case .needMoreData: break reading
                case .data(let range): reader.read(bytes.span.extracting(range))
                case .event:
                    if reader.carriesTokens { events += 1 }
                    reader.beginText()
                }
            }
        }
        precondition(
            events == count && reader.reported.usage == TokenUsage(input: 1234, output: 66))
    }

    /// A request such as the OpenAI library sends, with the model behind a prompt of 200 kB.
    private static let prompt: [UInt8] = {
        let words = String(repeating: "Lorem ipsum dolor sit amet, ", count: 7_143)
        return Array(
            "{\"messages\":[{\"role\":\"user\",\"content\":\"\(words)\"}],\"model\":\"llama\"}".utf8
        )
    }()

    /// Reads bodies in the pieces in which they come.
    static func readPrompts(_ count: Int) {
        var reader = RequestReader()
        for _ in 0..<count {
            do throws(BodyFault) {
                var start = 0
                while start < prompt.count {
                    let end = min(start + 65_536, prompt.count)
                    try reader.read(prompt.span.extracting(start..<end))
                    start = end
                }
                try reader.finish()
            } catch {
                preconditionFailure("the body is valid")
            }
            precondition(reader.hasModel)
            reader.reset()
        }
    }
}
