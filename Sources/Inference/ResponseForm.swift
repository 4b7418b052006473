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
        // The first letter leaves few words to compare with.
        switch contentType.isEmpty ? 0 : contentType[0].lowered {
        case UInt8(ascii: "a"):
            if contentType.hasPrefix(lowercase: "application/json") {
                self = .json
            } else {
                let isLines = contentType.hasPrefix(lowercase: "application/x-ndjson")
                self = isLines ? .events(.lines) : .other
            }
        case UInt8(ascii: "t"):
            let isStream = contentType.hasPrefix(lowercase: "text/event-stream")
            self = isStream ? .events(.serverSent) : .other
        default:
            self = .other
        }
    }
}
