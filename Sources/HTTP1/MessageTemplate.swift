// A whole message of which most is known beforehand: a response of the gateway's own. It is written by
// one call, which looks for room once.

internal import Bytes

/// Text of a message with gaps.
package struct MessageTemplate: Sendable {
    /// What goes into a gap.
    package enum Filling: Sendable {
        /// The first, second or third number.
        case first, second, third
        /// The text of `Date`.
        case date
        /// The request's id.
        case requestID
    }

    fileprivate struct Gap: Sendable {
        let offset: Int
        let filling: Filling
    }

    fileprivate var text: [UInt8] = []
    fileprivate var gaps: [Gap] = []

    /// Makes a template without text.
    package init() {}

    /// Adds text.
    package mutating func append(_ more: Span<UInt8>) {
        for index in more.indices { text.append(more[index]) }
    }

    /// Adds a gap.
    package mutating func leave(_ filling: Filling) {
        gaps.append(Gap(offset: text.count, filling: filling))
    }
}

extension ByteBuffer {
    /// Appends the text of `template` with what goes into its gaps; numbers are 0 or more.
    ///
    /// Bytes of the id that may not stand in a field's value come out as spaces; the date is the
    /// gateway's own.
    package mutating func append(
        _ template: borrowing MessageTemplate, date: Span<UInt8>,
        requestID: borrowing [UInt8], _ first: Int, _ second: Int, _ third: Int
    ) {
        let isText = isFieldText(requestID.span)
        let text = template.text.span
        let gaps = template.gaps.span
        let widest = max(20, max(date.count, requestID.count))
        reserve(text.count &+ gaps.count &* widest)
        var written = 0
        var offset = end
        var bytes = storage.mutableSpan
        for index in gaps.indices {
            let gap = gaps[index]
            bytes.write(text.extracting(written..<gap.offset), before: &offset)
            written = gap.offset
            let start = offset
            switch gap.filling {
            case .first: bytes.write(decimal: first, before: &offset)
            case .second: bytes.write(decimal: second, before: &offset)
            case .third: bytes.write(decimal: third, before: &offset)
            case .date: bytes.write(date, before: &offset)
            case .requestID: bytes.write(requestID.span, before: &offset)
            }
            if !isText {
                for blank in start..<offset where !ByteClass.isFieldValue(bytes[blank]) {
                    bytes[blank] = ByteClass.space
                }
            }
        }
        bytes.write(text.extracting(written..<text.count), before: &offset)
        end = offset
    }
}
