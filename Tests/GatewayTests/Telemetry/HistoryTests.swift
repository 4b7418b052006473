// What is remembered of the last ten minutes: its bounds, its gaps, and what came of late.

import Admission
import Foundation
import Testing

@testable import Telemetry

@Suite struct HistoryTests {
    /// A gateway whose pools have counted more with each second.
    private final class Scene {
        let gateway = GatewayMetrics(version: "1", startNanoseconds: 1_700_000_000_000_000_000)
        var pools: [PoolMetrics]
        var seconds: Int64 = 0
        var history = History()

        init(pools count: Int = 1) {
            pools = (0..<count).map {
                PoolMetrics(name: "pool-\($0)", backends: ["http://a:\($0)"])
            }
        }

        var snapshot: GatewaySnapshot {
            var snapshot = GatewaySnapshot(
                metrics: gateway, wallNanoseconds: 0,
                pools: pools.map { metrics in
                    var backend = BackendSnapshot(metrics: metrics.backends[0])
                    backend.limit = 8
                    backend.inFlight = 3
                    var pool = PoolSnapshot(metrics: metrics, backends: [backend])
                    pool.queueRequests = 2
                    pool.oldestWaitNanoseconds = 250_000_000
                    return pool
                })
            snapshot.uptimeNanoseconds = seconds * 1_000_000_000
            return snapshot
        }

        /// Three requests a second are started in time, and one is refused.
        func pass(_ count: Int = 1) {
            for _ in 0..<count {
                seconds += 1
                for pool in pools {
                    for _ in 0..<3 {
                        pool.countForwarded(afterNanoseconds: 0)
                        pool.countResponseInTime()
                        pool.backends[0].count(.success)
                        pool.backends[0].observeFirstByte(nanoseconds: 30_000_000)
                    }
                    pool.clientRetries += 1
                    pool.countRejected(.queueFull, retryAfterSeconds: 1)
                    pool.backends[0].count(.failed(.closed))
                }
                history.record(snapshot)
            }
        }

        func shown(after second: Int64 = 0) throws -> [[String: Any]] {
            let text = rendered { history.render(after: second, into: &$0) }
            return try #require(try jsonObject(text)["pools"] as? [[String: Any]])
        }
    }

    private func numbers(_ pool: [String: Any], _ name: String) throws -> [Int] {
        try #require(pool[name] as? [Int], "\(name)")
    }

    @Test func aRowSaysWhatHappenedInItsSecond() throws {
        let scene = Scene()
        scene.pass(3)
        let pool = try #require(try scene.shown().first)
        // The first second has nothing to be compared with.
        #expect(try numbers(pool, "seconds") == [1_700_000_002, 1])
        #expect(try numbers(pool, "asked") == [4, 4] && numbers(pool, "started") == [3, 3])
        #expect(try numbers(pool, "good") == [3, 3] && numbers(pool, "retries") == [1, 1])
        #expect(try numbers(pool, "limit") == [8, 8] && numbers(pool, "in_flight") == [3, 3])
        #expect(try numbers(pool, "queued") == [2, 2])
        #expect(try numbers(pool, "oldest_wait_ms") == [250, 250])
        #expect(pool["refused"] as? [String: [Int]] == ["queue_full": [1, 1]])
    }

    @Test func itEndsAfterTenMinutesAndAfterSoManyPools() throws {
        let scene = Scene(pools: History.mostPools + 3)
        scene.pass(700)
        #expect(scene.history.rowBytes <= History.mostPools * 600 * 100)
        let pools = try scene.shown()
        #expect(pools.count == History.mostPools)
        let seconds = try numbers(pools[0], "seconds")
        #expect(seconds.count == 600 && seconds[0] == 1_700_000_101)
        #expect(seconds.dropFirst().allSatisfy { $0 == 1 })
        // Pools that have gone take their rows with them, and others have room.
        scene.pools.removeFirst(10)
        scene.pass(2)
        #expect(try scene.shown().map { $0["name"] as? String }.first == "pool-10")
        #expect(try numbers(try #require(try scene.shown().last), "seconds").count == 1)
    }

    @Test func whoWasHereBeforeGetsWhatItMissed() throws {
        let scene = Scene()
        scene.pass(20)
        let last = scene.history.lastSecond
        #expect(
            try numbers(try scene.shown(after: last - 4)[0], "seconds") == [Int(last) - 3, 1, 1, 1])
        #expect(try numbers(try scene.shown(after: last)[0], "seconds").isEmpty)
        // What nobody can have been told of is nothing to go by.
        for strange in [last + 1, .max, .min, -1, last - 601] {
            #expect(try numbers(try scene.shown(after: strange)[0], "seconds").count == 19)
        }
    }

    @Test func aSecondIsRememberedOnce() throws {
        let scene = Scene()
        scene.pass(5)
        scene.history.record(scene.snapshot)
        scene.seconds -= 3
        scene.history.record(scene.snapshot)
        #expect(try numbers(try scene.shown()[0], "seconds").count == 4)
        // A second that nobody could tell of is missing, and its counts come with the next one.
        scene.seconds += 10
        scene.history.record(scene.snapshot)
        #expect(try numbers(try scene.shown()[0], "seconds").last == 7)
    }

    @Test func whatCameOfLateIsOfLate() throws {
        let scene = Scene()
        scene.pass(100)
        let pool = scene.history.completed(scene.snapshot).pools[0]
        #expect((8...13).contains(pool.recent.seconds))
        #expect(pool.recent.asked == UInt64(pool.recent.seconds) * 4)
        #expect(pool.recent.refusals == UInt64(pool.recent.seconds))
        let backend = pool.recent.backends[0]
        #expect(
            (30 * 4...36 * 4).contains(backend.requests) && backend.errors * 4 == backend.requests)
        let median = try #require(backend.firstByteSeconds(0.5))
        #expect((0.02...0.04).contains(median))
        #expect(PoolExplanation(pool).sentence.hasPrefix("pool-0 sheds 25 %: "))
        // When it is over, it is soon over in the sentence as well.
        for _ in 0..<15 {
            scene.seconds += 1
            scene.history.record(scene.snapshot)
        }
        #expect(scene.history.completed(scene.snapshot).pools[0].recent.refusals == 0)
    }

    /// A reload that takes a class away takes its counts away.
    @Test func countersThatShrinkCountAsNothing() throws {
        let scene = Scene()
        scene.pass(3)
        scene.pools = [PoolMetrics(name: "pool-0", backends: ["http://a:0"])]
        scene.seconds += 1
        scene.history.record(scene.snapshot)
        #expect(try numbers(try scene.shown()[0], "asked") == [4, 4, 0])
    }

    @Test func quantilesAreThoseOfPrometheus() {
        let bounds: [Int64] = [1_000_000_000, 2_000_000_000]
        #expect(Histogram.quantileSeconds(0.5, of: [0, 0, 0], bounds) == nil)
        #expect(Histogram.quantileSeconds(0.5, of: [4, 0, 0], bounds) == 0.5)
        #expect(Histogram.quantileSeconds(0.95, of: [0, 10, 0], bounds) == 1.95)
        #expect(Histogram.quantileSeconds(0.95, of: [1, 0, 9], bounds) == 2)
    }
}
