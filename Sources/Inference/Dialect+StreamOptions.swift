// Which requests can ask for the usage of their streams.

internal import Bytes

extension Dialect {
    /// Whether requests for `path` take `stream_options`.
    ///
    /// OpenAI's chats and completions do, and those of the engines that imitate it. Other interfaces
    /// report usage unasked.
    package func takesStreamOptions(path: Span<UInt8>) -> Bool {
        guard self == .openAI else { return false }
        if let resolved = PathEscapes.resolved(path) {
            return Dialect.isForCompletions(resolved.span)
        }
        return Dialect.isForCompletions(path)
    }

    /// With a slash behind it, which some servers pass over.
    private static func isForCompletions(_ path: Span<UInt8>) -> Bool {
        path.hasSuffix("/completions") || path.hasSuffix("/completions/")
    }
}
