// Moments as text, against Foundation's calendar and the RFCs' examples.

import Foundation
import Gateway
import HTTP1
import Testing

@testable import Reactor
@testable import Telemetry

@Suite struct ObservabilityClockTests {
    private func timestamp(_ nanoseconds: Int64) -> String {
        var dates = DateWriter()
        return rendered { dates.appendTimestamp(nanoseconds, to: &$0) }
    }

    private func httpDate(_ nanoseconds: Int64) -> String {
        var dates = DateWriter()
        return rendered { dates.appendHTTPDate(nanoseconds, to: &$0) }
    }

    @Test func knownMoments() {
        #expect(timestamp(0) == "1970-01-01T00:00:00.000Z")
        #expect(timestamp(1_700_000_123_456_789_000) == "2023-11-14T22:15:23.456Z")
        #expect(timestamp(-1) == "1969-12-31T23:59:59.999Z")
        #expect(timestamp(951_782_400_000_000_000) == "2000-02-29T00:00:00.000Z")
        // RFC 9110 section 5.6.7's own example.
        #expect(httpDate(784_111_777_000_000_000) == "Sun, 06 Nov 1994 08:49:37 GMT")
    }

    @Test func theCalendarAgreesWithFoundation() throws {
        var calendar = Calendar(identifier: .gregorian)
        calendar.timeZone = try #require(TimeZone(secondsFromGMT: 0))
        var state: UInt64 = 42
        for step in 0..<2_000 {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            // Years 1900..2200, and around each new year.
            var seconds = -2_208_988_800 + Int64(state >> 20) % 9_466_848_000
            if step < 300 { seconds = Int64(step) * 31_556_952 - 2_208_988_800 }
            let date = Date(timeIntervalSince1970: Double(seconds))
            let expected = calendar.dateComponents(
                [.year, .month, .day, .hour, .minute, .second, .weekday], from: date)
            let time = CalendarTime(secondsSince1970: seconds)
            let fields = [time.year, time.month, time.day, time.hour, time.minute, time.second]
            #expect(
                fields == [
                    expected.year, expected.month, expected.day, expected.hour, expected.minute,
                    expected.second,
                ], "\(seconds)")
            #expect(time.weekday + 1 == expected.weekday, "\(seconds)")
        }
    }

    @Test func theKeptSecondIsReplacedInBothDirections() {
        var dates = DateWriter()
        let moments: [Int64] = [1_999_000_000, 2_000_000_000, 1_001_000_000, 2_345_000_000]
        let texts = moments.map { moment in
            rendered { dates.appendTimestamp(moment, to: &$0) }
        }
        #expect(texts.map { $0.suffix(7) } == ["01.999Z", "02.000Z", "01.001Z", "02.345Z"])
        let headers = moments.map { moment in rendered { dates.appendHTTPDate(moment, to: &$0) } }
        #expect(headers.map { $0.suffix(6) } == ["01 GMT", "02 GMT", "01 GMT", "02 GMT"])
    }

    @Test func theClocksRun() {
        let before = MonotonicClock.now
        #expect(MonotonicClock.now >= before)
        let difference = Double(ProcessClock.wallNanoseconds()) / 1e9 - Date().timeIntervalSince1970
        #expect(abs(difference) < 5)
    }
}
