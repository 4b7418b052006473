// What backends are sent that say, or of whom is said, that they may have less, or nothing.

import Testing

@testable import Admission

@Suite struct BackendSignalTests {
    private func pool(
        _ limit: Int = 8, _ backends: [String] = ["a", "b"], replicas: Int = 1
    ) -> PoolDriver {
        var settings = AdmissionSettings.fixed(limit, queue: 0)
        if replicas > 1 {
            var knee = KneeLimitSettings()
            knee.replicas = replicas
            knee.initial = limit
            settings.limit = .knee(knee)
        }
        return PoolDriver(settings, backends: backends)
    }

    private func said(
        _ order: BackendSignal.Order = .ready, isDown: Bool = false, share: Double = 1,
        ceiling: Int? = nil, until end: Int64? = nil
    ) -> BackendSignal {
        var signal = BackendSignal()
        signal.order = order
        signal.isDown = isDown
        signal.share = share
        signal.ceiling = ceiling
        if let end { signal.end = at(end) }
        return signal
    }

    /// How many requests the backends take that come at that moment; they end at once.
    private func room(_ pool: PoolDriver, at now: Int64 = 1) -> [Int] {
        var counts = [0, 0]
        var ids: [UInt64] = []
        var id: UInt64 = 1
        while case .forwarded(let backend) = pool.offer(id, at: at(now)) {
            counts[backend] += 1
            ids.append(id)
            id += 1
        }
        for id in ids { pool.complete(id, .cancelled(by: .client, in: .sending), at: at(now)) }
        return counts
    }

    @Test func itLowersWhatABackendMayHave() {
        let pool = pool()
        #expect(room(pool) == [8, 8])
        pool.signal(.said(said(ceiling: 3), by: .field))
        #expect(room(pool) == [3, 8])
        pool.signal(.said(said(share: 0.5), by: .field))
        #expect(room(pool) == [4, 8])
        pool.signal(.said(said(share: 0.5, ceiling: 6), by: .field))
        #expect(room(pool) == [3, 8])
        pool.signal(.said(said(share: 0.01), by: .field))
        #expect(room(pool) == [1, 8])
        pool.signal(.said(said(), by: .field))
        #expect(room(pool) == [8, 8])
    }

    @Test func whatAnAgentSaidOutlivesItByAnHour() {
        let hour = BackendSignal.longestNanoseconds / 1_000_000
        let pool = pool()
        pool.signal(.said(said(.drain), by: .agent), at: at(1))
        #expect(room(pool, at: 2) == [0, 8])
        // The same once more.
        pool.signal(.said(said(.drain), by: .agent), at: at(1_000))
        pool.signal(.said(said(ceiling: 3), by: .push), at: at(1_000))
        #expect(room(pool, at: hour) == [0, 8])
        // What an operator said stays.
        #expect(room(pool, at: hour + 1_000) == [3, 8])
    }

    @Test func itRaisesNothing() {
        let pool = pool()
        pool.signal(.said(said(ceiling: 1_000_000), by: .push))
        #expect(room(pool) == [8, 8])
        #expect(pool.status()?.allowed == 8)
        pool.signal(.said(said(ceiling: .max), by: .push))
        #expect(room(pool) == [8, 8])
    }

    @Test(arguments: [
        BackendSignal.State.drain, .maint, .down,
    ])
    func nothingNewGoesThere(_ state: BackendSignal.State) {
        let pool = pool()
        #expect(pool.offer(1_000, at: at(0)) != .rejected(.noBackend))
        let signal: BackendSignal
        switch state {
        case .maint: signal = said(.maint)
        case .down: signal = said(isDown: true)
        default: signal = said(.drain)
        }
        #expect(signal.state == state)
        pool.signal(.said(signal, by: .push))
        #expect(room(pool)[0] == 0)
        #expect(pool.status()?.isUsable == false)
        // What is in flight goes on.
        pool.complete(1_000, at: at(5))
        pool.signal(.said(BackendSignal(), by: .push))
        #expect(room(pool) == [8, 8])
    }

    @Test(arguments: [0.0, 1.0]) func noShareOrNoPlaceIsADrain(_ share: Double) {
        let pool = pool()
        pool.signal(.said(said(share: share, ceiling: share > 0 ? 0 : nil), by: .field))
        #expect(room(pool) == [0, 8])
    }

    @Test func theMostRestrictiveSourceCounts() {
        let pool = pool()
        pool.signal(.said(said(ceiling: 5), by: .push))
        pool.signal(.said(said(share: 0.25), by: .field))
        #expect(room(pool) == [2, 8])
        // One source takes nothing back that another has said.
        pool.signal(.said(said(), by: .field))
        #expect(room(pool) == [5, 8])
        pool.signal(.said(said(.drain), by: .push))
        pool.signal(.said(said(), by: .field))
        #expect(room(pool) == [0, 8])
        let heard = pool.controller.signals(of: BackendID(index: 0), now: at(1))
        #expect(heard.map(\.source) == [.push])
        #expect(heard.map(\.signal.state) == [.drain])
    }

    @Test func itEnds() {
        let pool = pool()
        pool.signal(.said(said(.drain, until: 10_000), by: .field))
        #expect(room(pool, at: 9_999) == [0, 8])
        #expect(room(pool, at: 10_000) == [8, 8])
        #expect(pool.controller.signals(of: BackendID(index: 0), now: at(10_000)).isEmpty)
        // Said again in time, it goes on.
        pool.signal(.said(said(ceiling: 2, until: 21_000), by: .field), at: at(20_000))
        pool.signal(.said(said(ceiling: 2, until: 30_000), by: .field), at: at(20_500))
        #expect(room(pool, at: 29_999) == [2, 8])
        #expect(room(pool, at: 30_000) == [8, 8])
        // One that is over says nothing.
        pool.signal(.said(said(.drain, until: 1), by: .field), at: at(40_000))
        #expect(room(pool, at: 40_000) == [8, 8])
    }

    @Test func fieldsEndWithinAnHourAndOrdersDoNot() {
        let pool = pool()
        pool.signal(.said(said(.drain), by: .field))
        #expect(room(pool, at: 3_599_000) == [0, 8])
        #expect(room(pool, at: 3_601_000) == [8, 8])
        pool.signal(.said(said(.drain), by: .push), at: at(3_700_000))
        #expect(room(pool, at: 100_000_000) == [0, 8])
    }

    @Test func withoutAnyOtherThePoolRefuses() {
        let pool = pool(8, ["a"])
        pool.signal(.said(said(.drain), by: .push))
        #expect(pool.offer(1, at: at(2)) == .rejected(.noBackend))
    }

    @Test func refusalsSayWhenItTakesSomethingAgain() {
        let pool = pool(8, ["a"])
        pool.signal(.said(said(.drain, until: 20_000), by: .field))
        #expect(pool.offer(2, at: at(2)) == .rejected(.noBackend))
        let wait = pool.lastRejection?.retryAfterMilliseconds ?? 0
        #expect((10_000...40_000).contains(wait))
        #expect(pool.offer(3, at: at(20_000)) == .forwarded(0))
    }

    @Test func whoWaitsIsServedWhenItEnds() {
        let pool = PoolDriver(.fixed(1), backends: ["a"])
        pool.signal(.said(said(.drain, until: 100), by: .field))
        #expect(pool.offer(1, at: at(2)) == .parked)
        #expect(pool.controller.nextDeadline == at(100))
        #expect(pool.poll(at: at(99)) == nil)
        #expect(pool.poll(at: at(100)) == .forwarded(1, 0))
    }

    @Test func gatewaysShareACeiling() {
        let pool = pool(40, ["a", "b"], replicas: 4)
        pool.signal(.said(said(ceiling: 30), by: .field))
        #expect(pool.status()?.allowed == 7)
        pool.signal(.said(said(ceiling: 2), by: .field))
        #expect(pool.status()?.allowed == 1)
        // What is learnt is each gateway's own already.
        pool.signal(.said(said(share: 0.5), by: .field))
        #expect(pool.status()?.allowed == 20)
    }

    @Test func aLimitThatIsNotInForceIsKept() {
        var settings = AdmissionSettings.fixed(1, queue: 0)
        settings.limit = .aimd(AIMDLimitSettings())
        let pool = PoolDriver(settings)
        let learnt = pool.status()?.limit ?? 0
        #expect(learnt > 2)
        pool.signal(.said(said(ceiling: 1), by: .push))
        for id in 0..<200 as Range<UInt64> {
            #expect(pool.offer(id, at: at(Int64(id) * 100)) == .forwarded(0))
            pool.complete(id, at: at(Int64(id) * 100 + 50))
        }
        #expect(pool.status()?.limit == learnt)
        // Overload is still learnt from.
        #expect(pool.offer(1_000, at: at(100_000)) == .forwarded(0))
        pool.complete(1_000, .overload, at: at(100_050))
        #expect((pool.status()?.limit ?? 0) < learnt)
    }

    @Test func whatChangesIsNotedOnce() {
        let pool = pool()
        pool.controller.notesDoubts = true
        for _ in 0..<3 { pool.signal(.said(said(ceiling: 3, until: 1_000), by: .field)) }
        pool.signal(.said(said(.drain), by: .push))
        let id = BackendID(index: 0)
        #expect(
            pool.controller.takeSignals() == [
                NotedSignal(backend: id, state: .limited, source: .field, allowed: 3),
                NotedSignal(backend: id, state: .drain, source: .push, allowed: 0),
            ])
        pool.signal(.said(said(), by: .push), at: at(2_000))
        #expect(
            pool.controller.takeSignals() == [
                NotedSignal(backend: id, state: .ready, source: nil, allowed: 8)
            ])
        #expect(pool.controller.takeSignals().isEmpty)
    }

    @Test func onlyWhatChangesAnythingAsksForAPoll() {
        let pool = pool()
        #expect(!pool.signal(.said(said(), by: .field)))
        #expect(pool.signal(.said(said(ceiling: 3, until: 9), by: .field)))
        #expect(!pool.signal(.said(said(ceiling: 3, until: 12), by: .field), at: at(2)))
        #expect(pool.signal(.said(said(ceiling: 4, until: 12), by: .field), at: at(2)))
    }

    /// A wire that carries whatever a broken backend sends: nothing traps, and limits are never exceeded.
    @Test func whateverIsSaidTheLimitHolds() {
        var random = SplitMix64(seed: 77)
        let pool = pool(8)
        for step in 1...3_000 as ClosedRange<Int64> {
            var signal = BackendSignal()
            signal.order = BackendSignal.Order(rawValue: UInt8(random.next(below: 3))) ?? .ready
            signal.isDown = random.next(below: 8) == 0
            signal.share = random.nextUnit()
            if random.next(below: 2) == 0 { signal.ceiling = random.next(below: 20) }
            if random.next(below: 2) == 0 {
                signal.end = at(step * 10 + Int64(random.next(below: 500)))
            }
            let source: BackendSignal.Source = random.next(below: 2) == 0 ? .field : .push
            pool.signal(.said(signal, by: source), at: at(step * 10))
            let counts = room(pool, at: step * 10)
            #expect(counts[0] <= 8)
            #expect(counts[1] == 8)
            if signal.state >= .drain, signal.end > at(step * 10) { #expect(counts[0] == 0) }
        }
    }
}
