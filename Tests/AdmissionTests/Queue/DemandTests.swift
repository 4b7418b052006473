// When a tenant's demand is called excessive, and what that does to a refusal.

import Testing

@testable import Admission

@Suite struct DemandTests {
    private func instant(_ seconds: Double) -> Instant {
        Instant(nanoseconds: Int64(seconds * 1e9))
    }

    /// A second of `granted` grants and `refused` refusals at each of `seconds`.
    private func run(_ demand: inout Demand, _ seconds: Range<Int>, granted: Int, refused: Int) {
        for second in seconds {
            for _ in 0..<granted { demand.recordGrant(now: instant(Double(second))) }
            for _ in 0..<refused { demand.recordRefusal(now: instant(Double(second))) }
        }
    }

    @Test func twoStretchesOfMoreThanTwiceWhatIsGranted() {
        var demand = Demand()
        run(&demand, 0..<20, granted: 2, refused: 3)
        #expect(!demand.isExcessive)
        run(&demand, 20..<21, granted: 2, refused: 3)
        #expect(demand.isExcessive)
        run(&demand, 21..<31, granted: 3, refused: 2)
        #expect(!demand.isExcessive)
    }

    @Test func exactlyTwiceIsNotTooMuch() {
        var demand = Demand()
        run(&demand, 0..<60, granted: 3, refused: 3)
        #expect(!demand.isExcessive)
    }

    @Test func aBurstOrALittleIsNotTooMuch() {
        var burst = Demand()
        run(&burst, 0..<1, granted: 10, refused: 1_000)
        run(&burst, 1..<60, granted: 1, refused: 0)
        #expect(!burst.isExcessive)
        var little = Demand()
        run(&little, 0..<60, granted: 0, refused: 1)
        #expect(!little.isExcessive)
    }

    @Test func silenceEndsIt() {
        var demand = Demand()
        run(&demand, 0..<31, granted: 0, refused: 10)
        #expect(demand.isExcessive)
        demand.recordRefusal(now: instant(70))
        #expect(!demand.isExcessive)
    }

    /// A tenant whose clients try three times asks for three times what there is.
    ///
    /// Its retries give way to its first tries, and another tenant's retries do not.
    @Test func retriesAreShedFirst() {
        var settings = AdmissionSettings.fixed(2, queue: 8, maxWait: .seconds(1))
        settings.tenants = [TenantSettings(name: "a"), TenantSettings(name: "b")]
        let pool = PoolDriver(settings)
        var next: UInt64 = 0
        var retries: Set<UInt64> = []
        var served = (first: 0, retry: 0)
        var shed = 0
        func offer(_ second: Double, isRetry: Bool) {
            next += 1
            if isRetry { retries.insert(next) }
            let answer = pool.offer(
                next, at: instant(second), tenant: .named("a"), isRetry: isRetry)
            if answer == .rejected(.retryShed) { shed += 1 }
        }
        // Two slots and half a second each: four a second of the twelve that are offered.
        for step in 0..<240 {
            let second = Double(step) / 4
            for turn in 0..<3 { offer(second, isRetry: turn > 0) }
            if step % 2 == 0 {
                for id in pool.permits.keys {
                    pool.complete(id, at: instant(second))
                    guard step > 120 else { continue }
                    if retries.contains(id) { served.retry += 1 } else { served.first += 1 }
                }
            }
            _ = pool.pollAll(at: instant(second))
            if step < 80 { #expect(shed == 0, "shed after \(second) s") }
        }
        #expect(shed > 200)
        #expect(served.first > 100)
        #expect(served.retry == 0)
        #expect(
            pool.offer(next + 1, at: instant(60), tenant: .named("b"), isRetry: true)
                != .rejected(.retryShed))
        let status = pool.controller.tenants(first: 1)[0]
        #expect(status.counts.requests == 720 && status.counts.retries == 480)
        #expect(status.counts.refused > 400)
    }

    @Test func onlyTheTenantThatAsksTooMuchIsTold() throws {
        var settings = AdmissionSettings()
        settings.limit = .fixed(FixedLimitSettings(limit: 1))
        settings.queue.maxRequests = 0
        settings.tenants = [TenantSettings(name: "a"), TenantSettings(name: "b")]
        var controller = AdmissionController(settings: settings, backends: ["x"], seed: 1)
        func ticket(_ tenant: Int) -> Ticket {
            var ticket = Ticket()
            ticket.tenant = .named(tenant == 0 ? "a" : "b")
            return ticket
        }
        func offer(_ tenant: Int, _ second: Double) -> Rejection? {
            switch controller.offer(
                RequestID(rawValue: 1), ticket(tenant), now: instant(second))
            {
            case .forward(let permit):
                controller.complete(permit, .failed(.request), now: instant(second))
                return nil
            case .reject(let rejection):
                return rejection
            case .parked:
                Issue.record("nothing may wait")
                return nil
            }
        }
        guard
            case .forward(let permit) = controller.offer(
                RequestID(rawValue: 0), ticket(0), now: instant(0))
        else {
            Issue.record("the first was not started")
            return
        }
        for step in 0..<100 {
            let rejection = try #require(offer(0, Double(step) / 4))
            #expect(rejection.isRetryUnwelcome == (step >= 80))
            #expect(rejection.circumstances.limit == 1)
            #expect(rejection.circumstances.inFlight == 1)
        }
        #expect(offer(1, 26)?.isRetryUnwelcome == false)
        controller.complete(permit, .failed(.request), now: instant(27))
        #expect(offer(0, 28) == nil)
    }
}
