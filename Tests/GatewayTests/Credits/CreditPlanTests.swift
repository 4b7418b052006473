// How a worker divides what its engine can take among gateways.

import Admission
import Testing

@testable import Gateway

@Suite struct CreditPlanTests {
    typealias Place = CreditPlan.Place

    private static let now = Instant(nanoseconds: 1_000_000_000_000)

    /// A place that has been without a connection for so many seconds.
    private static func bare(_ seconds: Double, waiting: Int = 0) -> Place {
        Place(waiting: waiting, bareSince: now.advanced(byNanoseconds: -Int64(seconds * 1e9)))
    }

    private static func plan(_ free: Int, _ places: [Place]) -> CreditPlan {
        CreditPlan(free: free, places: places, now: now)
    }

    @Test func oneGatewayHasAll() {
        #expect(Self.plan(4, [Self.bare(0)]).opened == [4])
        #expect(Self.plan(4, [Place(idle: 3, busy: 5)]).opened == [1])
        let less = Self.plan(1, [Place(idle: 3)])
        #expect(less.opened == [0] && less.closed == [2])
        #expect(Self.plan(0, [Place(idle: 3)]).closed == [3])
    }

    @Test func whatNobodyWantsIsDividedEvenly() {
        #expect(Self.plan(9, [Self.bare(0), Self.bare(0)]).opened.sorted() == [4, 5])
        #expect(Self.plan(3, [Self.bare(0), Self.bare(0), Self.bare(0)]).opened == [1, 1, 1])
    }

    @Test func thoseWithRequestsThatWaitHaveWhatOthersDoNotNeed() {
        let plan = Self.plan(8, [Place(idle: 4), Place(idle: 4, waiting: 100)])
        #expect(plan.closed == [3, 0])
        #expect(plan.opened == [0, 3])
        // Both have: as is in proportion to nothing, but each has some.
        let both = Self.plan(8, [Self.bare(0, waiting: 100), Self.bare(0, waiting: 100)])
        #expect(both.opened == [4, 4])
    }

    @Test func whoHasNoneHasATurn() {
        // One place for two gateways: whoever has it keeps it, until the other one has been without for a second.
        let kept = Self.plan(1, [Place(idle: 1), Self.bare(0.5)])
        #expect(kept.opened == [0, 0] && kept.closed == [0, 0])
        let moved = Self.plan(1, [Place(idle: 1, waiting: 50), Self.bare(1.5)])
        #expect(moved.opened == [0, 1] && moved.closed == [1, 0])
        // Nor is it taken back before it can have been used.
        let other = Place(waiting: 50, bareSince: Self.now)
        for (seconds, isKept) in [(0.0, true), (0.9, true), (1.1, false)] {
            let since = Self.now.advanced(byNanoseconds: -Int64(seconds * 1e9))
            let plan = Self.plan(1, [other, Place(idle: 1, hadSince: since)])
            #expect(plan.closed == (isKept ? [0, 0] : [0, 1]), "\(seconds) s")
        }
        // Nothing is taken from who is being served.
        let none = Self.plan(0, [Place(busy: 1), Self.bare(9)])
        #expect(none.opened == [0, 0] && none.closed == [0, 0])
    }

    @Test func aLittleUnevennessIsNotWorthHandshakes() {
        let plan = Self.plan(8, [Place(idle: 3), Place(idle: 5)])
        #expect(plan.opened == [0, 0] && plan.closed == [0, 0])
        let much = Self.plan(20, [Place(idle: 2), Place(idle: 18)])
        #expect(much.opened == [8, 0] && much.closed == [0, 8])
    }

    @Test func whatCannotBeReachedIsLeftAlone() {
        let plan = Self.plan(4, [Place(idle: 1, isReachable: false), Self.bare(0)])
        #expect(plan.opened == [0, 3] && plan.closed == [0, 0])
        #expect(Self.plan(4, [Place(isReachable: false)]).opened == [0])
        // What waits there counts, and is closed where the engine takes less.
        let none = Self.plan(0, [Place(idle: 10, isReachable: false), Place(idle: 2)])
        #expect(none.closed == [10, 2])
    }

    /// A gateway that takes connections and answers nothing keeps one, and none of the others'.
    @Test func whoHasTakenNoneYetGetsOne() {
        let silent = Place(isProven: false, bareSince: Self.now)
        #expect(Self.plan(10, [Place(idle: 10), silent]).opened == [0, 1])
        let waiting = Place(idle: 1, isProven: false)
        let plan = Self.plan(10, [Place(idle: 9), waiting])
        #expect(plan.opened == [0, 0] && plan.closed == [0, 0])
    }

    @Test func noGatewayGetsMoreThanItTakes() {
        let plan = Self.plan(9, [Place(busy: 1, most: 3, bareSince: nil), Self.bare(0)])
        #expect(plan.opened == [2, 7])
        #expect(Self.plan(9, [Place(busy: 3, most: 3)]).opened == [0])
    }

    /// Whatever there is: never more than is free, nothing is closed that is not there, and nothing free is left where it could be
    /// used; what follows from a plan asks for nothing more.
    @Test(arguments: [12_152_134_653_471_924_234, UInt64.random(in: .min ... .max)])
    func plansAreSound(seed: UInt64) {
        var random = SplitMix64(seed: seed)
        for round in 0..<3_000 {
            var places = (0..<Int(1 + random.next() % 5)).map { _ in
                Place(
                    idle: Int(random.next() % 12), busy: Int(random.next() % 12),
                    waiting: random.next() % 2 == 0 ? 0 : Int(random.next() % 40),
                    isReachable: random.next() % 5 > 0)
            }
            for index in places.indices where places[index].idle + places[index].busy == 0 {
                places[index].bareSince = Self.now.advanced(
                    byNanoseconds: -Int64(random.next() % 3_000_000_000))
            }
            let free = Int(random.next() % 40)
            let plan = Self.plan(free, places)
            var after = places
            for index in places.indices {
                let (opened, closed) = (plan.opened[index], plan.closed[index])
                #expect(opened >= 0 && closed >= 0 && closed <= places[index].idle, "seed \(seed)")
                #expect(opened == 0 || closed == 0, "seed \(seed), round \(round)")
                #expect(places[index].isReachable || opened == 0, "seed \(seed)")
                after[index].idle += opened - closed
            }
            let before = places.reduce(0) { $0 + $1.idle }
            let idle = after.reduce(0) { $0 + $1.idle }
            let canOpen = after.contains(where: \.isReachable)
            let wanted = canOpen ? free : min(before, free)
            #expect(idle == wanted, "seed \(seed), round \(round): \(idle) of \(free)")
            for index in after.indices where after[index].idle + after[index].busy > 0 {
                if after[index].bareSince != nil { after[index].hadSince = Self.now }
                after[index].bareSince = nil
            }
            let next = Self.plan(free, after)
            let again = (next.opened + next.closed).reduce(0, +)
            #expect(again == 0, "seed \(seed), round \(round): \(places) \(after)")
        }
    }
}

@Suite struct CreditPauseTests {
    private static func instant(_ seconds: Double) -> Instant {
        Instant(nanoseconds: 1_000_000_000_000 + Int64(seconds * 1e9))
    }

    @Test func pausesGrowAtRandomUpToHalfAMinute() {
        var pause = CreditPause()
        var now = Self.instant(0)
        #expect(now >= pause.endsAt)
        for most in [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8, 25.6, 30, 30] {
            pause.failed(random: .max, now: now)
            let seconds = pause.endsAt.seconds(since: now)
            #expect(seconds < most && seconds >= 0)
            now = now.advanced(byNanoseconds: 31_000_000_000)
        }
        pause.succeeded()
        pause.failed(random: 99_999_999, now: now)
        #expect(pause.endsAt.seconds(since: now) < 0.1)
    }

    @Test func failuresOfOneMomentAreOne() {
        var pause = CreditPause()
        for _ in 0..<100 { pause.failed(random: 99_999_999, now: Self.instant(0)) }
        pause.failed(random: .max, now: Self.instant(1))
        #expect(pause.endsAt.seconds(since: Self.instant(1)) < 0.2)
    }

    @Test func whatIsAskedForIsKept() {
        var pause = CreditPause()
        pause.failed(askedSeconds: 5, random: 0, now: Self.instant(0))
        #expect(pause.endsAt == Self.instant(5))
        pause.failed(askedSeconds: .max, random: 0, now: Self.instant(6))
        #expect(pause.endsAt == Self.instant(36))
    }
}

@Suite struct SilenceWatchTests {
    private final class Key {}

    @Test func silenceIsSeenAfterThreeLooks() {
        let (dead, alive) = (Key(), Key())
        var watch = SilenceWatch()
        for look in 1...4 {
            let found = watch.look([
                (ObjectIdentifier(dead), 5_000 * look), (ObjectIdentifier(alive), 300),
            ])
            #expect(found == (look < 4 ? [] : [ObjectIdentifier(dead)]))
        }
    }

    /// What has rested has an old acknowledgement at the moment when something is sent again.
    @Test func whatHasRestedIsNotSilent() {
        let key = Key()
        var watch = SilenceWatch()
        for _ in 0..<10 {
            #expect(watch.look([(ObjectIdentifier(key), 600_000)]).isEmpty)
            #expect(watch.look([(ObjectIdentifier(key), 0)]).isEmpty)
        }
        for _ in 0..<2 {
            #expect(watch.look([(ObjectIdentifier(key), 6_000)]).isEmpty)
            #expect(watch.look([(ObjectIdentifier(key), 6_000)]).isEmpty)
            #expect(watch.look([(ObjectIdentifier(key), 10)]).isEmpty)
        }
    }
}
