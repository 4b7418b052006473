// Reads field lines, for heads and trailer sections alike. It remembers the byte that it stopped
// at, so a section that arrives byte by byte costs no more than one that arrives whole, and a wrong
// byte is reported when it is seen, not when the section is complete.

/// An incremental parser of field lines up to the empty line, RFC 9112 section 5.
struct FieldSectionParser: ~Copyable {
    private enum State: UInt8 {
        case lineStart, name, valueStart, value, lineFeed, lastLineFeed
    }

    /// What `next` found.
    enum Step {
        /// All bytes shown are looked at and the section is not complete.
        case needMoreData
        /// A field line.
        case field(Field)
        /// The empty line; `position` is behind it.
        case end
    }

    /// The first byte that is not looked at yet.
    private(set) var position: Int
    private var state = State.lineStart
    private var count = 0
    private var name = 0..<0
    private var value = 0..<0

    /// Makes a parser that begins at byte `position` of what it will be shown.
    init(startingAt position: Int) {
        self.position = position
    }

    /// Looks for the next field line in `bytes`, which always begins with the same byte.
    ///
    /// Call it where `wholeLine` has found none.
    mutating func next(in bytes: Span<UInt8>, maxFields: Int) throws(ParseError) -> Step {
        // Tests in the order in which a line comes, not a switch in a loop: where a line is there
        // as a whole, the processor then predicts every step.
        while position < bytes.count {
            if state == .lineStart { try startLine(bytes[position], maxFields: maxFields) }
            if state == .name { try readName(in: bytes) }
            if state == .valueStart { skipBlanks(in: bytes) }
            if state == .value { try readValue(in: bytes) }
            if state == .lineFeed, position < bytes.count {
                try expectLineFeed(bytes[position])
                state = .lineStart
                return .field(finishLine(in: bytes))
            }
            if state == .lastLineFeed, position < bytes.count {
                try expectLineFeed(bytes[position])
                return .end
            }
        }
        return .needMoreData
    }

    /// The field line at the present position, if all of it is there, nothing is wrong with it and
    /// nothing unusual in it; else nothing has changed.
    ///
    /// Most lines are like that, and cost a third if nothing is remembered between their parts.
    mutating func wholeLine(in bytes: Span<UInt8>, maxFields: Int) -> Field? {
        guard state == .lineStart, count < maxFields else { return nil }
        let start = position
        var index = start
        while bytes.count &- index >= 8 {
            let stop = WordMask.notInPlainName(bytes.word(at: index))
            index &+= stop == 0 ? 8 : WordMask.firstIndex(stop)
            if stop != 0 { break }
        }
        let nameEnd = index
        guard nameEnd > start, nameEnd &- start <= Int(UInt16.max),
            bytes.count &- nameEnd > 2, bytes[nameEnd] == UInt8(ascii: ":")
        else { return nil }
        let valueStart = nameEnd &+ (bytes[nameEnd &+ 1] == ByteClass.space ? 2 : 1)
        index = endOfPlainValue(valueStart, in: bytes)
        guard bytes.count &- index > 1, bytes[index] == ByteClass.carriageReturn,
            bytes[index &+ 1] == ByteClass.lineFeed
        else { return nil }
        if index > valueStart,
            ByteClass.isBlank(bytes[valueStart]) || ByteClass.isBlank(bytes[index &- 1])
        {
            return nil
        }
        position = index &+ 2
        count &+= 1
        let name = start..<nameEnd
        return Field(name: name, value: valueStart..<index, known: FieldName(bytes, name))
    }

    /// Where the first byte from `start` on is that cannot stand in a value, or a tab, or the end.
    @inline(__always)
    private func endOfPlainValue(_ start: Int, in bytes: Span<UInt8>) -> Int {
        var index = start
        while bytes.count &- index >= 16 {
            let (first, second) = bytes.words(at: index)
            let stop = WordMask.controls(first)
            if stop != 0 { return index &+ WordMask.firstIndex(stop) }
            let later = WordMask.controls(second)
            if later != 0 { return index &+ 8 &+ WordMask.firstIndex(later) }
            index &+= 16
        }
        while index < bytes.count, bytes[index] >= ByteClass.space, bytes[index] != 0x7f {
            index &+= 1
        }
        return index
    }

    private mutating func skipBlanks(in bytes: Span<UInt8>) {
        var index = position
        while index < bytes.count, ByteClass.isBlank(bytes[index]) { index &+= 1 }
        position = index
        if index == bytes.count { return }
        value = index..<index
        state = .value
    }

    private mutating func startLine(_ byte: UInt8, maxFields: Int) throws(ParseError) {
        if byte == ByteClass.carriageReturn {
            state = .lastLineFeed
        } else if ByteClass.isToken(byte) {
            if count == maxFields { throw .tooManyFields }
            name = position..<position
            state = .name
        } else {
            switch byte {
            case ByteClass.lineFeed: throw .bareLineFeed
            case ByteClass.space, ByteClass.tab: throw .obsoleteFolding
            case UInt8(ascii: ":"): throw .emptyFieldName
            default: throw .invalidFieldName
            }
        }
        position &+= 1
    }

    private mutating func readName(in bytes: Span<UInt8>) throws(ParseError) {
        var index = position
        while bytes.count &- index >= 8 {
            let stop = WordMask.notInPlainName(bytes.word(at: index))
            index &+= stop == 0 ? 8 : WordMask.firstIndex(stop)
            if stop != 0 { break }
        }
        while index < bytes.count, ByteClass.isToken(bytes[index]) { index &+= 1 }
        position = index
        if index == bytes.count { return }
        switch bytes[index] {
        case UInt8(ascii: ":"):
            if index &- name.lowerBound > Int(UInt16.max) { throw .headTooLarge }
            name = name.lowerBound..<index
            state = .valueStart
            position = index &+ 1
        case ByteClass.carriageReturn: throw .missingColon
        case ByteClass.lineFeed: throw .bareLineFeed
        case ByteClass.space, ByteClass.tab: throw .whitespaceBeforeColon
        default: throw .invalidFieldName
        }
    }

    private mutating func readValue(in bytes: Span<UInt8>) throws(ParseError) {
        var index = position
        while bytes.count &- index >= 8 {
            let stop = WordMask.controls(bytes.word(at: index))
            index &+= stop == 0 ? 8 : WordMask.firstIndex(stop)
            if stop != 0 { break }
        }
        while index < bytes.count, ByteClass.isFieldValue(bytes[index]) { index &+= 1 }
        position = index
        if index == bytes.count { return }
        switch bytes[index] {
        case ByteClass.carriageReturn:
            value = value.lowerBound..<index
            state = .lineFeed
            position = index &+ 1
        case ByteClass.lineFeed: throw .bareLineFeed
        default: throw .invalidFieldValue
        }
    }

    private mutating func expectLineFeed(_ byte: UInt8) throws(ParseError) {
        guard byte == ByteClass.lineFeed else { throw .bareCarriageReturn }
        position &+= 1
    }

    private mutating func finishLine(in bytes: Span<UInt8>) -> Field {
        var end = value.upperBound
        while end > value.lowerBound, ByteClass.isBlank(bytes[end &- 1]) { end &-= 1 }
        count &+= 1
        return Field(
            name: name, value: value.lowerBound..<end, known: FieldName(bytes, name))
    }
}
