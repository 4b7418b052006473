import Testing

@testable import Admission

/// Feeds windows of ten samples over 200 ms, which is enough for latencies up to 100 ms; above that
/// the windows are as long as they have to be.
private struct WindowFeeder {
    var limit: GradientLimit
    var now: Int64 = 0

    init(_ change: (inout GradientLimitSettings) -> Void = { _ in }) {
        var settings = GradientLimitSettings()
        change(&settings)
        limit = GradientLimit(settings)
    }

    mutating func window(_ milliseconds: Int64, inFlight: Int) -> [LimitMove] {
        var moves: [LimitMove] = []
        let length = min(max(2 * milliseconds, 100), 1000)
        for index in 0..<10 as Range<Int64> {
            let end = now + index * length / 9 + (index == 9 ? 1 : 0)
            if let move = add(milliseconds, inFlight: inFlight, at: end) { moves.append(move) }
        }
        now += length + 2
        return moves
    }

    mutating func add(
        _ milliseconds: Int64, inFlight: Int, dropped: Bool = false, at end: Int64
    ) -> LimitMove? {
        limit.update(
            Sample(
                latencyNanoseconds: milliseconds * 1_000_000, inFlight: inFlight,
                isDropped: dropped, now: Admission.Instant(nanoseconds: end * 1_000_000)))
    }

    /// Ten quiet windows of 100 ms: that is the usual latency now.
    mutating func warmUp() {
        for _ in 0..<10 { _ = window(100, inFlight: 1) }
    }
}

private func isClose(_ left: Double, _ right: Double) -> Bool {
    abs(left - right) <= 1e-9 * max(abs(left), abs(right))
}

@Suite struct GradientLimitTests {
    @Test func itGrowsByTheSmoothedQueueWhileItBinds() {
        var feeder = WindowFeeder()
        #expect(
            feeder.window(50, inFlight: 20) == [LimitMove(from: 20, to: 20.8, reason: .growth)])
        _ = feeder.window(50, inFlight: 20)
        #expect(isClose(feeder.limit.limit, 21.6))
        // Now 21 are allowed; requests granted as the 20th do not show that 21 are too few.
        #expect(feeder.window(50, inFlight: 20) == [])
        _ = feeder.window(50, inFlight: 21)
        #expect(isClose(feeder.limit.limit, 22.4))
    }

    @Test func unboundItIsPreserved() {
        var feeder = WindowFeeder()
        for _ in 0..<200 { #expect(feeder.window(50, inFlight: 19) == []) }
        #expect(feeder.limit.limit == 20)
    }

    @Test func risingLatencyCutsIt() {
        var feeder = WindowFeeder()
        feeder.warmUp()
        // r = 1.5 · 100 / 200 = 0.75: a fifth of the way to 15.
        #expect(
            feeder.window(200, inFlight: 20) == [LimitMove(from: 20, to: 19, reason: .gradient)])
        // r = 1.5 · 100 / 150 = 1 is still normal.
        #expect(feeder.window(150, inFlight: 18) == [])
        // r = 0.15 counts as 1/2: a fifth of the way to 9.5.
        #expect(feeder.window(1000, inFlight: 19).map(\.to) == [17.1])
        // What is usual was not touched by any of this.
        #expect(isClose(feeder.limit.usualLatency, 100e6))
    }

    @Test func farBelowTheLimitLatencyIsNotItsDoing() {
        var feeder = WindowFeeder()
        feeder.warmUp()
        #expect(feeder.window(300, inFlight: 9) == [])
        #expect(feeder.window(400, inFlight: 10).map(\.to) == [18])
    }

    @Test func theNextCutWaitsForOneLatency() {
        var feeder = WindowFeeder()
        feeder.warmUp()
        // Windows last 1 s at most, so two of them end within one latency of 2.5 s.
        #expect(feeder.window(2500, inFlight: 20).map(\.to) == [18])
        #expect(feeder.window(2500, inFlight: 20) == [])
        #expect(feeder.window(2500, inFlight: 20) == [])
        #expect(feeder.window(2500, inFlight: 20).map(\.to) == [16.2])
    }

    @Test func aGradientOfFourFifthsNeverMakesItClimb() {
        // PR #134: latency 1.875 times the usual is a gradient of 0.8 with the tolerance of 1.5. A
        // backend whose latency follows the limit down lets the cut end where latency is normal
        // again.
        var feeder = WindowFeeder()
        feeder.warmUp()
        var highest = 0.0
        for _ in 0..<2000 {
            let milliseconds = Int64(187.5 * feeder.limit.limit / 20)
            _ = feeder.window(milliseconds, inFlight: Int(feeder.limit.limit))
            highest = max(highest, feeder.limit.limit)
        }
        #expect(highest <= 20)
        // Normal is up to 150 ms, at a limit of 16.
        #expect((15.0...17.0).contains(feeder.limit.limit))
    }

    @Test func whatIsUsualFollowsQuietWindowsSlowly() {
        var feeder = WindowFeeder()
        feeder.warmUp()
        _ = feeder.window(130, inFlight: 5)
        #expect(isClose(feeder.limit.usualLatency, 1e6 * (100 + 30 * 2.0 / 601)))
        // Half used: higher latency does not count any more, lower does.
        let before = feeder.limit.usualLatency
        _ = feeder.window(130, inFlight: 10)
        #expect(feeder.limit.usualLatency == before)
        _ = feeder.window(80, inFlight: 10)
        #expect(isClose(feeder.limit.usualLatency, before + (80e6 - before) * 2 / 601))
    }

    @Test func whatIsUsualDecaysWhenItIsFarTooHigh() {
        var feeder = WindowFeeder()
        feeder.warmUp()
        _ = feeder.window(40, inFlight: 10)
        #expect(isClose(feeder.limit.usualLatency, 0.95e6 * (100 - 60 * 2.0 / 601)))
    }

    @Test func aCutThatDoesNotHelpIsUndone() {
        var feeder = WindowFeeder()
        feeder.warmUp()
        // r = 0.5 all the time: 20 · 0.9^k is at most 10 after seven cuts, and 300 ms are still 300
        // ms.
        var reasons: [LimitMoveReason] = []
        for _ in 0..<8 {
            reasons += feeder.window(300, inFlight: 20).map(\.reason)
        }
        #expect(reasons == [LimitMoveReason](repeating: .gradient, count: 7) + [.futileCut])
        #expect(feeder.limit.limit == 20)
        #expect(isClose(feeder.limit.usualLatency, 300e6))
        #expect(feeder.window(300, inFlight: 20).map(\.reason) == [.growth])
    }

    @Test func aCutThatHelpsIsKept() {
        var feeder = WindowFeeder()
        feeder.warmUp()
        for _ in 0..<40 {
            // Pure queueing: latency is proportional to the limit, 400 ms at 20.
            let milliseconds = Int64(20 * feeder.limit.limit)
            _ = feeder.window(milliseconds, inFlight: Int(feeder.limit.limit))
        }
        #expect((6.0...8.0).contains(feeder.limit.limit))
        #expect(feeder.limit.usualLatency <= 100e6)
    }

    @Test func aCohortOfDropsCutsOnce() {
        var feeder = WindowFeeder()
        var moves: [LimitMove] = []
        for time in 0..<64 as Range<Int64> {
            if let move = feeder.add(5, inFlight: 20, dropped: true, at: time) {
                moves.append(move)
            }
        }
        #expect(moves == [LimitMove(from: 20, to: 18, reason: .drop)])
        // In the hold nothing moves, a window that binds included.
        feeder.now = 100
        #expect(feeder.window(50, inFlight: 20) == [])
        feeder.now = 1000
        #expect(feeder.window(50, inFlight: 20).map(\.reason) == [.growth])
    }

    @Test func dropsGoDownToTheFloorOfOne() {
        var feeder = WindowFeeder()
        for second in 0..<60 as Range<Int64> {
            _ = feeder.add(5, inFlight: 1, dropped: true, at: second * 1000)
        }
        #expect(feeder.limit.limit == 1)
        feeder.now = 70_000
        #expect(feeder.window(50, inFlight: 1).map(\.reason) == [.growth])
    }

    @Test func fewSamplesMakeALongWindowNotNone() {
        // Three requests a second: the original throws away every window of 1 s.
        var feeder = WindowFeeder()
        var moves = 0
        for index in 0..<30 as Range<Int64> {
            if feeder.add(80, inFlight: 20, at: index * 333) != nil { moves += 1 }
        }
        #expect(moves == 2)
        #expect(isClose(feeder.limit.limit, 21.6))
    }

    @Test func aQueueSizeOfNoneStillGrows() {
        var feeder = WindowFeeder { $0.queueSize = 0 }
        #expect(feeder.window(50, inFlight: 20).map(\.to) == [20.2])
    }

    @Test func itStaysWithinItsBounds() {
        var feeder = WindowFeeder {
            $0.initial = 500
            $0.max = 30
        }
        #expect(feeder.limit.limit == 30)
        #expect(feeder.window(50, inFlight: 30) == [])
        var settings = GradientLimitSettings()
        settings.max = 10
        feeder.limit.reconfigure(settings)
        #expect(feeder.limit.limit == 10)
    }
}
