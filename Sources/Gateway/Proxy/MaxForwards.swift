// How many proxies a request may still pass, RFC 9110 section 7.6.2.

internal import HTTP1

/// The Max-Forwards of a request.
enum MaxForwards: Equatable {
    /// There is none.
    case unlimited
    /// So many more hops; 0 means that this is where the request ends.
    case hops(Int)
    /// More than one, or not a number.
    case invalid

    /// Reads it from `head`.
    init(_ head: borrowing RequestHead) {
        self = .unlimited
        for field in head.fields where field.known == .maxForwards {
            guard self == .unlimited, let hops = MaxForwards.number(head.value(of: field)) else {
                self = .invalid
                return
            }
            self = .hops(hops)
        }
    }

    /// What the next hop is told; `nil` for nothing.
    var hopsLeft: Int? {
        if case .hops(let hops) = self, hops > 0 { hops - 1 } else { nil }
    }

    /// Numbers of more than nine digits count as the largest of nine, as the RFC allows.
    private static func number(_ text: Span<UInt8>) -> Int? {
        if text.isEmpty { return nil }
        var number = 0
        for index in text.indices {
            let digit = text[index] &- 0x30
            guard digit < 10 else { return nil }
            number = min(number * 10 + Int(digit), 999_999_999)
        }
        return number
    }
}
