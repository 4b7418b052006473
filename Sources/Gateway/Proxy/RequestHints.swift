// What a client says in fields about its patience and its tries. Both only ever work against the
// one who says them, so they are believed; what is not a time or a number is ignored.

internal import Bytes
internal import HTTP1

/// What one request's head says.
struct RequestHints: Equatable {
    /// The shortest time for which a response is wanted, in nanoseconds from 1 ms on; nil for no end.
    var answerNanoseconds: Int64?
    /// The time for which the client waits for each next byte, likewise.
    var byteNanoseconds: Int64?
    /// Whether the client has tried before.
    var isRetry = false
    /// Whether it has passed another proxy.
    var hasVia = false

    /// Reads the hints of `head`.
    init(_ head: borrowing RequestHead) {
        for field in head.fields {
            switch field.known {
            case .grpcTimeout, .xRequestTimeout, .requestTimeout, .xEnvoyExpectedTimeout:
                let time = RequestTimeout.nanoseconds(head.value(of: field), in: field.known)
                guard let time else { continue }
                answerNanoseconds = min(answerNanoseconds ?? time, time)
            case .xStainlessReadTimeout:
                let time = RequestTimeout.nanoseconds(head.value(of: field), in: field.known)
                guard let time else { continue }
                byteNanoseconds = min(byteNanoseconds ?? time, time)
            case .xStainlessRetryCount, .grpcPreviousAttempts:
                if isAtLeast(1, head.value(of: field)) { isRetry = true }
            case .xEnvoyAttemptCount:
                if isAtLeast(2, head.value(of: field)) { isRetry = true }
            case .via: hasVia = true
            default: break
            }
        }
    }

    /// Whether `value` is a number, and not a lower one.
    private func isAtLeast(_ least: Int, _ value: Span<UInt8>) -> Bool {
        guard (1...9).contains(value.count) else { return false }
        var number = 0
        for index in value.indices {
            guard value[index] >= 0x30, value[index] <= 0x39 else { return false }
            number = number * 10 + Int(value[index] - 0x30)
        }
        return number >= least
    }
}

/// Times in the fields that say how long a response is wanted.
enum RequestTimeout {
    /// Times that count; a longer one is as good as none, and 0 means none to most who write it.
    private static let times: ClosedRange<Int64> = 1_000_000...86_400_000_000_000

    /// The time that `value` says in the field `name`, in nanoseconds; nil when it is none.
    ///
    /// What is shorter than 1 ms counts as that.
    static func nanoseconds(_ value: Span<UInt8>, in name: FieldName) -> Int64? {
        var unit: Int64
        var digits = value.count
        switch name {
        case .grpcTimeout:
            // gRPC over HTTP/2, "Requests": at most eight digits and a unit.
            guard (2...9).contains(value.count) else { return nil }
            digits -= 1
            switch value[digits] {
            case UInt8(ascii: "H"): unit = 3_600_000_000_000
            case UInt8(ascii: "M"): unit = 60_000_000_000
            case UInt8(ascii: "S"): unit = 1_000_000_000
            case UInt8(ascii: "m"): unit = 1_000_000
            case UInt8(ascii: "u"): unit = 1_000
            case UInt8(ascii: "n"): unit = 1
            default: return nil
            }
        case .xEnvoyExpectedTimeout:
            unit = 1_000_000
        default:
            (digits, unit) = suffix(value)
        }
        guard digits > 0 else { return nil }
        return scaled(value.extracting(0..<digits), unit: unit)
    }

    /// Whether a time in such a field is written with a unit behind it.
    static func hasUnit(_ value: Span<UInt8>) -> Bool {
        !value.isEmpty && value[value.count - 1] >= UInt8(ascii: "A")
    }

    /// How many bytes come before the unit, and the unit; seconds where there is none.
    private static func suffix(_ value: Span<UInt8>) -> (digits: Int, unit: Int64) {
        let count = value.count
        guard hasUnit(value) else { return (count, 1_000_000_000) }
        switch value[count - 1] {
        case UInt8(ascii: "h"): return (count - 1, 3_600_000_000_000)
        case UInt8(ascii: "m"): return (count - 1, 60_000_000_000)
        case UInt8(ascii: "s"):
            let isMilliseconds = count > 1 && value[count - 2] == UInt8(ascii: "m")
            return isMilliseconds ? (count - 2, 1_000_000) : (count - 1, 1_000_000_000)
        default: return (0, 0)
        }
    }

    /// A decimal number of units; nil when it is not one, is 0, or is too long a time.
    private static func scaled(_ text: Span<UInt8>, unit: Int64) -> Int64? {
        guard (1...20).contains(text.count) else { return nil }
        var whole: Int64 = 0
        var fraction = 0.0
        var digit = 0.0
        var isNumber = false
        for index in text.indices {
            let byte = text[index]
            if byte == UInt8(ascii: "."), digit == 0 {
                digit = 0.1
                continue
            }
            guard byte >= 0x30, byte <= 0x39 else { return nil }
            isNumber = true
            if digit > 0 {
                fraction += Double(byte - 0x30) * digit
                digit /= 10
            } else {
                whole = whole * 10 + Int64(byte - 0x30)
                if whole > times.upperBound { return nil }
            }
        }
        let (product, overflow) = whole.multipliedReportingOverflow(by: unit)
        guard isNumber, !overflow, product <= times.upperBound else { return nil }
        let time = product + Int64(fraction * Double(unit))
        return time > 0 && time <= times.upperBound ? max(time, times.lowerBound) : nil
    }

    /// Appends the time that is left as the field `name` says it; `value` is how it came.
    static func append(
        nanoseconds: Int64, as name: FieldName, value: Span<UInt8>, to output: inout ByteBuffer
    ) {
        let milliseconds = Int(max(1, nanoseconds / 1_000_000))
        switch name {
        case .grpcTimeout:
            // At most 24 hours, which are eight digits.
            output.append(decimal: milliseconds)
            output.append("m")
        case .xEnvoyExpectedTimeout:
            output.append(decimal: milliseconds)
        default:
            if hasUnit(value) {
                output.append(decimal: milliseconds)
                output.append("ms")
            } else {
                output.append(decimal: milliseconds / 1000)
                output.append(".")
                output.append(decimal: milliseconds / 100 % 10)
                output.append(decimal: milliseconds / 10 % 10)
                output.append(decimal: milliseconds % 10)
            }
        }
    }
}
