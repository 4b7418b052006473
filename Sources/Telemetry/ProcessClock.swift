// The wall clock, and how moments are written in logs and headers. The calendar is computed here
// because Foundation stays out of the program.

package import Bytes
import CShims
import Glibc

/// The system's wall clock; `MonotonicClock` is the one that is measured with.
package enum ProcessClock {
    /// The wall clock in nanoseconds since 1970-01-01 00:00 UTC, for what people read.
    package static func wallNanoseconds() -> Int64 {
        nanoseconds(of: CLOCK_REALTIME)
    }

    static func nanoseconds(of clock: clockid_t) -> Int64 {
        var time = timespec()
        // The kernel writes one timespec, which `time` is and outlives the call.
        let result = unsafe clock_gettime(clock, &time)
        precondition(result == 0, "a clock that every Linux has is missing")
        return Int64(time.tv_sec) &* 1_000_000_000 &+ Int64(time.tv_nsec)
    }
}

/// A moment in UTC, split as calendars do.
package struct CalendarTime: Equatable {
    /// Year, month 1..12 and day 1..31.
    package var year: Int, month: Int, day: Int
    /// Hour 0..23, minute 0..59 and second 0..59; POSIX time has no leap seconds.
    package var hour: Int, minute: Int, second: Int
    /// Days since Sunday, 0..6.
    package var weekday: Int

    /// Splits `seconds` since 1970-01-01 00:00 UTC by the proleptic Gregorian calendar
    /// (Howard Hinnant, "chrono-compatible low-level date algorithms", `civil_from_days`).
    package init(secondsSince1970 seconds: Int64) {
        let days = Int(floorDivide(seconds, 86_400))
        let rest = Int(seconds) - days * 86_400
        hour = rest / 3_600
        minute = rest % 3_600 / 60
        second = rest % 60
        weekday = Int(floorModulo(Int64(days + 4), 7))

        // Years are counted from 1 March, so that the day that comes and goes is the last of a
        // year.
        let shifted = days + 719_468
        let era = Int(floorDivide(Int64(shifted), 146_097))
        let dayOfEra = shifted - era * 146_097
        let yearOfEra =
            (dayOfEra - dayOfEra / 1_460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let monthFromMarch = (5 * dayOfYear + 2) / 153
        day = dayOfYear - (153 * monthFromMarch + 2) / 5 + 1
        month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9
        year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
    }
}

private func floorDivide(_ value: Int64, _ divisor: Int64) -> Int64 {
    let quotient = value / divisor
    return value % divisor < 0 ? quotient - 1 : quotient
}

private func floorModulo(_ value: Int64, _ divisor: Int64) -> Int64 {
    value - floorDivide(value, divisor) * divisor
}

/// Writes moments as text and keeps the text of the last second, which the next moment mostly
/// shares.
package struct DateWriter: ~Copyable {
    private var stampSecond = Int64.min
    private var stamp: [UInt8] = []
    private var httpSecond = Int64.min
    private var httpDate: [UInt8] = []

    /// Makes a writer that has nothing kept.
    package init() {}

    /// Appends `wallNanoseconds` since 1970 by RFC 3339 in UTC to the millisecond:
    /// `2026-08-04T09:05:03.120Z`, for the years 0..9999.
    package mutating func appendTimestamp(_ wallNanoseconds: Int64, to buffer: inout ByteBuffer) {
        let second = floorDivide(wallNanoseconds, 1_000_000_000)
        if second != stampSecond {
            stampSecond = second
            stamp = DateWriter.timestamp(second)
        }
        buffer.append(stamp.span)
        let milliseconds = Int(wallNanoseconds &- second &* 1_000_000_000) / 1_000_000
        buffer.append(0x30 &+ UInt8(truncatingIfNeeded: milliseconds / 100))
        buffer.append(0x30 &+ UInt8(truncatingIfNeeded: milliseconds / 10 % 10))
        buffer.append(0x30 &+ UInt8(truncatingIfNeeded: milliseconds % 10))
        buffer.append(0x5a)
    }

    /// Appends `wallNanoseconds` since 1970 as a `Date` field has it (RFC 9110 section 5.6.7,
    /// IMF-fixdate): `Tue, 04 Aug 2026 09:05:03 GMT`, for the years 0..9999.
    package mutating func appendHTTPDate(_ wallNanoseconds: Int64, to buffer: inout ByteBuffer) {
        withHTTPDate(wallNanoseconds) { buffer.append($0) }
    }

    /// Calls `body` with what a `Date` field says at `wallNanoseconds`, as `appendHTTPDate` appends
    /// it.
    @inline(__always)
    package mutating func withHTTPDate(_ wallNanoseconds: Int64, _ body: (Span<UInt8>) -> Void) {
        let second = floorDivide(wallNanoseconds, 1_000_000_000)
        if second != httpSecond {
            httpSecond = second
            httpDate = DateWriter.httpDate(second)
        }
        body(httpDate.span)
    }

    private static func timestamp(_ second: Int64) -> [UInt8] {
        let time = CalendarTime(secondsSince1970: second)
        var text: [UInt8] = []
        text.reserveCapacity(20)
        append(time.year, digits: 4, to: &text)
        text.append(0x2d)
        append(time.month, digits: 2, to: &text)
        text.append(0x2d)
        append(time.day, digits: 2, to: &text)
        text.append(0x54)
        appendTimeOfDay(time, to: &text)
        text.append(0x2e)
        return text
    }

    private static func httpDate(_ second: Int64) -> [UInt8] {
        let days = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"]
        let months = [
            "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
        ]
        let time = CalendarTime(secondsSince1970: second)
        var text: [UInt8] = []
        text.reserveCapacity(29)
        text.append(contentsOf: days[time.weekday].utf8)
        text.append(contentsOf: ", ".utf8)
        append(time.day, digits: 2, to: &text)
        text.append(0x20)
        text.append(contentsOf: months[time.month - 1].utf8)
        text.append(0x20)
        append(time.year, digits: 4, to: &text)
        text.append(0x20)
        appendTimeOfDay(time, to: &text)
        text.append(contentsOf: " GMT".utf8)
        return text
    }

    private static func appendTimeOfDay(_ time: CalendarTime, to text: inout [UInt8]) {
        append(time.hour, digits: 2, to: &text)
        text.append(0x3a)
        append(time.minute, digits: 2, to: &text)
        text.append(0x3a)
        append(time.second, digits: 2, to: &text)
    }

    private static func append(_ value: Int, digits: Int, to text: inout [UInt8]) {
        var divisor = 1
        for _ in 1..<digits { divisor *= 10 }
        while divisor > 0 {
            text.append(0x30 + UInt8(truncatingIfNeeded: value / divisor % 10))
            divisor /= 10
        }
    }
}
