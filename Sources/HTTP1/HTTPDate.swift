// Dates in fields, RFC 9110 section 5.6.7: the form that is to be written, and the two that old senders
// write.

internal import Bytes

/// Reads dates.
package enum HTTPDate {
    private static let months = [
        "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
    ]
    .map { Array($0.utf8) }

    /// Seconds since 1970 that a date says; nil for what is none.
    ///
    /// `now`, in the same seconds, tells the century of a date of two digits: it is not more than fifty
    /// years ahead.
    package static func seconds(_ text: Span<UInt8>, now: Int) -> Int? {
        var words: [Range<Int>] = []
        var start = 0
        for index in 0...text.count {
            let isBreak = index == text.count || isBreak(text[index])
            guard isBreak else { continue }
            if index > start { words.append(start..<index) }
            start = index + 1
        }
        guard words.count == 6 || words.count == 5 else { return nil }
        // "Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994".
        let isAscTime = words.count == 5
        if !isAscTime, !text.extracting(words[5]).equals("GMT") { return nil }
        let day = number(text.extracting(words[isAscTime ? 2 : 1]))
        let month = months.firstIndex {
            text.extracting(words[isAscTime ? 1 : 2]).equals(lowercase: $0)
        }
        let yearText = text.extracting(words[isAscTime ? 4 : 3])
        let time = text.extracting(words[isAscTime ? 3 : 4])
        guard let day, let month, let written = number(yearText), (1...31).contains(day),
            let secondsOfDay = secondsOfDay(time)
        else { return nil }
        switch yearText.count {
        case 4: return days(written, month, day) * 86_400 + secondsOfDay
        case 2:
            let century = days(1900 + written, month, day) * 86_400 + secondsOfDay
            let next = days(2000 + written, month, day) * 86_400 + secondsOfDay
            return next - now > 50 * 31_556_952 ? century : next
        default: return nil
        }
    }

    private static func isBreak(_ byte: UInt8) -> Bool {
        byte == 0x20 || byte == UInt8(ascii: ",") || byte == UInt8(ascii: "-")
    }

    private static func secondsOfDay(_ text: Span<UInt8>) -> Int? {
        guard text.count == 8, text[2] == UInt8(ascii: ":"), text[5] == UInt8(ascii: ":"),
            let hour = number(text.extracting(0..<2)), let minute = number(text.extracting(3..<5)),
            let second = number(text.extracting(6..<8)), hour < 24, minute < 60, second <= 60
        else { return nil }
        return (hour * 60 + minute) * 60 + second
    }

    private static func number(_ text: Span<UInt8>) -> Int? {
        guard (1...4).contains(text.count) else { return nil }
        var number = 0
        for index in text.indices {
            guard ByteClass.isDigit(text[index]) else { return nil }
            number = number * 10 + Int(text[index] - 0x30)
        }
        return number
    }

    /// Days from 1970-01-01 to that day of the Gregorian calendar; `month` counts from 0.
    ///
    /// Years begin in March here, so that a leap day is a year's last (H. Hinnant, "chrono-Compatible
    /// Low-Level Date Algorithms").
    private static func days(_ year: Int, _ month: Int, _ day: Int) -> Int {
        let shifted = month >= 2 ? year : year - 1
        let era = shifted / 400
        let yearOfEra = shifted - era * 400
        let monthFromMarch = (month + 10) % 12
        let dayOfYear = (153 * monthFromMarch + 2) / 5 + day - 1
        let dayOfEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear
        return era * 146_097 + dayOfEra - 719_468
    }
}
