// How long those who have few connections are spared when all are taken, on virtual time.

import Admission
import Testing

@testable import Gateway

@Suite struct CapWatchTests {
    private static func instant(_ milliseconds: Int64) -> Instant {
        Instant(nanoseconds: 1_000_000_000 + milliseconds * 1_000_000)
    }

    @Test func mercyEndsWhereNobodyWasFoundForTwoSeconds() {
        var watch = CapWatch()
        #expect(watch.mayLook(now: CapWatchTests.instant(0)))
        for look in 0..<20 as Range<Int64> {
            let now = CapWatchTests.instant(look * 100)
            #expect(watch.mayLook(now: now))
            #expect(!watch.isMercyOver(now: now))
            watch.noteSpared(0, now: now)
            #expect(!watch.mayLook(now: CapWatchTests.instant(look * 100 + 50)))
        }
        #expect(watch.isMercyOver(now: CapWatchTests.instant(2_000)))
        watch.noteSpared(1, now: CapWatchTests.instant(2_000))
        #expect(!watch.isMercyOver(now: CapWatchTests.instant(2_050)))
    }

    @Test func mercyBeginsAgainWhereSomebodyHadRoom() {
        var watch = CapWatch()
        for look in 0..<20 as Range<Int64> {
            watch.noteSpared(0, now: CapWatchTests.instant(look * 100))
        }
        watch.noteAccepted()
        #expect(!watch.isMercyOver(now: CapWatchTests.instant(2_000)))
    }

    /// Another reactor asks only when it finds none itself, which says nothing about the time in between.
    @Test func mercyDoesNotEndBecauseNobodyLooked() {
        var watch = CapWatch()
        watch.noteSpared(0, now: CapWatchTests.instant(0))
        #expect(!watch.isMercyOver(now: CapWatchTests.instant(3_000)))
        watch.noteSpared(0, now: CapWatchTests.instant(3_000))
        #expect(!watch.isMercyOver(now: CapWatchTests.instant(3_100)))
        for look in 1..<20 as Range<Int64> {
            watch.noteSpared(0, now: CapWatchTests.instant(3_000 + look * 100))
        }
        #expect(watch.isMercyOver(now: CapWatchTests.instant(5_000)))
    }
}
