// Which interface a request speaks, from its path: it decides what an error looks like, so that the
// client's library can read it, and where the gateway finds models and usage.

internal import Bytes

/// An interface of inference servers.
package enum Dialect: UInt8, CaseIterable, Sendable {
    /// OpenAI's, below `/v1/`, and the engines that imitate it; their chats below any path.
    case openAI
    /// Anthropic's messages.
    case anthropic
    /// The Open Inference Protocol, version 2, below `/v2/`: Triton, KServe.
    case openInference
    /// Hugging Face' text-generation-inference.
    case textGeneration
    /// Ollama's own interface, below `/api/`.
    case ollama
    /// Anything else; errors are problem details (RFC 9457).
    case plain

    /// The dialect of requests for `path`; `hasAnthropicVersion` says whether they carry the field
    /// `anthropic-version`, which tells apart what both have and nothing else: a client can send any.
    package init(path: Span<UInt8>, hasAnthropicVersion: Bool = false) {
        if let resolved = PathEscapes.resolved(path) {
            self.init(resolved: resolved.span, hasAnthropicVersion)
        } else {
            self.init(resolved: path, hasAnthropicVersion)
        }
    }

    private init(resolved path: Span<UInt8>, _ hasAnthropicVersion: Bool) {
        // The first letter leaves few words to compare with.
        switch path.count > 1 ? path[1] : 0 {
        case UInt8(ascii: "v"):
            if path.hasPrefix("/v1/") {
                let isAnthropic =
                    Dialect.isAnthropic(path) || hasAnthropicVersion && Dialect.isShared(path)
                self = isAnthropic ? .anthropic : .openAI
            } else {
                let isOpen = path.hasPrefix("/v2/") || path.equals("/v2")
                self = isOpen ? .openInference : .plain
            }
        case UInt8(ascii: "o"):
            self = path.hasPrefix("/openai/") ? .openAI : .plain
        case UInt8(ascii: "a"):
            self = path.hasPrefix("/api/") && Dialect.isOllama(path) ? .ollama : .plain
        case UInt8(ascii: "g"), UInt8(ascii: "i"), UInt8(ascii: "t"), UInt8(ascii: "c"),
            UInt8(ascii: "e"), UInt8(ascii: "r"):
            self = Dialect.isTextGeneration(path) ? .textGeneration : .plain
        default:
            self = .plain
        }
        // Engines and other gateways have chats at many places, and nothing else is called that.
        if self == .plain, path.count >= Dialect.shortestChat, path.hasSuffix("/chat/completions") {
            self = .openAI
        }
    }

    /// Bytes of a path's end that names a chat: shorter ones, which most are, need no comparison.
    private static let shortestChat = 17

    private static func isAnthropic(_ path: Span<UInt8>) -> Bool {
        path.equals("/v1/messages") || path.hasPrefix("/v1/messages/")
            || path.equals("/v1/complete")
    }

    /// Whether OpenAI and Anthropic both have the path.
    private static func isShared(_ path: Span<UInt8>) -> Bool {
        path.equals("/v1/models") || path.hasPrefix("/v1/models/") || path.equals("/v1/files")
            || path.hasPrefix("/v1/files/")
    }

    private static func isOllama(_ path: Span<UInt8>) -> Bool {
        path.equals("/api/generate") || path.equals("/api/chat") || path.equals("/api/embed")
            || path.equals("/api/embeddings") || path.equals("/api/tags")
            || path.equals("/api/show") || path.equals("/api/ps") || path.equals("/api/version")
    }

    private static func isTextGeneration(_ path: Span<UInt8>) -> Bool {
        path.equals("/generate") || path.equals("/generate_stream") || path.equals("/invocations")
            || path.equals("/tokenize") || path.equals("/chat_tokenize") || path.equals("/embed")
            || path.equals("/rerank")
    }

    /// What goes before a comment in a stream of this dialect, and whether comments are understood
    /// at all: lines of JSON have none.
    package var hasComments: Bool { self != .ollama }
}
