// Finds a field name among those that the gateway acts on: one multiplication gives the only slot
// where it can be.

internal import Bytes

/// The listed names by their bytes without bit 0x20, in which the cases of letters differ.
///
/// Among token bytes this confuses, beside letters, only `^` with `~`; no listed name has either.
struct FieldNameTable: Sendable {
    /// A name of up to 32 bytes in words that overlap.
    ///
    /// They are its first eight bytes, its last, and what is between. A name of less than eight bytes
    /// is its own first and last word, behind zeros.
    private struct Entry {
        var first: UInt64 = 0
        var last: UInt64 = 0
        var second: UInt64 = 0
        var third: UInt64 = 0
        var count: UInt8 = 0
        var known = KnownName.other
    }

    /// The table; made when the first head is read.
    static let shared = FieldNameTable()
    private static let maxNameBytes = 32
    private static let slotBits: UInt64 = 8

    private var multiplier: UInt64 = 0x9e37_79b9_7f4a_7c15
    private var entries: [Entry] = []

    private init() {
        let names = FieldName.allCases.filter { !$0.spelling.isEmpty }.map(FieldNameTable.entry)
        // The first odd number under which no two names share a slot: one in eighty does.
        while true {
            entries = [Entry](repeating: Entry(), count: 1 << FieldNameTable.slotBits)
            let isFree = names.allSatisfy { name in
                let slot = slot(name.first, name.last)
                defer { entries[slot] = name }
                return entries[slot].count == 0
            }
            if isFree { return }
            multiplier = multiplier &* 0x5851_f42d_4c95_7f2d | 1
        }
    }

    /// The name in `range` of `bytes`, which holds token bytes only; case is ignored.
    func name(_ range: Range<Int>, in bytes: Span<UInt8>) -> KnownName {
        var last: UInt64 = 0
        for index in range.suffix(8) { last = last >> 8 | UInt64(bytes[index]) << 56 }
        let first = range.count < 8 ? 0 : bytes.word(at: range.lowerBound)
        let found = name(first, last, range.lowerBound, range.count, in: bytes)
        guard found.name == .other, isLookalike(range, in: bytes) else { return found }
        return .lookalike
    }

    /// Whether the name is a listed one but for underscores that stand for its hyphens.
    ///
    /// Names that have any take this way: they are not plain ones.
    private func isLookalike(_ range: Range<Int>, in bytes: Span<UInt8>) -> Bool {
        guard range.count <= FieldNameTable.maxNameBytes else { return false }
        var hyphenated: [UInt8] = []
        var hasUnderscore = false
        for index in range {
            let isUnderscore = bytes[index] == UInt8(ascii: "_")
            hasUnderscore = hasUnderscore || isUnderscore
            hyphenated.append(isUnderscore ? UInt8(ascii: "-") : bytes[index])
        }
        return hasUnderscore && name(0..<range.count, in: hyphenated.span).name != .other
    }

    /// The name of `count` token bytes that begins at `start`.
    ///
    /// `first` is its first eight bytes, if it has as many; `last` its last ones, the last byte in
    /// the highest bits and zeros where it has fewer.
    @inline(__always)
    func name(
        _ first: UInt64, _ last: UInt64, _ start: Int, _ count: Int, in bytes: Span<UInt8>
    ) -> KnownName {
        let last = WordMask.caseless(last)
        let first = count < 8 ? last : WordMask.caseless(first)
        let found = entries[slot(first, last)]
        guard found.first == first, found.last == last, Int(found.count) == count else {
            return .other
        }
        if count > 16 {
            let second = WordMask.caseless(bytes.word(at: start &+ 8))
            if second != found.second { return .other }
        }
        if count > 24 {
            let third = WordMask.caseless(bytes.word(at: start &+ 16))
            if third != found.third { return .other }
        }
        return found.known
    }

    @inline(__always)
    private func slot(_ first: UInt64, _ last: UInt64) -> Int {
        let product = (first &+ last) &* multiplier
        return Int(truncatingIfNeeded: product &>> (64 &- FieldNameTable.slotBits))
    }

    private static func entry(_ name: FieldName) -> Entry {
        let spelling = Array(name.spelling.utf8)
        precondition(spelling.count <= maxNameBytes, "a field name of too many bytes")
        var entry = Entry(count: UInt8(spelling.count), known: KnownName(name))
        let zeros = [UInt8](repeating: 0, count: max(0, 8 - spelling.count))
        entry.last = word(zeros + spelling.suffix(8))
        entry.first = spelling.count < 8 ? entry.last : word(spelling.prefix(8))
        if spelling.count > 16 { entry.second = word(spelling[8..<16]) }
        if spelling.count > 24 { entry.third = word(spelling[16..<24]) }
        return entry
    }

    private static func word(_ bytes: ArraySlice<UInt8>) -> UInt64 {
        bytes.reversed().reduce(0) { $0 << 8 | UInt64($1 & 0xdf) }
    }
}

/// What a field's name says about the field.
struct KnownName {
    /// The name itself.
    let name: FieldName
    /// Whether such a field ends at this hop, whatever Connection says.
    let isHopByHop: Bool

    /// No name that is listed.
    static let other = KnownName(.other)
    /// A name that looks like a listed one.
    static let lookalike = KnownName(.lookalike)

    /// Makes what is known of `name`.
    @inline(__always)
    init(_ name: FieldName) {
        self.name = name
        isHopByHop =
            switch name {
            case .connection, .keepAlive, .proxyConnection, .te, .transferEncoding, .upgrade: true
            default: false
            }
    }
}
