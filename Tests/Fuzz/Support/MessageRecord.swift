// What a parser found, in a form in which two runs can be compared.

package import HTTP1

/// The outcome of parsing one message.
package struct MessageRecord: Equatable {
    /// The heads' bytes, interim ones included.
    package var heads: [[UInt8]] = []
    /// The body without its framing.
    package var body: [UInt8] = []
    /// The trailer section's bytes.
    package var trailers: [UInt8] = []
    /// Bytes of the message; only meaningful once it ended.
    package var consumed = 0
    /// The error that ended it.
    package var error: ParseError?
    /// Whether it ended.
    package var isComplete = false

    package init() {}
}

/// What both parsers can do.
package protocol MessageParser: ~Copyable {
    mutating func next(
        in bytes: Span<UInt8>, contentAtMost most: Int
    ) throws(ParseError) -> ParserEvent
    var headBytes: [UInt8] { get }
    var trailerBytes: [UInt8] { get }
}

extension RequestParser: MessageParser {
    package var headBytes: [UInt8] { head.bytes }
    package var trailerBytes: [UInt8] { trailers.bytes }
}

extension ResponseParser: MessageParser {
    package var headBytes: [UInt8] { head.bytes }
    package var trailerBytes: [UInt8] { trailers.bytes }
}

extension MessageRecord {
    /// Feeds `input` in pieces of the sizes that `piece` gives, takes content in such pieces too,
    /// and checks what holds for every event.
    package static func of(
        _ parser: inout some MessageParser & ~Copyable, _ input: [UInt8], piece: () -> Int
    ) -> MessageRecord {
        var record = MessageRecord()
        var shown = min(input.count, piece())
        var events = 0
        do throws(ParseError) {
            while true {
                events += 1
                require(events <= 2 * input.count + 64, "more events than bytes")
                let bytes = input.span.extracting(record.consumed..<shown)
                let most = max(1, piece())
                switch try parser.next(in: bytes, contentAtMost: most) {
                case .needMoreData(let count):
                    record.consume(count, upTo: shown)
                    if shown == input.count { return record }
                    shown = min(input.count, shown + max(1, piece()))
                case .head(let count):
                    record.heads.append(parser.headBytes)
                    require(
                        parser.headBytes
                            == Array(input[record.consumed..<(record.consumed + count)]),
                        "a head is not its bytes")
                    record.consume(count, upTo: shown)
                case .body(let count, let content):
                    require(
                        !content.isEmpty && content.upperBound <= count && content.count <= most,
                        "content out of bounds")
                    let start = record.consumed
                    record.body +=
                        input[(start + content.lowerBound)..<(start + content.upperBound)]
                    record.consume(count, upTo: shown)
                case .end(let count):
                    record.consume(count, upTo: shown)
                    record.trailers = parser.trailerBytes
                    record.isComplete = true
                    return record
                }
            }
        } catch {
            record.error = error
            return record
        }
    }

    private mutating func consume(_ count: Int, upTo shown: Int) {
        require(count >= 0 && consumed + count <= shown, "consumed more than was shown")
        consumed += count
    }

    /// Whether two ways of arrival came to the same.
    package func agrees(with other: MessageRecord) -> Bool {
        // Bytes consumed by an unfinished or refused message depend on where the pieces ended.
        heads == other.heads && error == other.error && isComplete == other.isComplete
            && (!isComplete || (consumed == other.consumed && trailers == other.trailers))
            && (isComplete || error != nil
                ? body.prefix(other.body.count)
                    == other.body.prefix(
                        body.count) : body == other.body)
            && (!isComplete || body == other.body)
    }
}
