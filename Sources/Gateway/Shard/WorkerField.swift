// What a worker says of itself when it comes, in `Penstock-Worker`: a name with parameters, as structured fields have them
// (RFC 9651 section 3.3.5). It comes from whoever has a key, and has bounds.

internal import Bytes

/// What a worker says of itself.
struct WorkerField: Equatable {
    /// Its name, 1 to 64 letters, digits and `.:_-`.
    var name = ""
    /// How many requests it takes at once, 1..10,000.
    var credits = 0
    /// Whether the connection is no credit: signs of life are asked for over it.
    var isControl = false

    /// What is wrong with the field.
    enum Fault: Error {
        /// Its syntax, or the name.
        case name
        /// `credits` is not there, or is no number from 1 to 10,000.
        case credits
    }

    /// Bytes of the longest name.
    static let mostNameBytes = CreditSettings.mostNameBytes
    /// The most that a worker can say that it takes.
    static let mostCredits = CreditSettings.mostCredits

    /// Reads the field's value.
    static func read(_ text: Span<UInt8>) throws(Fault) -> WorkerField {
        var field = WorkerField()
        var end = 0
        while end < text.count, CreditSettings.isNamePart(text[end]) { end += 1 }
        guard (1...mostNameBytes).contains(end) else { throw .name }
        for index in 0..<end { field.name.unicodeScalars.append(Unicode.Scalar(text[index])) }
        let rest = text.extracting(droppingFirst: end)
        var reader = StructuredReader()
        while reader.index < rest.count {
            guard reader.skip(UInt8(ascii: ";"), rest) else { throw .name }
            reader.skipSpaces(rest)
            guard let key = reader.key(rest) else { throw .name }
            var value = StructuredReader.Value.other
            let isAlone = !reader.skip(UInt8(ascii: "="), rest)
            if !isAlone {
                guard let read = reader.item(rest) else { throw .name }
                value = read
            }
            if rest.extracting(key).equals("control"), isAlone { field.isControl = true }
            guard rest.extracting(key).equals("credits") else { continue }
            guard case .integer(let credits) = value, (1...mostCredits).contains(credits) else {
                throw .credits
            }
            field.credits = credits
        }
        guard field.credits > 0 else { throw .credits }
        return field
    }
}
