// The same calls with the buffer itself as the argument. A span of a buffer that is an object's
// property cannot outlive the access to the property; an argument is accessed for just as long as
// the call lasts.

package import Bytes

extension RequestParser {
    /// `next(in:)` over the readable bytes of `buffer`.
    package mutating func next(
        in buffer: borrowing ByteBuffer, contentAtMost most: Int = .max
    ) throws(ParseError) -> ParserEvent {
        try next(in: buffer.bytes, contentAtMost: most)
    }

    /// The same; once the head is complete it is given away for `given`, whose storage the next one
    /// is read into.
    ///
    /// With `afterReset` the buffer begins with a new request.
    package mutating func next(
        in buffer: borrowing ByteBuffer, afterReset: Bool, givingHeadFor given: inout RequestHead
    ) throws(ParseError) -> ParserEvent {
        if afterReset { reset() }
        let event = try next(in: buffer.bytes)
        if case .head = event { exchangeHead(&given) }
        return event
    }
}

extension ResponseParser {
    /// `next(in:)` over the readable bytes of `buffer`.
    package mutating func next(
        in buffer: borrowing ByteBuffer, contentAtMost most: Int = .max
    ) throws(ParseError) -> ParserEvent {
        try next(in: buffer.bytes, contentAtMost: most)
    }
}

extension ByteBuffer {
    /// Appends the bytes in `range` of the readable bytes of `source` as one chunk.
    package mutating func appendChunk(_ range: Range<Int>, of source: borrowing ByteBuffer) {
        appendChunk(source.bytes.extracting(range))
    }

    /// Appends bytes held in an array.
    package mutating func append(_ bytes: borrowing [UInt8]) { append(bytes.span) }

    /// Appends a field line with a name and value that the gateway made.
    package mutating func appendField(_ name: FieldName, _ value: borrowing [UInt8]) {
        appendField(name, value.span)
    }

    /// Appends the text of `template` with a value in its one gap that the gateway made.
    package mutating func append(
        _ template: borrowing HeadTemplate, _ value: borrowing [UInt8]
    ) {
        append(template, value.span)
    }
}
