// What requests cost by the tokens that are expected of them: learnt from the time that others took,
// and used for the wait that is predicted and for the charge at the start.

import Testing

@testable import Admission

@Suite struct TokenTimeTests {
    /// Learns from `count` requests that take `input` and `output` seconds a token, give or take half.
    private func learnt(
        _ input: Double, _ output: Double, count: Int = 400, seed: UInt64 = 7,
        outputs: Int = 400
    ) -> TokenTime {
        var random = SplitMix64(seed: seed)
        var time = TokenTime()
        for _ in 0..<count {
            let prompt = 10 + random.next(below: 4_000)
            let answer = outputs == 0 ? 0 : 5 + random.next(below: outputs)
            let noise = 0.5 + Double(random.next(below: 1_000)) / 1_000
            let seconds = (input * Double(prompt) + output * Double(answer)) * noise
            time.learn(input: prompt, output: answer, seconds: seconds)
        }
        return time
    }

    @Test(arguments: [UInt64](1...20))
    func whatTakesLongerCostsMore(seed: UInt64) throws {
        // As an engine does it: a prompt's token 0.1 ms, an answer's 20 ms.
        let time = learnt(0.0001, 0.02, seed: seed)
        let retrieval = try #require(time.cost(input: 4_000, output: 50))
        let story = try #require(time.cost(input: 50, output: 400))
        // By tokens alone the first would cost nine times the second; it takes 1.4 s, the other 8 s.
        #expect(story > 3.5 * retrieval, "seed \(seed): \(story) and \(retrieval)")
        // The mean request has 2,010 and 205 tokens, and takes 4.3 s.
        let usual = try #require(time.cost(input: 2_010, output: 205))
        #expect((0.75...1.25).contains(usual), "seed \(seed): \(usual)")
    }

    @Test func promptsAreAllWhereNothingIsMade() throws {
        let time = learnt(0.0001, 0, outputs: 0)
        let long = try #require(time.cost(input: 4_000, output: 0))
        let short = try #require(time.cost(input: 1_000, output: 0))
        #expect(abs(long / short - 4) < 0.01)
    }

    @Test func likeRequestsCostAUsualOne() throws {
        var time = TokenTime()
        for index in 0..<100 {
            #expect((time.cost(input: 100, output: 100) == nil) == (index < 32))
            time.learn(input: 100, output: 100, seconds: 2)
        }
        let cost = try #require(time.cost(input: 100, output: 100))
        #expect(abs(cost - 1) < 1e-3)
        #expect(time.cost(input: 0, output: 0) == nil)
        // However far from all that was seen, it stays within bounds.
        #expect(time.cost(input: 1_000_000_000, output: 1_000_000_000) == 64)
        #expect(time.cost(input: 1, output: 0) == 1.0 / 64)
    }

    @Test func noTokenTakesLessThanNoTime() throws {
        // Longer prompts with shorter answers: alone, a prompt's token would seem to save time.
        var time = TokenTime()
        for index in 0..<100 {
            let answer = 10 + index % 50
            time.learn(input: 1_000 - 10 * answer, output: answer, seconds: Double(answer * answer))
        }
        for prompt in [1, 1_000, 100_000] {
            let cost = try #require(time.cost(input: prompt, output: 50))
            #expect(cost >= 1.0 / 64)
        }
        let more = try #require(time.cost(input: 10, output: 60))
        let less = try #require(time.cost(input: 10, output: 20))
        #expect(more > less)
    }

    // MARK: In the controller

    /// A pool with one slot that has seen two hundred requests whose tokens take a millisecond
    /// each: ten of a prompt, and ten or a thousand of an answer.
    private func pool(_ sharing: SharingMeasure = .time) -> (PoolDriver, Instant) {
        var settings = AdmissionSettings()
        settings.limit = .fixed(FixedLimitSettings(limit: 1))
        settings.queue.maxWait = .seconds(3600)
        settings.sharing = sharing
        settings.tenants = [TenantSettings(name: "long"), TenantSettings(name: "short")]
        let pool = PoolDriver(settings)
        var now = at(1_000)
        for id in 0..<200 as Range<UInt64> {
            let output = id % 2 == 0 ? 1_000 : 10
            #expect(offer(pool, id, now, output) == .forwarded(0))
            now = now.advanced(byNanoseconds: Int64(output) * 1_000_000)
            pool.complete(id, at: now)
        }
        return (pool, now)
    }

    private func offer(
        _ pool: PoolDriver, _ id: UInt64, _ now: Instant, _ output: Int, _ tenant: Int = 0
    ) -> Answer {
        pool.offer(
            id, at: now, tenant: .named(tenant == 0 ? "long" : "short"), tokens: 10 + output,
            outputTokens: output)
    }

    private func expectedCost(_ pool: PoolDriver, _ ticket: Ticket) -> Double {
        pool.controller.expectedCost(ticket, pool.controller.queue.flowKey(of: ticket))
    }

    private func ticket(_ output: Int) -> Ticket {
        var ticket = Ticket()
        ticket.tenant = .named("long")
        ticket.tokens = 10 + output
        ticket.outputTokens = output
        return ticket
    }

    @Test(arguments: [(1_000, 10.0), (10, 0.1)])
    func theWaitIsPredictedFromWhatWaits(_ output: Int, _ seconds: Double) throws {
        let (pool, now) = pool()
        #expect(offer(pool, 1_000, now, 10) == .forwarded(0))
        for id in 1_001...1_010 as ClosedRange<UInt64> {
            #expect(offer(pool, id, now, output) == .parked)
        }
        let predicted = pool.controller.predictedWaitSeconds(ticket(10), now: now)
        let wait = try #require(predicted)
        // What waits takes that long; a request of the mean cost would make five seconds of either.
        #expect((0.6 * seconds...1.6 * seconds).contains(wait), "\(wait)")
    }

    /// Where one's requests are expected to be long, the other's start before its second one.
    @Test func theChargeAtTheStartIsTheEstimate() {
        let (pool, now) = pool()
        #expect(offer(pool, 1_000, now, 10) == .forwarded(0))
        for id in 1_001...1_003 as ClosedRange<UInt64> {
            #expect(offer(pool, id, now, 1_000, 0) == .parked)
        }
        for id in 1_004...1_009 as ClosedRange<UInt64> {
            #expect(offer(pool, id, now, 10, 1) == .parked)
        }
        pool.complete(1_000, at: now)
        var order: [UInt64] = []
        while case .forwarded(let id, _)? = pool.poll(at: now) {
            order.append(id)
            // Nothing is corrected, because each took the time that it was expected to.
            pool.complete(id, .failed(.request), cost: id < 1_004 ? 1_000 / 505 : 10 / 505, at: now)
        }
        #expect(order.count == 9)
        let second = order.firstIndex(of: 1_002) ?? 0
        #expect(order[..<second].count { $0 >= 1_004 } == 6, "\(order)")
    }

    /// What says nothing about its tokens costs what it did.
    @Test func withoutEstimatesARequestIsAUsualOne() {
        let (pool, _) = pool()
        var ticket = ticket(1_000)
        ticket.outputTokens = nil
        let unknown = expectedCost(pool, ticket)
        let known = expectedCost(pool, self.ticket(1_000))
        #expect(unknown == 1 && known > 1.5)
        let (byHeads, _) = self.pool(.requests)
        let head = expectedCost(byHeads, self.ticket(1_000))
        #expect(head == 1)
    }
}
