// Passes field lines on. Most lines of a message go out as they came, and are copied together: they
// need not be taken apart where they are written as the gateway would write them.

internal import Bytes

extension ByteBuffer {
    /// Appends field lines of `head` from the one with the index `first` on, without those of this
    /// hop and of the names in `dropped`.
    ///
    /// Returns the index of the first line, not of this hop, whose name is in `apart`, before which
    /// it stops; the count of lines where there is none.
    package mutating func appendFields(
        of head: borrowing RequestHead, from first: Int = 0, without dropped: FieldNames,
        before apart: FieldNames
    ) -> Int {
        var seen = FieldNames()
        return appendFields(
            head.fields.span, of: head.bytes.span, from: first, without: dropped, before: apart,
            noting: &seen)
    }

    /// The same of a response's head; adds the names before the returned line to `seen`, be they
    /// dropped or not.
    package mutating func appendFields(
        of head: borrowing ResponseHead, from first: Int = 0, without dropped: FieldNames,
        before apart: FieldNames, noting seen: inout FieldNames
    ) -> Int {
        appendFields(
            head.fields.span, of: head.bytes.span, from: first, without: dropped, before: apart,
            noting: &seen)
    }

    /// Appends the status line of `head` for HTTP/1.1, with the registered reason phrase where it
    /// has none, and field lines like `appendFields`.
    package mutating func appendStart(
        of head: borrowing ResponseHead, without dropped: FieldNames, before apart: FieldNames,
        noting seen: inout FieldNames
    ) -> Int {
        let source = head.bytes.span
        let fields = head.fields.span
        var index = 0
        var end = plainStatusLineCount(head.version, head.reasonPhrase, in: source)
        if end > 0 {
            extend(&end, &index, fields, source, dropped, apart, &seen)
            let run = source.extracting(0..<end)
            if controlCount(run) == 2 &* (index &+ 1) {
                append(run)
            } else {
                end = 0
                index = 0
            }
        }
        if end == 0 {
            if head.reasonPhrase.isEmpty {
                appendStatusLine(status: head.status)
            } else {
                appendStatusLine(
                    status: head.status, reasonPhrase: source.extracting(head.reasonPhrase))
            }
        }
        return appendFields(
            fields, of: source, from: index, without: dropped, before: apart, noting: &seen)
    }

    private mutating func appendFields(
        _ fields: Span<Field>, of source: Span<UInt8>, from first: Int,
        without dropped: FieldNames, before apart: FieldNames, noting seen: inout FieldNames
    ) -> Int {
        var index = first
        while index < fields.count {
            let field = fields[index]
            if !field.isHopByHop && apart.contains(field.known) { return index }
            seen.insert(field.known)
            let runFirst = index
            index &+= 1
            if field.isHopByHop || dropped.contains(field.known) { continue }
            guard let line = field.plainLine(in: source) else {
                appendField(
                    name: source.extracting(field.name), value: source.extracting(field.value))
                continue
            }
            var end = line.upperBound
            extend(&end, &index, fields, source, dropped, apart, &seen)
            appendRun(
                source.extracting(line.lowerBound..<end), of: fields.extracting(runFirst..<index),
                source)
        }
        return index
    }

    /// Appends `run`, which is the lines of `fields` and nothing else.
    ///
    /// Each line has a line end where its value ends. A run that has no other controls than those
    /// has none in a value; tabs, which count too, are seldom enough.
    private mutating func appendRun(
        _ run: Span<UInt8>, of fields: Span<Field>, _ source: Span<UInt8>
    ) {
        if controlCount(run) == 2 &* fields.count {
            append(run)
            return
        }
        for index in fields.indices {
            let field = fields[index]
            appendField(name: source.extracting(field.name), value: source.extracting(field.value))
        }
    }
}

/// Moves `end`, where a run of lines ends, and `index`, that of the field behind it, over the lines
/// that go out as they came.
@inline(__always)
private func extend(
    _ end: inout Int, _ index: inout Int, _ fields: Span<Field>, _ source: Span<UInt8>,
    _ dropped: FieldNames, _ apart: FieldNames, _ seen: inout FieldNames
) {
    while index < fields.count {
        let field = fields[index]
        if field.isHopByHop || dropped.contains(field.known) || apart.contains(field.known) {
            return
        }
        guard let line = field.plainLine(in: source), line.lowerBound == end else { return }
        seen.insert(field.known)
        end = line.upperBound
        index &+= 1
    }
}

/// How long the status line is if it stands at the beginning as the gateway writes it; else 0.
private func plainStatusLineCount(
    _ version: Version, _ phrase: Range<Int>, in source: Span<UInt8>
) -> Int {
    let end = phrase.upperBound
    guard case .http11 = version, !phrase.isEmpty, phrase.lowerBound == 13,
        source.count &- end >= 2, source[12] == ByteClass.space,
        source[end] == ByteClass.carriageReturn, source[end &+ 1] == ByteClass.lineFeed
    else { return 0 }
    return end &+ 2
}

extension Field {
    /// Where the line stands if it is written as the gateway writes lines: a colon and one space
    /// between name and value, and the line end right behind them.
    fileprivate func plainLine(in source: Span<UInt8>) -> Range<Int>? {
        let name = name
        let value = value
        let colon = name.upperBound
        let end = value.upperBound
        guard value.lowerBound == colon &+ 2, source.count &- end >= 2,
            source[colon] == UInt8(ascii: ":"), source[colon &+ 1] == ByteClass.space,
            source[end] == ByteClass.carriageReturn, source[end &+ 1] == ByteClass.lineFeed
        else { return nil }
        return name.lowerBound..<(end &+ 2)
    }
}

/// How many bytes are below 0x20 or 0x7f.
private func controlCount(_ bytes: Span<UInt8>) -> Int {
    var total = 0
    var index = 0
    while bytes.count &- index >= 32 {
        let piece = min(224, (bytes.count &- index) & ~31)
        total &+= bytes.extracting(index..<(index &+ piece)).countOfControls()
        index &+= piece
    }
    // Bit 0 of each byte counts it; there are too few of them to carry.
    var counts: UInt64 = 0
    while bytes.count &- index >= 8 {
        counts &+= WordMask.controls(bytes.word(at: index)) &>> 7
        index &+= 8
    }
    if index < bytes.count, bytes.count >= 8 {
        // The last word; what was looked at before is shifted out.
        let offset = bytes.count &- 8
        let before = UInt64(truncatingIfNeeded: 8 &* (index &- offset))
        counts &+= WordMask.controls(bytes.word(at: offset)) &>> (before &+ 7)
        index = bytes.count
    }
    total &+= Int(truncatingIfNeeded: (counts &* 0x0101_0101_0101_0101) &>> 56)
    while index < bytes.count {
        let byte = bytes[index]
        if byte < 0x20 || byte == 0x7f { total &+= 1 }
        index &+= 1
    }
    return total
}
