// Which POSTs may be sent twice: those that compute a response and leave nothing behind. In the same
// dialects there are others, which make files, batches and threads or load models.

internal import Bytes

extension Dialect {
    /// Whether requests of this dialect for `path` only compute a response.
    package func isRepeatable(path: Span<UInt8>) -> Bool {
        switch self {
        case .plain: false
        case .ollama, .textGeneration: true
        case .openInference: path.hasPrefix("/v2/models/")
        case .anthropic: Dialect.isAnthropicComputation(path)
        case .openAI: Dialect.isComputation(path)
        }
    }

    private static func isAnthropicComputation(_ path: Span<UInt8>) -> Bool {
        path.equals("/v1/messages") || path.equals("/v1/messages/count_tokens")
            || path.equals("/v1/complete")
    }

    /// Paths of the dialect of OpenAI that compute, as vLLM, llama.cpp and others have them.
    private static func isComputation(_ path: Span<UInt8>) -> Bool {
        path.hasSuffix("/completions") || path.hasSuffix("/embeddings")
            || path.hasSuffix("/rerank") || path.hasSuffix("/score")
            || path.hasSuffix("/tokenize") || path.hasSuffix("/moderations")
            || path.hasSuffix("/infill") || path.hasSuffix("/transcriptions")
    }
}
