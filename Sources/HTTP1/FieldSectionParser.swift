// Reads field lines, for heads and trailer sections alike. It remembers the byte that it stopped
// at, so a section that arrives byte by byte costs no more than one that arrives whole, and a wrong
// byte is reported when it is seen, not when the section is complete.

internal import Bytes

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
    /// Field lines found.
    private(set) var count = 0
    private var name = 0..<0
    private var value = 0..<0

    /// Makes a parser that begins at byte `position` of what it will be shown.
    init(startingAt position: Int) {
        self.position = position
    }

    /// Begins another section, at byte `position` of what is shown then.
    @inline(__always)
    mutating func restart(at position: Int) {
        self.position = position
        state = .lineStart
        count = 0
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

    /// Puts the field lines at the present position into `fields`, behind those found before, up to
    /// the first that is not there as a whole, has something wrong or unusual, or finds no room.
    ///
    /// Most lines are like that, and cost a third if nothing is remembered between their parts.
    @inline(__always)
    private mutating func readWholeLines(
        in bytes: Span<UInt8>, maxFields: Int, version: Version, into fields: inout [Field],
        _ observer: inout some FieldObserver
    ) throws(ParseError) {
        guard state == .lineStart else { return }
        let names = FieldNameTable.shared
        var slots = fields.mutableSpan
        let most = min(slots.count, maxFields)
        // What is left of `bytes` from the word on that is looked at.
        var rest = bytes.extracting(droppingFirst: position)
        var start = position
        var found = count
        while found < most, rest.count >= 8 {
            let first = rest.firstWord
            guard let last = rest.skipPlainName() else { break }
            let nameEnd = bytes.count &- rest.count
            let nameCount = nameEnd &- start
            // Colon and space are no controls: the value's end is looked for from them on.
            guard nameCount > 0, nameCount <= Int(UInt16.max), rest.count > 2,
                rest[0] == UInt8(ascii: ":"), rest[1] == ByteClass.space,
                rest[2] != ByteClass.space
            else { break }
            let index = rest.skipPlainText(of: bytes)
            let end = bytes.count &- rest.count &+ index
            // There is no tab before it: only spaces can stand around the value.
            guard index &+ 1 < rest.count, rest[index] == ByteClass.carriageReturn,
                rest[index &+ 1] == ByteClass.lineFeed, bytes[end &- 1] != ByteClass.space
            else { break }
            rest = rest.extracting(droppingFirst: index &+ 2)
            let field = Field(
                nameStart: start, nameCount: nameCount, valueStart: nameEnd &+ 2,
                valueCount: end &- nameEnd &- 2,
                names.name(first, last, start, nameCount, in: bytes))
            slots[found] = field
            found &+= 1
            start = end &+ 2
            if field.known.isObserved { try observer.observe(field, in: bytes, version: version) }
        }
        position = start
        count = found
    }

    /// Reads the field lines of a head into `fields`, up to the empty line; false while bytes of them
    /// are still to come.
    ///
    /// `bytes` has at most `limits.maxHeadBytes`.
    @inline(__always)
    mutating func readLines(
        in bytes: Span<UInt8>, limits: HeadLimits, version: Version, into fields: inout [Field],
        _ observer: inout some FieldObserver
    ) throws(ParseError) -> Bool {
        while true {
            try readWholeLines(
                in: bytes, maxFields: limits.maxFields, version: version, into: &fields, &observer)
            if takesEmptyLine(in: bytes) { return true }
            if count == fields.count {
                fields.addRoom()
                continue
            }
            let step = try next(in: bytes, maxFields: limits.maxFields)
            if case .end = step { return true }
            guard case .field(let field) = step else {
                if bytes.count == limits.maxHeadBytes { throw .headTooLarge }
                return false
            }
            fields[count &- 1] = field
            try observer.observe(field, in: bytes, version: version)
        }
    }

    /// Whether the section ends at the present position with an empty line, which is all there.
    @inline(__always)
    private mutating func takesEmptyLine(in bytes: Span<UInt8>) -> Bool {
        let lineFeed = position &+ 1
        guard state == .lineStart, lineFeed < bytes.count,
            bytes[position] == ByteClass.carriageReturn, bytes[lineFeed] == ByteClass.lineFeed
        else { return false }
        position = lineFeed &+ 1
        return true
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
            nameStart: name.lowerBound, nameCount: name.count, valueStart: value.lowerBound,
            valueCount: end &- value.lowerBound, FieldNameTable.shared.name(name, in: bytes))
    }
}
