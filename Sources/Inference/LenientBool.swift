// What servers take for true and for false beside the words of JSON. Those that are made with pydantic, as vLLM
// and SGLang are, read 0 and 1 and a dozen words ("Booleans" in its conversion table); llama.cpp and those
// that are made with Go or Rust take all of it for false, or for an error.

internal import Bytes

/// A value that stands where JSON has `true` or `false`.
enum LenientBool: Equatable, Sendable {
    /// `false` or `null`, or what lenient servers take for false.
    case no
    /// `true`, or what lenient servers take for it.
    case yes
    /// Something that servers refuse, if they look at it at all.
    case unclear

    /// The value that `event` of `scanner` begins with, or is; a text has to be kept.
    init(_ event: JSONEvent, in scanner: borrowing JSONScanner) {
        switch event {
        case .literal(let value): self = value == true ? .yes : .no
        case .number: self = LenientBool(numberIn: scanner)
        case .string: self = scanner.isTextCut ? .unclear : LenientBool(word: scanner.text.span)
        case .open, .close, .key, .needMoreData: self = .unclear
        }
    }

    /// 1 may be written as `1.0` or `10e-1`; that it is no other number is left to the server.
    private init(numberIn scanner: borrowing JSONScanner) {
        if scanner.isZero {
            self = .no
        } else {
            self = scanner.number ?? 1 == 1 ? .yes : .unclear
        }
    }

    private init(word: Span<UInt8>) {
        if LenientBool.truths.contains(where: { word.equals(lowercase: $0) }) {
            self = .yes
        } else {
            let isNo = LenientBool.falsehoods.contains { word.equals(lowercase: $0) }
            self = isNo ? .no : .unclear
        }
    }

    private static let truths = ["1", "on", "t", "true", "y", "yes"].map { Array($0.utf8) }
    private static let falsehoods = ["0", "off", "f", "false", "n", "no"].map { Array($0.utf8) }
}
