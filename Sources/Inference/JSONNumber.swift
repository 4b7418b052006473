// A number of a JSON text as it passes, however it is cut (RFC 8259 section 6): what is kept of it is its value, where
// it is a whole one.

/// The number that a scanner has in hand.
struct JSONNumber {
    private enum Step: UInt8 {
        case minus, zero, whole, point, fraction, exponent, exponentSign, exponentDigits
    }

    /// What the bytes that were shown have come to.
    enum Found {
        /// All of them belong to it, and more may follow.
        case more
        /// It has ended before the next byte.
        case end
        /// Behind its sign begins `Infinity`, which some readers take.
        case infinity
    }

    /// Digits of the longest number whose value is known.
    private static let mostDigits = 18

    private var step = Step.zero
    private var magnitude = 0
    private var digits = 0
    private var isNegative = false
    private var isWhole = false
    private var isFractionZero = true

    /// A number of which nothing is known.
    init() {}

    /// Its value if it is a whole one of at most 18 digits, else nil.
    var value: Int? { isWhole ? (isNegative ? -magnitude : magnitude) : nil }

    /// Whether it is nought, however it is written.
    var isZero: Bool { magnitude == 0 && isFractionZero }

    /// Begins with `byte`, a digit or a minus.
    mutating func begin(_ byte: UInt8) {
        isNegative = byte == UInt8(ascii: "-")
        isWhole = true
        isFractionZero = true
        magnitude = isNegative ? 0 : Int(byte &- 0x30)
        digits = isNegative ? 0 : 1
        step = isNegative ? .minus : byte == UInt8(ascii: "0") ? .zero : .whole
    }

    /// A word stands for it, whose value is not known.
    mutating func beginWord() {
        isWhole = false
        magnitude = 1
    }

    /// Goes on in `bytes` from `index`, up to what does not belong to it.
    ///
    /// `isLenient` where `-Infinity` is a number too; `isPassed` where nobody asks for its value.
    mutating func scan(
        _ bytes: Span<UInt8>, _ index: inout Int, isLenient: Bool, isPassed: Bool, isInArray: Bool
    ) throws(BodyFault) -> Found {
        if step == .whole {
            if isPassed {
                JSONNumber.passWhole(bytes, &index, isInArray: isInArray)
            } else {
                takeDigits(bytes, &index)
            }
        }
        while index < bytes.count {
            let byte = bytes[index]
            if byte &- 0x30 < 10 {
                guard step != .zero else { throw .notJSON }
                takeDigit(byte)
            } else if byte == UInt8(ascii: "."), step == .zero || step == .whole {
                isWhole = false
                step = .point
            } else if byte | 0x20 == UInt8(ascii: "e"),
                step == .zero || step == .whole || step == .fraction
            {
                isWhole = false
                step = .exponent
            } else if byte == UInt8(ascii: "+") || byte == UInt8(ascii: "-"), step == .exponent {
                step = .exponentSign
            } else {
                switch step {
                case .minus where isLenient && byte == UInt8(ascii: "I"): return .infinity
                case .zero, .whole, .fraction, .exponentDigits: return .end
                default: throw .notJSON
                }
            }
            index &+= 1
        }
        return .more
    }

    /// Prompts can be lists of token ids: passes over whole numbers with commas between them.
    private static func passWhole(_ bytes: Span<UInt8>, _ index: inout Int, isInArray: Bool) {
        while index < bytes.count {
            if bytes[index] &- 0x30 < 10 {
                index &+= 1
            } else if isInArray, index &+ 1 < bytes.count, bytes[index] == UInt8(ascii: ","),
                bytes[index &+ 1] &- 0x31 < 9
            {
                index &+= 2
            } else {
                return
            }
        }
    }

    /// Takes the digits of a whole number that are there.
    private mutating func takeDigits(_ bytes: Span<UInt8>, _ index: inout Int) {
        var at = index
        var value = magnitude
        var count = digits
        while at < bytes.count, bytes[at] &- 0x30 < 10 {
            count &+= 1
            if count <= JSONNumber.mostDigits { value = value &* 10 &+ Int(bytes[at] &- 0x30) }
            at &+= 1
        }
        if count > JSONNumber.mostDigits { isWhole = false }
        magnitude = value
        digits = count
        index = at
    }

    private mutating func takeDigit(_ byte: UInt8) {
        switch step {
        case .minus: step = byte == UInt8(ascii: "0") ? .zero : .whole
        case .point: step = .fraction
        case .exponent, .exponentSign: step = .exponentDigits
        default: break
        }
        guard step == .whole || step == .zero else {
            if step == .fraction, byte != 0x30 { isFractionZero = false }
            return
        }
        digits &+= 1
        if digits > JSONNumber.mostDigits {
            isWhole = false
        } else {
            magnitude = magnitude &* 10 &+ Int(byte &- 0x30)
        }
    }
}
