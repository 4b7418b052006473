import Admission
import Testing

@testable import Gateway

@Suite struct GrowingPauseTests {
    private static func at(_ seconds: Int64) -> Instant {
        Instant(nanoseconds: seconds * 1_000_000_000)
    }

    @Test func itGrowsAndBeginsAnew() {
        var pause = GrowingPause()
        #expect(pause.endsAt == .distantFuture)
        for (now, end) in [(10, 11), (20, 22), (30, 34), (40, 48), (50, 66), (70, 100), (200, 230)]
            as [(Int64, Int64)]
        {
            pause.failed(now: Self.at(now))
            #expect(pause.endsAt == Self.at(end))
        }
        pause.ended()
        #expect(pause.endsAt == .distantFuture)
        pause.failed(now: Self.at(300))
        #expect(pause.endsAt == Self.at(301))
    }
}
