// What is remembered of which backend has seen which beginning, and what is forgotten.

import Testing

@testable import Admission

@Suite struct PrefixIndexTests {
    static func keys(_ conversation: UInt64, turns: Int, bytesOfTurn: Int = 1000) -> PrefixKeys {
        var keys = PrefixKeys(bytes: turns * bytesOfTurn)
        for turn in 1...turns {
            var random = SplitMix64(seed: conversation << 16 + UInt64(turn))
            keys.append(key: random.next(), bytes: turn * bytesOfTurn)
        }
        return keys
    }

    private static func index(entries: Int = 1024, backends: Int = 3, capacity: Double = 1e6)
        -> PrefixIndex
    {
        var index = PrefixIndex()
        index.reset(entries: entries, salt: 0x5eed)
        for backend in 0..<backends { index.add(backend, capacityBytes: capacity) }
        return index
    }

    @Test func aConversationIsKnownAsFarAsItWas() {
        var index = Self.index()
        index.record(Self.keys(1, turns: 3), at: 2, answerBytes: 0)
        index.record(Self.keys(1, turns: 1), at: 0, answerBytes: 0)
        let match = index.match(Self.keys(1, turns: 4))
        #expect(match.bytes == 4000 && match.count == 2 && match.mostBytes == 3000)
        #expect(match.knownBytes(at: 2) == 3000)
        #expect(match.knownBytes(at: 0) == 1000)
        #expect(match.knownBytes(at: 1) == 0)
        #expect(index.match(Self.keys(2, turns: 4)).count == 0)
    }

    @Test func whatACacheCannotHoldIsForgotten() {
        var index = Self.index(capacity: 100_000)
        let first = Self.keys(1, turns: 1)
        index.record(first, at: 0, answerBytes: 0)
        for other in 2...95 as ClosedRange<UInt64> {
            index.record(Self.keys(other, turns: 1), at: 0, answerBytes: 0)
        }
        #expect(index.match(first).knownBytes(at: 0) == 1000)
        // What was known moves nothing out, and answers take room too.
        for _ in 0..<100 { index.record(Self.keys(95, turns: 1), at: 0, answerBytes: 0) }
        #expect(index.match(first).knownBytes(at: 0) == 1000)
        index.record(Self.keys(96, turns: 1), at: 0, answerBytes: 10_000)
        #expect(index.match(first).count == 0)
        #expect(index.match(Self.keys(96, turns: 1)).knownBytes(at: 0) == 1000)
    }

    @Test func aBackendIsForgottenAlone() {
        var index = Self.index()
        let keys = Self.keys(1, turns: 2)
        index.record(keys, at: 0, answerBytes: 0)
        index.record(keys, at: 1, answerBytes: 0)
        index.forget(0)
        #expect(index.match(keys).knownBytes(at: 0) == 0)
        #expect(index.match(keys).knownBytes(at: 1) == 2000)
        index.record(keys, at: 0, answerBytes: 0)
        #expect(index.match(keys).knownBytes(at: 0) == 2000)
    }

    @Test func fourBackendsAreRememberedTheOldestGoes() {
        var index = Self.index(backends: 5)
        let keys = Self.keys(1, turns: 1)
        for backend in 0..<5 {
            index.record(keys, at: backend, answerBytes: 0)
            // Each has seen something else since, the first ones most.
            for earlier in 0...backend {
                index.record(
                    Self.keys(UInt64(100 + backend * 10 + earlier), turns: 1), at: earlier,
                    answerBytes: 20_000)
            }
        }
        let match = index.match(keys)
        #expect(match.count == 4 && match.knownBytes(at: 0) == 0)
        #expect(match.knownBytes(at: 4) == 1000)
    }

    /// The table stays as large as it is; what was written last is found, whatever came before.
    @Test(arguments: 1...10 as ClosedRange<UInt64>)
    func theTableIsBounded(seed: UInt64) {
        var random = SplitMix64(seed: seed)
        var index = Self.index(entries: 64, capacity: 1e12)
        #expect(index.capacity == 64)
        for step in 0..<2000 {
            let keys = Self.keys(random.next() % 500, turns: 1 + Int(random.next() % 4))
            let backend = Int(random.next() % 3)
            index.record(keys, at: backend, answerBytes: 0)
            let known = index.match(keys).knownBytes(at: backend)
            #expect(known == keys.bytes, "step \(step), seed \(seed)")
            #expect(index.count <= 64, "step \(step), seed \(seed)")
        }
        #expect(index.count > 48)
    }

    @Test func keysAreBounded() {
        let keys = Self.keys(1, turns: 100)
        #expect(keys.places.count == PrefixKeys.most)
        #expect(keys.bytes == 100_000 && keys.places.last?.bytes == 100_000)
        #expect(keys.places.first?.bytes == 1000)
    }
}

@Suite struct PromptTimeTests {
    /// 100 µs a byte, an answer of 2 s, and waits inside the engine of up to 10 s before nine of ten first
    /// bytes: waits hide the time of a byte from whoever takes a mean.
    @Test(arguments: 1...10 as ClosedRange<UInt64>)
    func waitsHideNothing(seed: UInt64) {
        var random = SplitMix64(seed: seed)
        var time = PromptTime()
        for _ in 0..<2000 {
            let own = 5000 + Double(random.next() % 10_000)
            let wait = random.nextUnit() < 0.1 ? 0 : random.nextUnit() * 10
            let first = own * 1e-4 + wait
            time.learn(
                size: 10_000, own: own, ahead: 0, firstByteSeconds: first, totalSeconds: first + 2)
        }
        #expect((0.9e-4...2.5e-4).contains(time.secondsPerByte), "\(time.secondsPerByte)")
        #expect(abs(time.answerSeconds - 2) < 0.01)
    }

    @Test func responsesInOnePieceLeaveThePrior() {
        var time = PromptTime()
        for _ in 0..<100 {
            time.learn(
                size: 1000, own: 1000, ahead: 0, firstByteSeconds: 4, totalSeconds: 4)
        }
        #expect(abs(time.secondsPerByte - 0.001) < 1e-9)
        #expect(abs(time.answerSeconds - 3) < 1e-9)
    }
}
