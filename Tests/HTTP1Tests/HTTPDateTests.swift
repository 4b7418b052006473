// Dates in fields.

import Foundation
import Testing

@testable import HTTP1

@Suite struct HTTPDateTests {
    private func seconds(_ text: String, now: Int = 1_700_000_000) -> Int? {
        HTTPDate.seconds(Array(text.utf8).span, now: now)
    }

    @Test func theThreeFormsSayTheSame() {
        #expect(seconds("Sun, 06 Nov 1994 08:49:37 GMT") == 784_111_777)
        #expect(seconds("Sunday, 06-Nov-94 08:49:37 GMT") == 784_111_777)
        #expect(seconds("Sun Nov  6 08:49:37 1994") == 784_111_777)
        #expect(seconds("Thu, 01 Jan 1970 00:00:00 GMT") == 0)
        #expect(seconds("Fri, 27-Nov-26 00:00:00 GMT") == 1_795_737_600)
    }

    @Test(arguments: [
        "", "x", "20", "-1", "Sun, 06 Nov 1994 08:49:37", "Sun, 06 Nov 1994 08:49:37 UTC",
        "Sun, 06 Nov 1994 24:49:37 GMT", "Sun, 06 Foo 1994 08:49:37 GMT",
        "Sun, 0 Nov 1994 08:49:37 GMT",
        "Sun, 32 Nov 1994 08:49:37 GMT", "Sun, 06 Nov 19945 08:49:37 GMT",
        "Sun, 06 Nov 1994 8:49:37 GMT",
        "Sun, 06 Nov 1994 08-49-37 GMT", "Sun, 06 Nov 1994 08:4a:37 GMT",
    ])
    func whatIsNoDateIsNone(_ text: String) { #expect(seconds(text) == nil) }

    @Test func theCalendarAgreesWithFoundation() {
        let formatter = DateFormatter()
        formatter.locale = Locale(identifier: "en_US_POSIX")
        formatter.timeZone = TimeZone(identifier: "GMT")
        formatter.dateFormat = "EEE, dd MMM yyyy HH:mm:ss 'GMT'"
        for time in stride(from: 0, through: 8_000_000_000, by: 12_345_678) {
            let text = formatter.string(from: Date(timeIntervalSince1970: Double(time)))
            #expect(seconds(text) == time, "\(text)")
        }
    }
}
