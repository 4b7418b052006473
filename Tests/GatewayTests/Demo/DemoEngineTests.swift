// The engine's model, by dialogue, with times worked out by hand: a step of n requests takes 10 +
// n.

import Admission
import Testing

@testable import Demo

struct DemoEngineTests {
    private typealias Progress = BatchEngine.Progress

    private static func engine(maxBatch: Int) -> BatchEngine {
        var speed = EngineSpeed()
        speed.baseNanoseconds = 10
        speed.perRequestNanoseconds = 1
        speed.maxBatch = maxBatch
        return BatchEngine(speed: speed)
    }

    private func at(_ nanoseconds: Int64) -> Instant { Instant(nanoseconds: nanoseconds) }

    @Test func oneRequestMakesATokenAStep() {
        var engine = Self.engine(maxBatch: 4)
        #expect(engine.stepEnd == nil)
        engine.submit(7, tokens: 2, now: at(100))
        #expect(engine.stepEnd == at(111))
        #expect(engine.finishSteps(upTo: at(110)).isEmpty)
        #expect(engine.finishSteps(upTo: at(111)) == [Progress(id: 7, isLast: false)])
        #expect(engine.stepEnd == at(122))
        #expect(engine.finishSteps(upTo: at(122)) == [Progress(id: 7, isLast: true)])
        #expect(engine.stepEnd == nil)
        #expect(engine.runningCount == 0)
    }

    @Test func aNewRequestJoinsAtTheNextStepAndSlowsAllDown() {
        var engine = Self.engine(maxBatch: 4)
        engine.submit(1, tokens: 3, now: at(0))
        engine.submit(2, tokens: 1, now: at(5))
        #expect(engine.waitingCount == 1)
        #expect(engine.finishSteps(upTo: at(11)) == [Progress(id: 1, isLast: false)])
        #expect(engine.stepEnd == at(23))
        #expect(
            engine.finishSteps(upTo: at(23))
                == [Progress(id: 1, isLast: false), Progress(id: 2, isLast: true)])
        #expect(engine.stepEnd == at(34))
    }

    @Test func whatTheBatchCannotHoldWaitsInOrder() {
        var engine = Self.engine(maxBatch: 2)
        for id in 1...4 { engine.submit(id, tokens: 1, now: at(0)) }
        // The first was alone when its step began.
        #expect(engine.finishSteps(upTo: at(11)).map(\.id) == [1])
        #expect(engine.runningCount == 2)
        #expect(engine.waitingCount == 1)
        #expect(engine.finishSteps(upTo: at(23)).map(\.id) == [2, 3])
        #expect(engine.finishSteps(upTo: at(34)).map(\.id) == [4])
    }

    @Test func lateCallsDoNotStretchSteps() {
        var engine = Self.engine(maxBatch: 2)
        engine.submit(1, tokens: 3, now: at(0))
        #expect(engine.finishSteps(upTo: at(25)).count == 2)
        #expect(engine.stepEnd == at(33))
        #expect(engine.finishSteps(upTo: at(1000)).map(\.isLast) == [true])
        #expect(engine.work.busyNanoseconds == 33)
    }

    @Test func aCancelledRequestIsDroppedAtOnceAndItsWorkIsWasted() {
        var engine = Self.engine(maxBatch: 2)
        engine.submit(1, tokens: 5, now: at(0))
        engine.submit(2, tokens: 2, now: at(0))
        engine.submit(3, tokens: 1, now: at(0))
        _ = engine.finishSteps(upTo: at(11))
        #expect(engine.runningCount == 2)
        engine.cancel(1)
        #expect(engine.runningCount == 1)
        // 11 of the first step and half of the second's 12.
        #expect(engine.work.wastedNanoseconds == 17)
        // The second step keeps its length; in the third, request 3 has the place of request 1.
        #expect(engine.finishSteps(upTo: at(23)) == [Progress(id: 2, isLast: false)])
        #expect(
            engine.finishSteps(upTo: at(35))
                == [Progress(id: 2, isLast: true), Progress(id: 3, isLast: true)])
        #expect(
            engine.work == .init(busyNanoseconds: 35, usefulNanoseconds: 18, wastedNanoseconds: 17))
    }

    @Test func cancellingWhoWaitsWastesNothing() {
        var engine = Self.engine(maxBatch: 1)
        engine.submit(1, tokens: 1, now: at(0))
        engine.submit(2, tokens: 1, now: at(0))
        engine.cancel(2)
        engine.cancel(99)
        #expect(engine.finishSteps(upTo: at(100)).map(\.id) == [1])
        #expect(engine.work.wastedNanoseconds == 0)
        #expect(engine.stepEnd == nil)
    }

    @Test(arguments: [1, 16, 64])
    func aBusyEngineMakesAsManyTokensAsItsSpeedSays(batch: Int) {
        let speed = EngineSpeed()
        var engine = BatchEngine(speed: speed)
        var next = batch
        for id in 0..<batch { engine.submit(id, tokens: 10, now: at(0)) }
        var tokens = 0
        var now = at(0)
        while now < at(10_000_000_000), let end = engine.stepEnd {
            now = end
            for progress in engine.finishSteps(upTo: now) {
                tokens += 1
                guard progress.isLast else { continue }
                engine.submit(next, tokens: 10, now: now)
                next += 1
            }
        }
        // A request that replaces one joins a step late, so the batch is not always full.
        let most = speed.tokensPerSecond(batch: batch) * 10
        #expect(Double(tokens) <= most * 1.01)
        #expect(Double(tokens) >= most * 0.8)
    }

    @Test func fullerBatchesMakeMoreTokensButSlower() {
        let speed = EngineSpeed()
        #expect(speed.stepNanoseconds(batch: 64) == 20_000_000)
        #expect(speed.tokensPerSecond(batch: 64) == 3_200)
        #expect(speed.tokensPerSecond(batch: 200) == 3_200)
        #expect(speed.tokensPerSecond(batch: 20) < 2_300)
    }
}
