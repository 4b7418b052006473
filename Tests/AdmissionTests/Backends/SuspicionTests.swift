// Backends that fail are sent less, and come back.

import Testing

@testable import Admission

@Suite struct SuspicionTests {
    /// Two backends of 4 slots, each of which has answered 20 requests well by 2 s.
    private func pool(_ backends: [String] = ["a", "b"]) -> PoolDriver {
        let pool = PoolDriver(.fixed(4, queue: 0), backends: backends)
        for id in 0..<40 as Range<UInt64> {
            _ = pool.offer(id, at: at(Int64(id) * 50))
            pool.complete(id, at: at(Int64(id) * 50 + 40))
        }
        return pool
    }

    /// Offers one request every 10 ms; those of the sick backend end so after 1 ms.
    private func run(
        _ pool: PoolDriver, _ outcome: Outcome, sick: Int = 0, from start: Int64, count: Int,
        first: UInt64
    ) -> Int {
        var failed = 0
        for step in 0..<count {
            let id = first + UInt64(step)
            let now = start + Int64(step) * 10
            guard case .forwarded(let backend) = pool.offer(id, at: at(now)) else { continue }
            if backend == sick {
                failed += 1
                pool.complete(id, outcome, at: at(now + 1))
            } else {
                pool.complete(id, at: at(now + 9))
            }
        }
        return failed
    }

    @Test(arguments: [
        Outcome.failed(.status), .failed(.invalid), .failed(.closed), .failed(.refusal),
        .failed(.timeout), .overload,
    ])
    func aSickBackendDrawsNoTraffic(_ outcome: Outcome) {
        let pool = pool()
        let failed = run(pool, outcome, from: 2_000, count: 1_000, first: 100)
        #expect(failed <= 20, "\(failed) of 1,000")
        #expect(pool.status(0)?.allowed == 1)
        #expect(pool.status(1)?.allowed == 4)
        #expect(pool.status(0)?.limit == 4)
        // It is well again, and has its part of the work within six seconds.
        let well = run(pool, .success, from: 12_000, count: 600, first: 2_000)
        #expect(well > 120, "\(well) of 600")
        #expect(pool.status(0, at: at(18_000))?.suspicion == nil)
    }

    /// What a backend that refuses everything says of overload, no limit is the reason for.
    @Test func aLimitWaitsForABackendThatRefusesAll() {
        var settings = AdmissionSettings()
        var knee = KneeLimitSettings()
        knee.initial = 16
        settings.limit = .knee(knee)
        let pool = PoolDriver(settings, backends: ["a", "b"])
        for id in 0..<40 as Range<UInt64> {
            _ = pool.offer(id, at: at(Int64(id) * 50))
            pool.complete(id, at: at(Int64(id) * 50 + 40))
        }
        // Overload now and then cuts the limit.
        for id in 0..<8 as Range<UInt64> { _ = pool.offer(100 + id, at: at(3_000)) }
        for id in 0..<8 as Range<UInt64> { pool.complete(100 + id, .overload, at: at(3_010)) }
        let limits = [0, 1].map { pool.status($0)?.limit ?? 0 }
        #expect((limits.min() ?? 0) < 16, "\(limits)")
        // A second time it is nothing else than a refusal of all: the limit of before the first cut holds.
        _ = run(pool, .overload, from: 4_100, count: 400, first: 200)
        #expect(pool.status(0)?.suspicion == .refusals)
        #expect(pool.status(0)?.limit == 16)
        #expect(pool.status(0)?.allowed == 1)
    }

    /// Whoever asks for readiness is told so, and that it is well only when something has ended well there.
    @Test func oneWhoseConnectionsBreakIsOnTrialUntilItAnswers() {
        let pool = pool(["a"])
        let backend = BackendID(index: 0)
        func fails(_ id: UInt64, at now: Int64) {
            #expect(pool.offer(id, at: at(now)) == .forwarded(0))
            pool.complete(id, .failed(.closed), at: at(now + 1))
        }
        pool.controller.answered(backend, now: at(3_000))
        func isOnTrial(_ now: Int64) -> Bool? {
            let isOn = pool.status(0, at: at(now))?.isOnTrial
            #expect(pool.hasWorkingBackend(at: at(now)) == (isOn == false))
            return isOn
        }
        for id in 0..<4 as Range<UInt64> { fails(100 + id, at: 4_000 + Int64(id) * 10) }
        #expect(isOnTrial(4_050) == false)
        fails(104, at: 4_050)
        #expect(pool.status(0)?.suspicion == .failures && isOnTrial(4_060) == true)
        #expect(isOnTrial(60_000) == true)
        // One answer speaks for it, and a failure after that against it.
        pool.controller.answered(backend, now: at(60_001))
        #expect(isOnTrial(60_002) == false && pool.status(0)?.allowed == 1)
        fails(105, at: 60_003)
        #expect(isOnTrial(60_004) == true)
        // Three are as good as three trials.
        for time in 70_000..<70_003 as Range<Int64> {
            #expect(pool.status(0)?.allowed == 1)
            pool.controller.answered(backend, now: at(time))
        }
        #expect(isOnTrial(70_004) == false && pool.status(0)?.allowed == 2)
        // So do a trial's.
        fails(106, at: 70_005)
        #expect(isOnTrial(70_006) == true)
        #expect(pool.offer(107, at: at(80_000)) == .forwarded(0))
        pool.complete(107, at: at(80_010))
        #expect(isOnTrial(80_011) == false)
    }

    /// An answer says nothing of requests that others take, or that take too long.
    @Test func anAnswerEndsNoOtherSuspicion() {
        let pool = pool()
        _ = run(pool, .failed(.refusal), from: 2_000, count: 100, first: 100)
        #expect(pool.status(0)?.suspicion == .refusals)
        for time in 10_000..<10_010 as Range<Int64> {
            pool.controller.answered(BackendID(index: 0), now: at(time))
        }
        #expect(pool.status(0)?.suspicion == .refusals && pool.status(0)?.allowed == 1)
        #expect(pool.status(0)?.isOnTrial == false)
    }

    /// A backend that was cut off loses its trial too, and is tried again before that has ended.
    @Test func aTrialThatNeverEndsIsNotTheLast() {
        let pool = pool()
        _ = run(pool, .failed(.closed), from: 2_000, count: 100, first: 100)
        #expect(pool.status(0)?.allowed == 1)
        // The next trial gets no answer.
        var lost: UInt64 = 0
        for id in 1_000..<1_600 as Range<UInt64> where lost == 0 {
            let now = 3_000 + Int64(id - 1_000) * 10
            guard case .forwarded(let backend) = pool.offer(id, at: at(now)) else { continue }
            if backend == 0 { lost = id } else { pool.complete(id, at: at(now + 9)) }
        }
        #expect(lost > 0)
        let well = run(pool, .success, from: 9_000, count: 800, first: 2_000)
        // Three trials; then the other one is freer, by the request that was lost.
        #expect(well >= 3, "\(well) of 800")
        #expect(pool.status(0, at: at(17_000))?.suspicion == nil)
        #expect(pool.status(0)?.allowed == 4)
        pool.complete(lost, .failed(.timeout), at: at(17_000))
    }

    @Test func aloneErrorsOfRequestsAreTheRequestsFault() {
        let pool = pool(["a"])
        let failed = run(pool, .failed(.status), from: 2_000, count: 200, first: 100)
        #expect(failed == 200)
        #expect(pool.status(0)?.suspicion == nil)
    }

    /// Half of them, or all, wherever they go: nobody is shut out, not even for a time.
    @Test(
        arguments: [1, 2] as [UInt64],
        [Outcome.failed(.status), .failed(.refusal), .overload, .failed(.closed)])
    func requestsThatFailEverywhereAreNobodysFault(_ every: UInt64, _ outcome: Outcome) {
        // Where all break all connections, all are on trial.
        if every == 1, outcome == .failed(.closed) { return }
        let backends = ["a", "b", "c", "d"]
        let pool = pool(backends)
        var random = SplitMix64(seed: 7)
        var suspected = 0
        for id in 100..<2_100 as Range<UInt64> {
            let now = 2_000 + Int64(id - 100) * 10
            guard case .forwarded = pool.offer(id, at: at(now)) else { continue }
            pool.complete(
                id, random.next(below: 2) < 2 / every ? outcome : .success, at: at(now + 1))
            for backend in backends.indices where pool.status(backend)?.suspicion != nil {
                suspected += 1
            }
        }
        // Some are for a moment, when the first have failed and the last have not.
        #expect(suspected < 400, "\(suspected) of 8,000")
    }

    /// A third of all requests fails wherever it goes, by one client's doing, and one backend fails them all.
    @Test(arguments: [1, 2, 3] as [UInt64])
    func oneClientDoesNotProtectASickBackend(seed: UInt64) {
        let pool = pool()
        var random = SplitMix64(seed: seed)
        var failed = 0
        for id in 100..<4_100 as Range<UInt64> {
            let now = 2_000 + Int64(id - 100) * 10
            guard case .forwarded(let backend) = pool.offer(id, at: at(now)) else { continue }
            if backend == 0 { failed += 1 }
            let isBad = backend == 0 || random.next(below: 3) == 0
            pool.complete(id, isBad ? .failed(.status) : .success, at: at(now + 5))
        }
        // A trial every three seconds, and a few in a row of the client's now and then.
        #expect(failed < 200, "\(failed) of 4,000, seed \(seed)")
        #expect(pool.status(1)?.suspicion != .failures, "seed \(seed)")
    }

    /// The second falls ill as the first gets well: each is left alone while it is ill, and used afterwards.
    @Test func oneAfterTheOther() {
        let pool = pool()
        _ = run(pool, .failed(.status), sick: 0, from: 2_000, count: 1_000, first: 100)
        #expect(pool.status(0)?.suspicion == .failures && pool.status(1)?.suspicion == nil)
        let failed = run(pool, .failed(.status), sick: 1, from: 12_000, count: 1_000, first: 2_000)
        #expect(failed < 100, "\(failed) of 1,000")
        #expect(pool.status(0)?.suspicion == nil && pool.status(1)?.suspicion == .failures)
        let well = run(pool, .success, sick: 1, from: 22_000, count: 600, first: 4_000)
        #expect(well > 200, "\(well) of 600")
        #expect(pool.status(1)?.suspicion == nil && pool.status(1)?.allowed == 4)
    }

    /// The longer a backend has been silent the fewer clients lose their patience there.
    @Test func silenceIsTriedLessAndLess() {
        let pool = pool()
        var trials = [0, 0]
        for id in 0..<60_000 as Range<UInt64> {
            let now = 2_000 + Int64(id) * 10
            guard case .forwarded(let backend) = pool.offer(100 + id, at: at(now)) else { continue }
            if backend == 0 { trials[id < 30_000 ? 0 : 1] += 1 }
            if backend == 1 { pool.complete(100 + id, at: at(now + 9)) }
            // Its client leaves after a second.
            if id >= 100, pool.permits[id] != nil {
                pool.complete(id, .cancelled(by: .client, in: .waiting), at: at(now + 9))
            }
        }
        #expect([.silence, .slowness].contains(pool.status(0)?.suspicion))
        #expect((20...45).contains(trials[0]) && (8...12).contains(trials[1]), "\(trials)")
    }

    /// Whose client leaves while a rate holds it back says nothing of its backend, however long it has been there.
    @Test func whatARateHeldBackIsNoSilence() {
        let pool = pool()
        for id in 0..<20_000 as Range<UInt64> {
            let now = 2_000 + Int64(id) * 10
            guard case .forwarded(let backend) = pool.offer(100 + id, at: at(now)) else { continue }
            if backend == 1 { pool.complete(100 + id, at: at(now + 9)) }
            if id >= 100, pool.permits[id] != nil {
                var work = ServedWork()
                work.isHeldBack = true
                pool.complete(id, work, .cancelled(by: .client, in: .waiting), at: at(now + 9))
            }
        }
        #expect(pool.status(0)?.suspicion == nil)
    }

    /// One that answers every request with an error is not silent.
    @Test func errorsAreNoSilence() {
        let pool = pool(["a"])
        for id in 100..<1_100 as Range<UInt64> {
            let now = 2_000 + Int64(id - 100) * 10
            #expect(pool.offer(id, at: at(now)) == .forwarded(0))
            if id >= 102 { pool.complete(id - 2, .failed(.status), at: at(now + 1)) }
        }
        #expect(pool.status(0, at: at(12_100))?.suspicion == nil)
    }

    @Test func oneThatFailsInPartGetsLess() {
        let pool = pool()
        for id in 100..<2_100 as Range<UInt64> {
            let now = 2_000 + Int64(id - 100) * 10
            guard case .forwarded(let backend) = pool.offer(id, at: at(now)) else { continue }
            let fails = backend == 0 && id % 3 == 0
            pool.complete(id, fails ? .failed(.status) : .success, at: at(now + 5))
        }
        #expect(pool.status(0)?.suspicion == .outlier)
        #expect((pool.status(0)?.allowed ?? 4) < 4)
        #expect(pool.status(1)?.allowed == 4)
    }

    @Test func whatFailedIsTriedElsewhereWithinTheBudget() {
        let pool = pool()
        guard case .forwarded(let first) = pool.offer(100, at: at(3_000)) else { return }
        #expect(pool.mayRetry(100, after: .failed(.status), at: at(3_001)))
        #expect(!pool.mayRetry(100, after: .failed(.refusal), at: at(3_001)))
        guard case .forwarded(let second) = pool.retry(100, after: .failed(.status), at: at(3_001))
        else {
            Issue.record("the other one has room")
            return
        }
        #expect(first != second)
        pool.complete(100, at: at(3_010))
        var retries = 0
        for id in 200..<400 as Range<UInt64> {
            guard case .forwarded = pool.offer(id, at: at(3_100)) else { continue }
            if pool.mayRetry(id, after: .overload, at: at(3_100)) {
                retries += 1
                _ = pool.retry(id, after: .overload, at: at(3_100))
            }
            if pool.permits[id] != nil { pool.complete(id, at: at(3_100)) }
        }
        // A tenth of the 240 requests, and one a second for ten seconds.
        #expect((25...36).contains(retries), "\(retries)")
    }

    @Test func wilsonsBoundIsThatOfTheTable() {
        var ends = Suspicion.Ends()
        ends.good = 14
        ends.bad = 6
        #expect(abs(Suspicion.wilsonUpper(ends) - 0.885_277) < 0.000_01)
        ends = Suspicion.Ends(good: 20, bad: 0)
        #expect(abs(Suspicion.wilsonUpper(ends) - 1) < 1e-9)
    }
}
