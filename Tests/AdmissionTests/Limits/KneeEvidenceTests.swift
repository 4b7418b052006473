// What `knee` takes for evidence: times where ends come in bursts, a generation where responses take long, and
// no verdict for more than it is worth.

import Testing

@testable import Admission

@Suite struct KneeEvidenceTests {
    /// A side at which so many requests took so long each, and so many clients left after so many seconds.
    private static func side(
        level: Double, times: [Double], departures: Int = 0, leavingAfter wasted: Double = 0.1,
        seconds: Double = 10
    ) -> KneeSide {
        var meter = ConcurrencyMeter(now: Instant(nanoseconds: 0))
        meter.set(inFlight: Int(level), limit: Int(level), now: Instant(nanoseconds: 0))
        let before = meter
        let end = Instant(nanoseconds: Int64(seconds * 1e9))
        for time in times {
            meter.succeeded(afterSeconds: time, now: end)
        }
        for _ in 0..<departures {
            meter.left(afterSeconds: wasted, now: end)
            meter.wasted(seconds: wasted, now: end)
        }
        var side = KneeSide(level: level)
        side.add(from: before, to: meter)
        for time in times { side.add(seconds: time, kind: 0) }
        return side
    }

    private static func verdict(_ low: KneeSide, _ high: KneeSide) throws -> KneeVerdict {
        try #require(
            KneeVerdict(
                low: low, high: high, usesProgress: false, unitDispersion: 1,
                completionDispersion: 100))
    }

    /// Ends in bursts say that twice as much was done by mere chance; the times say that nothing was.
    @Test func timesTellWhatBurstsDoNot() throws {
        let low = Self.side(level: 16, times: Array(repeating: 1, count: 100))
        let high = Self.side(level: 32, times: Array(repeating: 2, count: 200))
        let verdict = try Self.verdict(low, high)
        #expect(abs(verdict.elasticity) < 0.01 && verdict.standardError < 0.01)
    }

    /// Of twice as many requests as slots, sent at once, half wait for the other half: that is no reason to take 48
    /// slots for 32.
    @Test func aGenerationOfTwiceTheSlotsSaysHowManyThereAre() throws {
        var low = Self.side(level: 16, times: Array(repeating: 1, count: 16))
        low.isGeneration = true
        let waves = (0..<64).map { $0 < 32 ? 1.0 : 2 }
        var high = Self.side(level: 64, times: waves)
        let usual = try Self.verdict(
            Self.side(level: 16, times: Array(repeating: 1, count: 16)), high)
        #expect(!usual.isGeneration && usual.slots > 42)
        high.isGeneration = true
        let verdict = try Self.verdict(low, high)
        #expect(verdict.isGeneration && abs(verdict.slots - 32) < 0.5, "\(verdict.slots)")
    }

    /// Where some have left, what they used up the limit for counts as time of those who stayed.
    @Test func theTimeOfThoseWhoLeaveCounts() throws {
        let low = Self.side(level: 16, times: Array(repeating: 1, count: 100))
        let high = Self.side(
            level: 32, times: Array(repeating: 1, count: 100), departures: 100, leavingAfter: 1)
        let verdict = try Self.verdict(low, high)
        #expect(abs(verdict.elasticity) < 0.01 && verdict.standardError < 0.15)
        let alone = Self.side(level: 32, times: Array(repeating: 1, count: 100))
        #expect(try Self.verdict(low, alone).elasticity > 0.99)
    }

    /// A generation of few of whom some have left says little, and so does any of whom most have.
    @Test func timesOfFewWhoStayedAreNotTaken() {
        let few = Self.side(level: 4, times: Array(repeating: 1, count: 4), departures: 1)
        #expect(few.wholeTimes == nil)
        let many = Self.side(level: 32, times: Array(repeating: 1, count: 40), departures: 8)
        #expect(many.wholeTimes != nil)
        let left = Self.side(level: 32, times: Array(repeating: 1, count: 40), departures: 30)
        #expect(left.wholeTimes == nil)
    }

    /// A fall of throughput that may be chance is not taken for one, and a sure one is.
    @Test func aFallIsBelievedWhereItIsSure() throws {
        let spread = (0..<50).map { 0.5 + Double($0 % 10) / 9 }
        let low = Self.side(level: 16, times: spread)
        let slightly = Self.side(level: 20, times: spread.map { $0 * 1.3 })
        let doubtful = try Self.verdict(low, slightly)
        #expect(doubtful.elasticity == -doubtful.standardError / 2)
        let clearly = Self.side(level: 20, times: spread.map { $0 * 3 })
        #expect(try Self.verdict(low, clearly).elasticity < -3)
    }

    /// A level of 16 with 100 responses of a second each, of which so many in a hundred were streamed, and
    /// 2,000 events.
    private static func mixed(streamed: Int) -> KneeSide {
        var meter = ConcurrencyMeter(now: Instant(nanoseconds: 0))
        meter.set(inFlight: 16, limit: 16, now: Instant(nanoseconds: 0))
        let before = meter
        let end = Instant(nanoseconds: 10_000_000_000)
        for index in 0..<400 {
            meter.succeeded(
                afterSeconds: 1, firstByteSeconds: index % 100 < streamed ? 1 : nil, now: end)
        }
        meter.progress(units: 40_000, now: end)
        var side = KneeSide(level: 16)
        side.add(from: before, to: meter)
        return side
    }

    /// Of 16 requests, half of which are streamed, 8 stream by chance now and 5 then: their events say
    /// more of that than of the engine.
    @Test func eventsCountWhereNearlyAllStream() {
        #expect(Self.mixed(streamed: 100).hasProgress && Self.mixed(streamed: 100).mixture == 0)
        let half = Self.mixed(streamed: 50)
        #expect(!half.hasProgress && half.units == 40_000)
        #expect(half.mixture > 0.03 && half.mixture < 0.15, "about 1/16: \(half.mixture)")
        #expect(!Self.mixed(streamed: 0).hasProgress)
    }

    /// A limit of 32 slots that was found right time and again.
    private static func found() -> KneeLimit {
        var knee = KneeLimit(KneeLimitSettings(), seed: 1, now: Instant(nanoseconds: 0))
        knee.phase = .compare
        knee.center = 32
        knee.hold(32, now: Instant(nanoseconds: 0))
        knee.spread = 0.02
        knee.narrowing = 0.5
        knee.settled.confirmations = 4
        knee.settled.enough = 32
        knee.settled.enoughTrusted = 1
        return knee
    }

    /// Times that scatter about so many seconds, as many as make a standard error of 1.7 %.
    private static func times(about seconds: Double) -> [Double] {
        (0..<100).map { seconds * (0.7 + 0.6 * Double($0) / 99) }
    }

    /// Levels on both sides of 32 slots differ, and say nothing against 32.
    @Test func aLowerLevelThatIsTooLowSaysNothingOfAHigherOne() throws {
        var knee = Self.found()
        let low = Self.side(level: 28, times: Self.times(about: 1))
        let high = Self.side(level: 37, times: Self.times(about: 1.1))
        let verdict = try Self.verdict(low, high)
        #expect(verdict.elasticity > 0.6 && knee.isSteep(verdict))
        _ = knee.move(verdict, now: Instant(nanoseconds: 1))
        #expect(knee.center >= 32 && knee.center < 35, "\(knee.center)")
        // So do levels that are clearly too low, and the limit rises, but not to twice as much at once.
        let lower = Self.side(level: 33, times: Self.times(about: 1))
        let upper = Self.side(level: 40, times: Self.times(about: 1.01))
        let news = try Self.verdict(lower, upper)
        #expect(knee.needsMore(news))
        _ = knee.move(news, now: Instant(nanoseconds: 2))
        #expect(knee.center > 40 && knee.center < 52, "\(knee.center)")
    }

    /// Of levels on both sides of what is known to be enough the lower one is too low, which needs no other
    /// comparison, unless throughput grows up to the higher level.
    @Test func whatIsKnownIsConfirmed() throws {
        var knee = Self.found()
        knee.settled.enoughTrusted = 16
        let low = Self.side(level: 28, times: Self.times(about: 1))
        let high = Self.side(level: 37, times: Self.times(about: 1.2))
        let verdict = try Self.verdict(low, high)
        #expect(verdict.elasticity > knee.wantedElasticity + KneeLimit.clearly / 2)
        #expect(verdict.slots < 32.5 && knee.isEnough(verdict))
        _ = knee.move(verdict, now: Instant(nanoseconds: 1))
        guard case .settled = knee.phase else { return #expect(Bool(false), "\(knee.phase)") }
        #expect(knee.center == 32)
        var grown = Self.found()
        let more = try Self.verdict(low, Self.side(level: 37, times: Self.times(about: 1)))
        #expect(!grown.isEnough(more))
        _ = grown.move(more, now: Instant(nanoseconds: 1))
        guard case .compare = grown.phase else { return #expect(Bool(false), "\(grown.phase)") }
    }

    /// Clients that leave have paid a part of the price of waiting.
    @Test func leavingPaysAPartOfThePrice() {
        var knee = Self.found()
        #expect(abs(knee.wantedElasticity - 0.15) < 1e-9)
        knee.leavingShare = 0.005
        #expect(abs(knee.wantedElasticity - 0.1275) < 1e-9)
        knee.leavingShare = 0.5
        #expect(abs(knee.wantedElasticity - 0.105) < 1e-9)
    }

    /// Overload that comes once takes little of what is known, and a doubtful verdict after it no more.
    @Test func whatIsKnownOutlivesOneCut() throws {
        var knee = Self.found()
        _ = knee.cut(now: Instant(nanoseconds: 1))
        let low = Self.side(level: 29, times: Self.times(about: 1))
        let high = Self.side(level: 32, times: Self.times(about: 1.09))
        _ = knee.move(try Self.verdict(low, high), now: Instant(nanoseconds: 2))
        #expect(knee.center > 0.85 * 32, "\(knee.center)")
    }

    /// From a start at 4, before an engine with room for a hundred requests of six seconds in one piece.
    @Test(arguments: [1, 2, 3] as [UInt64])
    func longResponsesDoNotHoldTheClimbUp(seed: UInt64) {
        var settings = KneeLimitSettings()
        settings.initial = 4
        let server = BatchServer(
            .knee(settings), base: 0.06, each: 0.0001, meanUnits: 100, streams: false, seed: seed)
        defer { server.stop() }
        server.run(seconds: 60)
        #expect(server.limit >= 64, "\(server.limit) after ten service times, seed \(seed)")
    }

    /// Where requests end in step and the knee lies at 227, the limit is there soon and stays.
    @Test(arguments: [1, 2, 3] as [UInt64])
    func requestsInStepDoNotMakeItWander(seed: UInt64) {
        let server = BatchServer(
            .knee(KneeLimitSettings()), base: 0.004, each: 0.0001, meanUnits: 50, streams: false,
            seed: seed)
        defer { server.stop() }
        server.run(seconds: 180)
        var limits: [Double] = []
        server.run(seconds: 300) { limits.append(Double($0)) }
        let mean = limits.reduce(0, +) / Double(limits.count)
        #expect(mean >= 0.75 * 227 && mean <= 1.35 * 227, "\(mean), seed \(seed)")
        #expect(limits.max() ?? 0 <= 2 * 227, "\(limits.max() ?? 0), seed \(seed)")
    }
}
