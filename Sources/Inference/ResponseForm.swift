// What a response is made of, by its `Content-Type`.

internal import Bytes

/// How a response can be read as it passes.
package enum ResponseForm: Sendable {
    /// A stream of events.
    case events(EventSplitter.Format)
    /// One JSON text.
    case json
    /// Nothing that is read.
    case other

    /// The form of a response with that `Content-Type`.
    package init(contentType: Span<UInt8>) {
        if contentType.hasPrefix(lowercase: "text/event-stream") {
            self = .events(.serverSent)
        } else if contentType.hasPrefix(lowercase: "application/x-ndjson") {
            self = .events(.lines)
        } else if contentType.hasPrefix(lowercase: "application/json") {
            self = .json
        } else {
            self = .other
        }
    }
}
