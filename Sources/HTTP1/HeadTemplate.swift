// Lines of a head that differ from message to message in a few values only: their text is made once,
// and what goes between its pieces is copied in with one look at the room.

/// Text of a head with gaps for values.
package struct HeadTemplate: Sendable {
    /// All pieces.
    let text: [UInt8]
    /// Where the gaps are in the text; those that there are not are at its end.
    let first: Int
    let second: Int
    let third: Int

    /// Makes a template of `pieces`, one to four, with a gap between each two.
    ///
    /// The first must begin a line; line ends are in the pieces.
    package init(_ pieces: String...) {
        precondition((1...4).contains(pieces.count), "a template of no or too many pieces")
        var text: [UInt8] = []
        var gaps: [Int] = []
        for piece in pieces {
            text += Array(piece.utf8)
            gaps.append(text.count)
        }
        for index in text.indices where !ByteClass.isFieldValue(text[index]) {
            precondition(
                text[index] == ByteClass.carriageReturn
                    ? index + 1 < text.count && text[index + 1] == ByteClass.lineFeed
                    : index > 0 && text[index] == ByteClass.lineFeed
                        && text[index - 1] == ByteClass.carriageReturn,
                "a template with a control character")
        }
        self.text = text
        first = gaps[0]
        second = gaps.count > 1 ? gaps[1] : text.count
        third = gaps.count > 2 ? gaps[2] : text.count
    }
}

extension ByteBuffer {
    /// Appends the text of `template`, which has no gaps.
    package mutating func append(_ template: borrowing HeadTemplate) {
        append(template.text.span)
    }

    /// Appends the text of `template` with a value in its one gap.
    ///
    /// Bytes that may not stand in a field's value come out as spaces.
    package mutating func append(_ template: borrowing HeadTemplate, _ value: Span<UInt8>) {
        let text = template.text.span
        reserve(text.count &+ value.count)
        let base = end
        var place = base
        var bytes = storage.mutableSpan
        bytes.write(text.extracting(0..<template.first), before: &place)
        bytes.write(value, before: &place)
        bytes.write(text.extracting(template.first..<text.count), before: &place)
        end = place
        if !isFieldText(value) { blankControls(base &- start &+ template.first, value.count) }
    }

    /// The same for a template of two gaps.
    package mutating func append(
        _ template: borrowing HeadTemplate, _ first: Span<UInt8>, _ second: Span<UInt8>
    ) {
        let place = fill(template, first, second)
        if !isFieldText(first) { blankControls(place &+ template.first, first.count) }
        if !isFieldText(second) {
            blankControls(place &+ template.second &+ first.count, second.count)
        }
    }

    /// Appends the text of `template` with values in its two gaps that are looked at elsewhere.
    ///
    /// Returns the place of the first byte among the readable ones.
    @inline(__always)
    @discardableResult
    mutating func fill(
        _ template: borrowing HeadTemplate, _ first: Span<UInt8>, _ second: Span<UInt8>
    ) -> Int {
        let text = template.text.span
        reserve(text.count &+ first.count &+ second.count)
        let base = end
        var place = base
        var bytes = storage.mutableSpan
        bytes.write(text.extracting(0..<template.first), before: &place)
        bytes.write(first, before: &place)
        bytes.write(text.extracting(template.first..<template.second), before: &place)
        bytes.write(second, before: &place)
        bytes.write(text.extracting(template.second..<text.count), before: &place)
        end = place
        return base &- start
    }

    /// Appends the text of `template` with a number in its one gap, 0 or more.
    package mutating func append(_ template: borrowing HeadTemplate, decimal value: Int) {
        let text = template.text.span
        reserve(text.count &+ 20)
        var place = end
        var bytes = storage.mutableSpan
        bytes.write(text.extracting(0..<template.first), before: &place)
        bytes.write(decimal: value, before: &place)
        bytes.write(text.extracting(template.first..<text.count), before: &place)
        end = place
    }

    /// The same for a template of three gaps.
    package mutating func append(
        _ template: borrowing HeadTemplate, decimals first: Int, _ second: Int, _ third: Int
    ) {
        let text = template.text.span
        reserve(text.count &+ 60)
        var place = end
        var bytes = storage.mutableSpan
        bytes.write(text.extracting(0..<template.first), before: &place)
        bytes.write(decimal: first, before: &place)
        bytes.write(text.extracting(template.first..<template.second), before: &place)
        bytes.write(decimal: second, before: &place)
        bytes.write(text.extracting(template.second..<template.third), before: &place)
        bytes.write(decimal: third, before: &place)
        bytes.write(text.extracting(template.third..<text.count), before: &place)
        end = place
    }
}
