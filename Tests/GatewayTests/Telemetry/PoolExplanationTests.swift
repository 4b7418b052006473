// The sentence about a pool names what was planted, and says nothing where nothing is wrong.

import Admission
import Testing

@testable import Telemetry

@Suite struct PoolExplanationTests {
    private static let requests: UInt64 = 200

    /// A pool of two backends that is used up: 64 of 64 in flight, and its queue has what it may.
    private func busyPool(_ backends: [String] = ["http://a:1", "http://b:1"]) -> PoolSnapshot {
        let metrics = PoolMetrics(name: "chat", backends: backends)
        var pool = PoolSnapshot(
            metrics: metrics,
            backends: metrics.backends.map { counted in
                var backend = BackendSnapshot(metrics: counted)
                backend.limit = 64 / backends.count
                backend.inFlight = 64 / backends.count
                return backend
            })
        pool.queueRequests = 20
        pool.maxQueueRequests = 256
        pool.oldestWaitNanoseconds = 1_900_000_000
        pool.maxWaitSeconds = 2
        pool.drainRatePerSecond = 10
        pool.recent.seconds = 10
        pool.recent.asked = PoolExplanationTests.requests
        pool.recent.backends = backends.map { _ in answering(at: 300) }
        return pool
    }

    /// A backend whose first bytes come after so many milliseconds.
    private func answering(at milliseconds: Int64) -> RecentBackend {
        var histogram = Histogram(bounds: Histogram.durationBounds)
        for _ in 0..<50 { histogram.observe(nanoseconds: milliseconds * 1_000_000) }
        var recent = RecentBackend()
        recent.requests = 50
        recent.firstBytes = histogram.counts
        return recent
    }

    private func refuse(_ count: UInt64, _ reason: Reason, in pool: inout PoolSnapshot) {
        pool.recent.refused[Int(reason.rawValue)] += count
    }

    private func sentence(_ pool: PoolSnapshot) -> String { PoolExplanation(pool).sentence }

    // MARK: Six faults

    @Test func aGreedyTenant() {
        var pool = busyPool()
        refuse(76, .waitTooLong, in: &pool)
        pool.tenants = ["acme", "globex"].map {
            TenantStatus(name: $0, inFlight: 9, queued: 3, share: 32)
        }
        pool.recent.tenants = [TenantCounts(), TenantCounts()]
        pool.recent.tenants[0].requests = 142
        pool.recent.tenants[1].requests = 58
        #expect(
            sentence(pool)
                == "chat sheds 38 %: 64 of 64 in flight, wait 2.1 s > max_wait 2 s; 71 % is tenant acme"
        )
    }

    @Test func aSlowBackend() {
        var pool = busyPool()
        refuse(20, .waitTooLong, in: &pool)
        pool.recent.backends[1] = answering(at: 4_000)
        #expect(
            sentence(pool).hasPrefix(
                "chat sheds 10 %: 64 of 64 in flight, wait 2.1 s > max_wait 2 s; "))
        #expect(sentence(pool).contains("http://b:1's first byte takes 3.8 s, the others' 375 ms"))
        // As well where it has been found out already.
        pool.backends[1].suspicion = .slowness
        #expect(sentence(pool).hasSuffix("; http://b:1 answers far later than the others"))
        // One that is alone is compared with nothing.
        var alone = busyPool(["http://a:1"])
        refuse(20, .patience, in: &alone)
        alone.recent.backends = [answering(at: 4_000)]
        #expect(sentence(alone).hasSuffix("; the first byte takes 3.8 s"))
    }

    @Test func aRefusingBackend() {
        var pool = busyPool()
        refuse(20, .noBackend, in: &pool)
        pool.backends[0].isUsable = false
        pool.backends[0].ejectedNanoseconds = 1_200_000_000
        #expect(
            sentence(pool)
                == "chat sheds 10 %: no backend can be used; http://a:1 refuses connections, tried again in 1.2 s"
        )
        pool.backends[0].ejectedNanoseconds = nil
        pool.backends[0].suspicion = .refusals
        #expect(sentence(pool).hasSuffix("; http://a:1 refuses what it is sent"))
    }

    @Test func aBlackHole() {
        var pool = busyPool()
        pool.recent.failed[Int(Reason.firstByteTimeout.rawValue)] = 30
        pool.backends[0].suspicion = .silence
        let explanation = PoolExplanation(pool)
        #expect(explanation.condition == .failing)
        #expect(explanation.sentence == "chat fails 15 %: first_byte_timeout; http://a:1 is silent")
    }

    @Test func deadlinesThatAreTooShort() {
        var pool = busyPool()
        refuse(90, .deadline, in: &pool)
        #expect(
            sentence(pool)
                == "chat sheds 45 %: 64 of 64 in flight, deadlines end before the wait of 2.1 s")
    }

    @Test func aPinnedLimit() {
        var pool = busyPool()
        refuse(90, .queueFull, in: &pool)
        pool.isLimitFixed = true
        #expect(
            sentence(pool)
                == "chat sheds 45 %: 64 of 64 in flight, the queue is full with 256; the policy fixes the limit"
        )
        pool.isLimitFixed = false
        #expect(sentence(pool) == "chat sheds 45 %: 64 of 64 in flight, the queue is full with 256")
        for index in pool.backends.indices { pool.backends[index].evidence.holder = .max }
        #expect(sentence(pool).hasSuffix("; the limit is held by limit.max"))
    }

    // MARK: No fault

    @Test func whatIsWellIsSaidToBe() {
        var pool = busyPool()
        #expect(
            PoolExplanation(pool).sentence
                == "chat refuses nothing: 64 of 64 in flight, 20 wait, the first for 1.9 s")
        #expect(PoolExplanation(pool).condition == .serving)
        for index in pool.backends.indices { pool.backends[index].inFlight = 0 }
        pool.queueRequests = 0
        pool.recent = RecentFigures()
        #expect(PoolExplanation(pool) == PoolExplanation(pool))
        #expect(PoolExplanation(pool).condition == .idle && sentence(pool) == "chat is idle")
        #expect(
            PoolExplanation(pool, isDraining: true).sentence
                == "chat is idle: the gateway is draining")
    }

    @Test func aHeldBackBackendThatNobodyMisses() {
        var pool = busyPool()
        pool.queueRequests = 0
        pool.backends[1].suspicion = .outlier
        let explanation = PoolExplanation(pool)
        #expect(explanation.condition == .heldBack)
        #expect(
            explanation.sentence
                == "chat refuses nothing: 64 of 64 in flight, nothing waits; http://b:1 fails more than the others"
        )
    }

    @Test func withoutABackend() {
        var pool = busyPool()
        pool.recent = RecentFigures()
        for index in pool.backends.indices {
            pool.backends[index].isUsable = false
            pool.backends[index].ejectedNanoseconds = 0
        }
        let explanation = PoolExplanation(pool)
        #expect(explanation.condition == .unusable)
        #expect(
            explanation.sentence.hasPrefix(
                "chat has no usable backend: http://a:1 refuses connections"))
    }

    /// Nobody is named who asks for no more than others, or is alone.
    @Test func noTenantIsNamedWithoutAReason() {
        var pool = busyPool()
        refuse(76, .waitTooLong, in: &pool)
        pool.tenants = ["a", "b", "c"].map {
            TenantStatus(name: $0, inFlight: 9, queued: 3, share: 32)
        }
        pool.recent.tenants = [UInt64(70), 65, 65].map { count in
            var counts = TenantCounts()
            counts.requests = count
            return counts
        }
        #expect(!sentence(pool).contains("tenant"))
        pool.tenants = Array(pool.tenants.prefix(1))
        pool.recent.tenants = Array(pool.recent.tenants.prefix(1))
        pool.recent.tenants[0].requests = 200
        #expect(!sentence(pool).contains("tenant"))
        pool.recent.tenants[0].requests = 20
        #expect(sentence(pool).hasSuffix("; 90 % is of tenants without a name in the policy"))
    }

    @Test func whatOnlyObservesWouldShed() {
        var pool = busyPool()
        pool.isObserving = true
        refuse(1, .queueFull, in: &pool)
        #expect(sentence(pool).hasPrefix("chat would shed 0.5 %: "))
    }

    /// Every reason and every cause has words, and names do not make a sentence endless.
    @Test func everythingHasWords() {
        for reason in Reason.allCases where reason.isDecision {
            var pool = busyPool()
            refuse(10, reason, in: &pool)
            let text = sentence(pool)
            #expect(
                text.hasPrefix("chat sheds 5 %: ") && !text.contains("_")
                    || text.contains("max_wait"), "\(text)")
        }
        for cause in SuspicionCause.allCases {
            var pool = busyPool([String(repeating: "x", count: 500), "b", "c", "d"])
            for index in pool.backends.indices { pool.backends[index].suspicion = cause }
            #expect(sentence(pool).hasSuffix("; and 2 more backends") && sentence(pool).count < 400)
        }
        // Figures that are none do no harm.
        var pool = busyPool()
        pool.drainRatePerSecond = .infinity
        pool.maxWaitSeconds = .infinity
        refuse(.max / 2, .waitTooLong, in: &pool)
        #expect(sentence(pool).hasPrefix("chat sheds 100 %: "))
    }
}
