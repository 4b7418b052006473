// Follows a JSON text through pieces of bytes, however they are cut, and reports what lies near
// its root. The rest is checked against the grammar of RFC 8259 and passed over: texts 64 bytes at a
// time, since a prompt is little else. Nothing is held but the key or short text in hand.
//
// UTF-8 is not checked: what counts here is where texts end, and no byte of a longer sequence looks
// like a quotation mark or a backslash.
//
// A lenient scanner takes what some reader takes, although RFC 8259 has it not: Python's the words `NaN` and
// `Infinity`, and many any depth. What is deeper than can be checked is passed over by its brackets.

internal import Bytes

/// An incremental scanner of one JSON text, strict unless it is told otherwise.
package struct JSONScanner {
    private enum State: UInt8 {
        case value, firstElement, firstKey, key, colon, afterValue, done
        case text, escape, unicode
        case literal, word, number
        case deep, deepText, deepEscape
    }

    /// Containers within each other.
    package static let maxDepth = 128
    /// Whether what is no JSON to some readers is passed over.
    package var isLenient = false
    /// Containers that are open; of a lenient scanner's no more than `maxDepth`.
    package private(set) var depth = 0
    /// Deepest container whose keys and values are reported; what is in deeper ones is passed over.
    package var reportedDepth = 1
    /// Whether the value that comes next is kept if it is a text; for one value.
    package var captures = false
    /// The last reported key or kept text, with escapes resolved.
    package private(set) var text = ShortText()
    /// Whether the text was longer than what is kept.
    package private(set) var isTextCut = false
    /// The last reported number if it is a whole one of at most 18 digits, else nil.
    package var number: Int? { inHand.value }
    /// Whether the last reported number is nought, however it is written.
    package var isZero: Bool { inHand.isZero }
    /// Whether the last string was empty.
    package private(set) var isStringEmpty = true
    /// Bytes of the text before those that are shown.
    private var base = 0
    /// Where the text of the last string begins and ends in the whole text, without its marks.
    package private(set) var textRange = 0..<0

    /// Where the last value begins in the whole text: its mark, bracket or first letter.
    package private(set) var valueStart = 0

    private var state = State.value
    /// A bit for each open container, the innermost lowest: 1 for an object.
    private var objects: UInt128 = 0
    private var isKey = false
    private var keepsText = false
    private var textStart = 0
    private var unicode: UInt32 = 0
    private var unicodeDigits = 0
    private var highSurrogate: UInt32 = 0
    private var literalIndex = 0
    private var literal: Bool?
    /// The rest of a word that stands for a number, the next letter lowest.
    private var word: UInt64 = 0
    /// Containers that are open beyond those that are checked.
    private var deeper = 0
    /// The number that is read, or was read last.
    private var inHand = JSONNumber()

    /// A scanner at the beginning of a text.
    package init() {}

    /// Whether the text is complete.
    package var isComplete: Bool { state == .done }

    /// Where the text begins, behind its mark, within which the bytes shown so far end; nil where they end
    /// elsewhere, or within a key.
    package var openText: Int? {
        switch state {
        case .text, .escape, .unicode: isKey ? nil : textStart
        default: nil
        }
    }

    /// Begins another text.
    package mutating func reset() {
        depth = 0
        reportedDepth = 1
        captures = false
        text.clear()
        base = 0
        state = .value
        objects = 0
        keepsText = false
    }

    /// Goes on in `bytes` from `index` to the next thing to report; after `needMoreData` with the
    /// bytes that follow, from their beginning.
    package mutating func next(
        in bytes: Span<UInt8>, at index: inout Int
    ) throws(BodyFault) -> JSONEvent {
        while index < bytes.count {
            let event: JSONEvent?
            switch state {
            case .text: event = try scanText(bytes, &index)
            case .escape, .unicode:
                try scanEscape(bytes[index])
                index &+= 1
                continue
            case .literal: event = try scanLiteral(bytes[index], &index)
            case .word: event = try scanWord(bytes[index], &index)
            case .deep, .deepText, .deepEscape:
                scanDeep(bytes[index])
                index &+= 1
                continue
            case .number: event = try scanNumber(bytes, &index)
            default:
                let byte = bytes[index]
                let at = index
                index &+= 1
                if byte <= 0x20, byte == 0x20 || byte == 0x0a || byte == 0x0d || byte == 0x09 {
                    continue
                }
                // Quotation marks and commas first: most of what stands between texts.
                if byte == UInt8(ascii: "\"") && state == .value {
                    valueStart = base &+ at
                    beginText(isKey: false, keeps: captures, at)
                    continue
                }
                if byte == UInt8(ascii: ",") && state == .afterValue {
                    passComma(bytes, &index)
                    continue
                }
                event = try scanStructure(byte, at)
            }
            if let event { return event }
        }
        base &+= bytes.count
        return .needMoreData
    }

    // MARK: Structure

    @inline(__always) private mutating func scanStructure(
        _ byte: UInt8, _ at: Int
    ) throws(BodyFault) -> JSONEvent? {
        switch state {
        case .value: return try beginValue(byte, at)
        case .firstElement:
            return byte == UInt8(ascii: "]") ? close(isObject: false) : try beginValue(byte, at)
        case .firstKey:
            if byte == UInt8(ascii: "}") { return close(isObject: true) }
            return try beginKey(byte, at)
        case .key: return try beginKey(byte, at)
        case .colon:
            guard byte == UInt8(ascii: ":") else { throw .notJSON }
            state = .value
            return nil
        case .afterValue:
            let isObject = objects & 1 == 1
            guard byte == (isObject ? UInt8(ascii: "}") : UInt8(ascii: "]")) else {
                throw .notJSON
            }
            return close(isObject: isObject)
        default: throw .notJSON
        }
    }

    /// A value is followed by another one, or by a key, which may be there at once.
    @inline(__always) private mutating func passComma(_ bytes: Span<UInt8>, _ index: inout Int) {
        guard objects & 1 == 1 else {
            state = .value
            return
        }
        state = .key
        guard index < bytes.count, bytes[index] == UInt8(ascii: "\"") else { return }
        beginText(isKey: true, keeps: depth <= reportedDepth, index)
        index &+= 1
    }

    private mutating func beginKey(_ byte: UInt8, _ at: Int) throws(BodyFault) -> JSONEvent? {
        guard byte == UInt8(ascii: "\"") else { throw .notJSON }
        beginText(isKey: true, keeps: depth <= reportedDepth, at)
        return nil
    }

    @inline(__always) private mutating func beginText(isKey: Bool, keeps: Bool, _ at: Int) {
        self.isKey = isKey
        keepsText = keeps
        captures = false
        state = .text
        textStart = base &+ at &+ 1
        guard keeps else { return }
        isTextCut = false
        highSurrogate = 0
        text.clear()
    }

    private mutating func beginValue(_ byte: UInt8, _ at: Int) throws(BodyFault) -> JSONEvent? {
        valueStart = base &+ at
        switch byte {
        case UInt8(ascii: "\""):
            beginText(isKey: false, keeps: captures, at)
            return nil
        case UInt8(ascii: "{"): return try open(isObject: true)
        case UInt8(ascii: "["): return try open(isObject: false)
        case UInt8(ascii: "t"): beginLiteral(true)
        case UInt8(ascii: "f"): beginLiteral(false)
        case UInt8(ascii: "n"): beginLiteral(nil)
        case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): beginNumber(byte)
        case UInt8(ascii: "N") where isLenient: beginWord(JSONScanner.restOfNaN)
        case UInt8(ascii: "I") where isLenient: beginWord(JSONScanner.restOfInfinity)
        default: throw .notJSON
        }
        captures = false
        return nil
    }

    private mutating func open(isObject: Bool) throws(BodyFault) -> JSONEvent? {
        captures = false
        guard depth < JSONScanner.maxDepth else {
            guard isLenient else { throw .tooDeep }
            deeper = 1
            state = .deep
            return nil
        }
        objects = objects << 1 | (isObject ? 1 : 0)
        depth &+= 1
        state = isObject ? .firstKey : .firstElement
        return depth &- 1 <= reportedDepth ? .open(isObject: isObject) : nil
    }

    private mutating func close(isObject: Bool) -> JSONEvent? {
        objects >>= 1
        depth &-= 1
        state = depth == 0 ? .done : .afterValue
        return depth <= reportedDepth ? .close : nil
    }

    /// Passes over what is too deep.
    private mutating func scanDeep(_ byte: UInt8) {
        switch (state, byte) {
        case (.deepEscape, _): state = .deepText
        case (.deepText, UInt8(ascii: "\\")): state = .deepEscape
        case (.deepText, UInt8(ascii: "\"")): state = .deep
        case (.deepText, _): return
        case (_, UInt8(ascii: "\"")): state = .deepText
        case (_, UInt8(ascii: "[")), (_, UInt8(ascii: "{")): deeper &+= 1
        case (_, UInt8(ascii: "]")), (_, UInt8(ascii: "}")):
            deeper &-= 1
            if deeper == 0 { state = .afterValue }
        default: return
        }
    }

    /// A value has ended: what comes next, and the event where it is reported.
    private mutating func ended(_ event: JSONEvent) -> JSONEvent? {
        state = depth == 0 ? .done : .afterValue
        return depth <= reportedDepth ? event : nil
    }

    // MARK: Texts

    @inline(__always) private mutating func scanText(
        _ bytes: Span<UInt8>, _ index: inout Int
    ) throws(BodyFault) -> JSONEvent? {
        let start = index
        var end = bytes.endOfPlainText(from: start)
        if keepsText {
            if !text.append(start..<end, of: bytes) { isTextCut = true }
        } else {
            // Prompts are full of escaped line ends.
            while end &+ 1 < bytes.count, bytes[end] == UInt8(ascii: "\\"),
                JSONScanner.isPlainEscape(bytes[end &+ 1])
            {
                end = bytes.endOfPlainText(from: end &+ 2)
            }
        }
        index = end
        guard end < bytes.count else { return nil }
        let byte = bytes[end]
        index = end &+ 1
        if byte == UInt8(ascii: "\\") {
            state = .escape
            return nil
        }
        guard byte == UInt8(ascii: "\"") else { throw .notJSON }
        isStringEmpty = base &+ end == textStart
        if keepsText { textRange = textStart..<(base &+ end) }
        guard isKey else {
            guard depth > reportedDepth else { return ended(.string) }
            // What follows is there, as a rule: there is nothing to tell in between.
            state = .afterValue
            if index < bytes.count, bytes[index] == UInt8(ascii: ",") {
                index &+= 1
                passComma(bytes, &index)
            }
            return nil
        }
        guard index < bytes.count, bytes[index] == UInt8(ascii: ":") else {
            state = .colon
            return keepsText ? .key : nil
        }
        index &+= 1
        state = .value
        if keepsText { return .key }
        if index < bytes.count, bytes[index] == UInt8(ascii: "\"") {
            valueStart = base &+ index
            beginText(isKey: false, keeps: captures, index)
            index &+= 1
        }
        return nil
    }

    private static func isPlainEscape(_ byte: UInt8) -> Bool {
        byte == UInt8(ascii: "n") || byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\")
            || byte == UInt8(ascii: "t")
    }

    private mutating func scanEscape(_ byte: UInt8) throws(BodyFault) {
        guard state == .unicode else {
            state = .text
            switch byte {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): keep(byte)
            case UInt8(ascii: "b"): keep(0x08)
            case UInt8(ascii: "f"): keep(0x0c)
            case UInt8(ascii: "n"): keep(0x0a)
            case UInt8(ascii: "r"): keep(0x0d)
            case UInt8(ascii: "t"): keep(0x09)
            case UInt8(ascii: "u"):
                state = .unicode
                unicode = 0
                unicodeDigits = 0
            default: throw .notJSON
            }
            return
        }
        let digit: UInt8
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): digit = byte &- 0x30
        case UInt8(ascii: "a")...UInt8(ascii: "f"): digit = byte &- 0x57
        case UInt8(ascii: "A")...UInt8(ascii: "F"): digit = byte &- 0x37
        default: throw .notJSON
        }
        unicode = unicode << 4 | UInt32(digit)
        unicodeDigits &+= 1
        if unicodeDigits == 4 {
            state = .text
            if keepsText { keepUnicode() }
        }
    }

    /// Keeps the character of an escape as UTF-8; the two halves of a pair come one after the
    /// other.
    private mutating func keepUnicode() {
        if unicode & 0xfc00 == 0xd800 {
            highSurrogate = unicode
            return
        }
        var value = unicode
        if unicode & 0xfc00 == 0xdc00, highSurrogate != 0 {
            value = 0x1_0000 &+ ((highSurrogate & 0x3ff) << 10 | unicode & 0x3ff)
        }
        highSurrogate = 0
        // Half a pair on its own stands for nothing.
        let scalar = Unicode.Scalar(value) ?? "\u{fffd}"
        for byte in UTF8.encode(scalar) ?? UTF8.encodedReplacementCharacter { keep(byte) }
    }

    private mutating func keep(_ byte: UInt8) {
        guard keepsText else { return }
        if !text.append(byte) { isTextCut = true }
    }

    // MARK: Literals and numbers

    private mutating func beginLiteral(_ value: Bool?) {
        literal = value
        literalIndex = 1
        state = .literal
    }

    private mutating func scanLiteral(
        _ byte: UInt8, _ index: inout Int
    ) throws(BodyFault) -> JSONEvent? {
        guard JSONScanner.letter(literalIndex, of: literal) == byte else { throw .notJSON }
        index &+= 1
        literalIndex &+= 1
        guard literalIndex == (literal == false ? 5 : 4) else { return nil }
        return ended(.literal(literal))
    }

    private static func letter(_ index: Int, of literal: Bool?) -> UInt8 {
        let word: UInt64 =
            switch literal {
            case true?: 0x6575_7274
            case false?: 0x65_736c_6166
            case nil: 0x6c6c_756e
            }
        return UInt8(truncatingIfNeeded: word >> UInt64(8 &* index))
    }

    /// A word has begun that stands for a number, which is not known.
    private mutating func beginWord(_ rest: UInt64) {
        word = rest
        inHand.beginWord()
        state = .word
    }

    private mutating func scanWord(
        _ byte: UInt8, _ index: inout Int
    ) throws(BodyFault) -> JSONEvent? {
        guard byte == UInt8(truncatingIfNeeded: word) else { throw .notJSON }
        index &+= 1
        word >>= 8
        return word == 0 ? ended(.number) : nil
    }

    private static let restOfNaN: UInt64 = 0x4e_61
    private static let restOfInfinity: UInt64 = 0x79_7469_6e69_666e

    private mutating func beginNumber(_ byte: UInt8) {
        inHand.begin(byte)
        state = .number
    }

    private mutating func scanNumber(
        _ bytes: Span<UInt8>, _ index: inout Int
    ) throws(BodyFault) -> JSONEvent? {
        let found = try inHand.scan(
            bytes, &index, isLenient: isLenient, isPassed: depth > reportedDepth,
            isInArray: objects & 1 == 0)
        switch found {
        case .more: return nil
        case .end: return ended(.number)
        case .infinity:
            beginWord(JSONScanner.restOfInfinity)
            index &+= 1
            return nil
        }
    }
}
