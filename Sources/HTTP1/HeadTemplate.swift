// Lines of a head that differ from message to message in a few values only: their text is made once,
// and what goes between its pieces is copied in with one look at the room.

internal import Bytes

/// Text of a head with gaps for values.
package struct HeadTemplate: Sendable {
    /// The pieces, each followed by zeros up to a multiple of 32 bytes: they are copied by that many,
    /// without a look at how long they are.
    fileprivate let text: [UInt8]
    private let starts: Offsets
    private let counts: Offsets
    /// Bytes of all pieces, and as many as may be written behind the last.
    fileprivate let count: Int

    /// One number for each of four pieces.
    private typealias Offsets = (UInt16, UInt16, UInt16, UInt16)

    /// Makes a template of `pieces`, one to four, with a gap between each two.
    ///
    /// The first must begin a line; line ends are in the pieces. All are less than 32 KiB.
    package init(_ pieces: String...) {
        precondition((1...4).contains(pieces.count), "a template of no or too many pieces")
        HeadTemplate.check(Array(pieces.joined().utf8))
        var text: [UInt8] = []
        var starts: [UInt16] = []
        var counts: [UInt16] = []
        for index in 0..<4 {
            let piece = index < pieces.count ? Array(pieces[index].utf8) : []
            starts.append(UInt16(text.count))
            counts.append(UInt16(piece.count))
            text += piece
            while text.count % 32 != 0 { text.append(0) }
        }
        self.text = text
        self.starts = (starts[0], starts[1], starts[2], starts[3])
        self.counts = (counts[0], counts[1], counts[2], counts[3])
        count = counts.reduce(32) { $0 + Int($1) }
    }

    private static func check(_ text: [UInt8]) {
        for index in text.indices where !ByteClass.isFieldValue(text[index]) {
            precondition(
                text[index] == ByteClass.carriageReturn
                    ? index + 1 < text.count && text[index + 1] == ByteClass.lineFeed
                    : index > 0 && text[index] == ByteClass.lineFeed
                        && text[index - 1] == ByteClass.carriageReturn,
                "a template with a control character")
        }
    }

    /// Writes the piece with that index from `offset` on, which moves behind it.
    @inline(__always)
    fileprivate func write(
        _ index: Int, to bytes: inout MutableSpan<UInt8>, before offset: inout Int
    ) {
        let (start, count) =
            switch index {
            case 0: (Int(starts.0), Int(counts.0))
            case 1: (Int(starts.1), Int(counts.1))
            case 2: (Int(starts.2), Int(counts.2))
            default: (Int(starts.3), Int(counts.3))
            }
        let piece = text.span.extracting(start..<(start &+ (count &+ 31) & ~31))
        bytes.write(padded: piece, count: count, before: &offset)
    }
}

extension ByteBuffer {
    /// Appends the text of `template`, which has no gaps.
    package mutating func append(_ template: borrowing HeadTemplate) {
        reserve(template.count)
        var offset = end
        var bytes = storage.mutableSpan
        template.write(0, to: &bytes, before: &offset)
        end = offset
    }

    /// Appends the text of `template` with a value in its one gap.
    ///
    /// Bytes that may not stand in a field's value come out as spaces.
    package mutating func append(_ template: borrowing HeadTemplate, _ value: Span<UInt8>) {
        reserve(template.count &+ value.count)
        var offset = end
        var bytes = storage.mutableSpan
        template.write(0, to: &bytes, before: &offset)
        let valueOffset = offset
        bytes.write(value, before: &offset)
        template.write(1, to: &bytes, before: &offset)
        end = offset
        if !isFieldText(value) { blankControls(valueOffset &- start, value.count) }
    }

    /// The same for a template of two gaps; `first` may have been looked at where it was made.
    package mutating func append(
        _ template: borrowing HeadTemplate, _ first: Span<UInt8>, _ second: Span<UInt8>,
        isFirstChecked: Bool = false
    ) {
        reserve(template.count &+ first.count &+ second.count)
        var offset = end
        var bytes = storage.mutableSpan
        template.write(0, to: &bytes, before: &offset)
        let firstOffset = offset
        bytes.write(first, before: &offset)
        template.write(1, to: &bytes, before: &offset)
        let secondOffset = offset
        bytes.write(second, before: &offset)
        template.write(2, to: &bytes, before: &offset)
        end = offset
        if !isFirstChecked && !isFieldText(first) {
            blankControls(firstOffset &- start, first.count)
        }
        if !isFieldText(second) { blankControls(secondOffset &- start, second.count) }
    }

    /// Appends the text of `template` with a number in its one gap, 0 or more.
    package mutating func append(_ template: borrowing HeadTemplate, decimal value: Int) {
        reserve(template.count &+ 20)
        var offset = end
        var bytes = storage.mutableSpan
        template.write(0, to: &bytes, before: &offset)
        bytes.write(decimal: value, before: &offset)
        template.write(1, to: &bytes, before: &offset)
        end = offset
    }

    /// The same for a template of three gaps.
    package mutating func append(
        _ template: borrowing HeadTemplate, decimals first: Int, _ second: Int, _ third: Int
    ) {
        reserve(template.count &+ 60)
        var offset = end
        var bytes = storage.mutableSpan
        template.write(0, to: &bytes, before: &offset)
        bytes.write(decimal: first, before: &offset)
        template.write(1, to: &bytes, before: &offset)
        bytes.write(decimal: second, before: &offset)
        template.write(2, to: &bytes, before: &offset)
        bytes.write(decimal: third, before: &offset)
        template.write(3, to: &bytes, before: &offset)
        end = offset
    }
}
