// What requests cost that say nothing of their tokens: as much as those of their tenant usually take.

import Testing

@testable import Admission

@Suite struct UsualTimeTests {
    @Test func aSingleFlowsRequestsCostOne() {
        var all = UsualTime()
        var flow = UsualTime()
        // Whatever becomes of their times.
        for index in 0..<400 {
            let seconds = index < 200 ? 1.0 : 5
            flow.learn(seconds)
            all.learn(seconds)
            if index >= 8 { #expect(flow.cost(beside: all) == 1, "\(index)") }
        }
    }

    @Test func shortRequestsCostLessThanLongOnes() throws {
        var all = UsualTime()
        var short = UsualTime()
        var long = UsualTime()
        #expect(short.cost(beside: all) == nil)
        func end(_ flow: inout UsualTime, after seconds: Double) {
            flow.learn(seconds)
            all.learn(seconds)
        }
        for index in 0..<7 { end(&short, after: Double(index % 2) + 0.5) }
        #expect(short.cost(beside: all) == nil, "eight are enough, and not fewer")
        for _ in 0..<200 {
            end(&short, after: 1)
            end(&long, after: 9)
        }
        let costs = try (
            #require(short.cost(beside: all)), #require(long.cost(beside: all))
        )
        #expect(abs(costs.1 / costs.0 - 9) < 0.5, "\(costs)")
        #expect(abs(costs.0 - 0.2) < 0.05, "\(costs)")
        for _ in 0..<64 { end(&long, after: 1e6) }
        #expect(short.cost(beside: all) == 1.0 / 64)
    }

    /// A pool with one slot in which a tenant's requests took 100 ms and another one's 2 s.
    private func pool() -> (PoolDriver, Instant) {
        var settings = AdmissionSettings()
        settings.limit = .fixed(FixedLimitSettings(limit: 1))
        settings.queue.maxWait = .seconds(2)
        settings.tenants = [TenantSettings(name: "long"), TenantSettings(name: "short")]
        let pool = PoolDriver(settings)
        var now = at(1_000)
        for id in 0..<200 as Range<UInt64> {
            let isLong = id % 2 == 0
            #expect(
                pool.offer(id, at: now, tenant: .named(isLong ? "long" : "short"))
                    == .forwarded(0))
            now = now.advanced(byNanoseconds: isLong ? 2_000_000_000 : 100_000_000)
            pool.complete(id, at: now)
        }
        return (pool, now)
    }

    /// Ten short requests wait for a second and not for ten times what the usual one takes, so that all of them
    /// may join the queue.
    @Test func shortRequestsAreNotTakenForLongOnes() throws {
        let (pool, now) = pool()
        #expect(pool.offer(1_000, at: now, tenant: .named("short")) == .forwarded(0))
        for id in 1_001...1_010 as ClosedRange<UInt64> {
            #expect(pool.offer(id, at: now, tenant: .named("short")) == .parked, "\(id)")
        }
        var ticket = Ticket()
        ticket.tenant = .named("short")
        let predicted = pool.controller.predictedWaitSeconds(ticket, now: now)
        let wait = try #require(predicted)
        #expect((0.6...1.8).contains(wait), "\(wait)")
        ticket.tenant = .named("long")
        let ofLong = pool.controller.predictedWaitSeconds(ticket, now: now)
        #expect(try #require(ofLong) > 2)
    }
}
