// Which requests can ask for the usage of their streams.

internal import Bytes

extension Dialect {
    /// Whether requests for `path` take `stream_options`.
    ///
    /// OpenAI's chats and completions do, and those of the engines that imitate it. Other interfaces
    /// report usage unasked.
    package func takesStreamOptions(path: Span<UInt8>) -> Bool {
        self == .openAI && path.hasSuffix("/completions")
    }
}
