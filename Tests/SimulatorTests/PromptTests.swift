import Admission
import Testing

@testable import Simulator

@Suite struct PromptTests {
    private static func prompt(_ kind: UInt64, shared: Int, own: UInt64, new: Int) -> Prompt {
        var prompt = Prompt()
        prompt.sharedKey = kind
        prompt.sharedTokens = shared
        prompt.ownKey = own
        prompt.newTokens = new
        return prompt
    }

    @Test func cachesKeepWhatWasUsedLast() {
        var cache = PrefixCache()
        let first = Self.prompt(1, shared: 600, own: 101, new: 50)
        let second = Self.prompt(2, shared: 200, own: 102, new: 50)
        #expect(cache.enter(first, answerTokens: 50, memory: 1000) == 0)
        // What runs is held once, however many share it.
        #expect(cache.hasRoom(for: first, answerTokens: 100, memory: 1000))
        #expect(!cache.hasRoom(for: second, answerTokens: 100, memory: 1000))
        cache.leave(first, isComputed: true)
        #expect(cache.tokens == 700 && cache.tokensInUse == 0)
        #expect(cache.enter(second, answerTokens: 50, memory: 1000) == 0)
        cache.leave(second, isComputed: true)
        let again = Self.prompt(1, shared: 600, own: 103, new: 50)
        #expect(cache.enter(again, answerTokens: 50, memory: 1000) == 600)
        cache.leave(again, isComputed: true)
        // 200 tokens of the first and the second had to go, leaves first.
        #expect(cache.enter(second, answerTokens: 50, memory: 1000) == 200)
    }

    @Test func conversationsFindWhatTheySaid() {
        var cache = PrefixCache()
        var prompt = Self.prompt(1, shared: 100, own: 101, new: 50)
        prompt.turnsLeft = 2
        #expect(cache.enter(prompt, answerTokens: 30, memory: 1000) == 0)
        cache.leave(prompt, isComputed: true)
        prompt.goOn(afterAnswer: 30, newTokens: 20)
        #expect(prompt.tokens == 200 && prompt.turnsLeft == 1)
        #expect(cache.enter(prompt, answerTokens: 30, memory: 1000) == 180)
        // What was not read to its end is not there.
        cache.leave(prompt, isComputed: false)
        #expect(cache.enter(prompt, answerTokens: 30, memory: 1000) == 100)
        var beginnings: [Int] = []
        prompt.forEachBeginning { beginnings.append($1) }
        #expect(beginnings == [100, 150, 200])
    }

    @Test(arguments: 1...20 as ClosedRange<UInt64>)
    func cachesCountRight(seed: UInt64) {
        var random = SplitMix64(seed: seed)
        var cache = PrefixCache()
        var running: [Prompt] = []
        for step in 0..<2000 {
            let isFull = running.count >= 8
            if !running.isEmpty, isFull || random.next() % 2 == 0 {
                let index = Int(random.next() % UInt64(running.count))
                cache.leave(running.remove(at: index), isComputed: random.next() % 4 != 0)
            } else {
                let prompt = Self.prompt(
                    random.next() % 10, shared: 400, own: 1000 + UInt64(step),
                    new: Int(random.next() % 200))
                guard cache.hasRoom(for: prompt, answerTokens: 100, memory: 5000) else { continue }
                running.append(prompt)
                let found = cache.enter(prompt, answerTokens: 100, memory: 5000)
                #expect(found == 0 || found == 400)
            }
            let kinds = Set(running.map(\.sharedKey)).count
            let inUse = running.reduce(400 * kinds) { $0 + $1.newTokens + 100 }
            #expect(cache.tokensInUse == inUse, "step \(step), seed \(seed)")
            #expect(cache.tokens >= inUse && cache.tokens <= 5000, "step \(step), seed \(seed)")
        }
    }

    /// A prompt of 1,000 tokens that is read in steps of 100, and then 10 units: ten steps of
    /// 20 ms + 100 · 1 ms, and ten of 20 ms.
    @Test func promptsAreReadOnce() throws {
        let scenario = try ScenarioLoader.load(
            text: """
                duration: 100s
                pool: {limit: 1}
                backends: [{base: 20ms, prefill: 1ms, chunk: 100, memory: 100000}]
                clients: [{clients: 1, think: 1s, units: 10, prompt: {shared: 900, own: 100}}]
                """, file: "a.yaml")
        let all = Simulation.run(scenario, seed: 1).all
        // The first reads all, the others only what is their own.
        let slowest = all.total.quantileSeconds(1)
        #expect(abs(slowest / 1.4 - 1) < 0.04, "\(slowest)")
        #expect(abs(all.total.quantileSeconds(0.5) / 0.32 - 1) < 0.04)
        #expect(abs(all.firstByte.quantileSeconds(0.5) / 0.14 - 1) < 0.04)
        #expect(all.cachedTokens == (all.completed - 1) * 900)
        #expect(all.promptTokens == all.completed * 1000)
    }

    @Test(arguments: ReferenceRouter.allCases)
    func referencesServeEverybody(router: ReferenceRouter) throws {
        var scenario = try ScenarioLoader.load(
            text: """
                duration: 60s
                backends:
                  - {base: 20ms, prefill: 100us, memory: 20000}
                  - {base: 20ms, prefill: 100us, memory: 20000}
                clients: [{rate: 4, units: 20, prompt: {shared: 4000, kinds: 6, own: 100}}]
                """, file: "a.yaml")
        scenario.router = router
        let result = Simulation.run(scenario, seed: 1)
        #expect(result.all.completed > 200 && result.all.failed == 0 && result.all.rejected == 0)
        let hits = result.value(.hitShare, over: scenario.whole)
        // Two backends that spill over to one another come to know everything.
        let knows = router == .llmd || router == .cacheAware
        #expect(knows ? hits > 0.9 : hits < 0.75, "\(hits)")
    }

    @Test(arguments: [
        ("prompt: {kinds: 2}", "clients[0].prompt: has no token"),
        ("prompt: {shared: -1, own: 1}", "clients[0].prompt.shared: "),
        ("prompt: {own: 1, turns: 0}", "clients[0].prompt.turns: "),
    ])
    func faultsSayWhereTheyAre(text: String, expected: String) {
        let file = "{duration: 10s, backends: [{base: 1s}], clients: [{rate: 1, \(text)}]}"
        #expect { try ScenarioLoader.load(text: file, file: "a.yaml") } throws: { error in
            "\(error)".contains(expected)
        }
    }
}
