// The bookkeeping of lines that are answered in any order.

import Testing

@testable import Bulk

@Suite struct BulkWindowTests {
    @Test func theFirstThatIsNotAnsweredIsKnown() {
        var window = BulkWindow(first: 5)
        #expect(window.doneBelow == 5 && window.total == 0)
        let begun = (5..<9).map { _ in window.begin() }
        #expect(begun == [5, 6, 7, 8])
        window.finish(6, isCompleted: true)
        window.finish(7, isCompleted: false)
        #expect(window.doneBelow == 5 && window.openCount == 2)
        window.finish(5, isCompleted: true)
        #expect(window.doneBelow == 8)
        window.finish(8, isCompleted: true)
        #expect(window.doneBelow == 9 && window.openCount == 0)
        #expect(window.total == 4 && window.completed == 3 && window.failed == 1)
    }

    @Test func itHasABound() {
        var window = BulkWindow(first: 0)
        while window.hasRoom() { _ = window.begin() }
        #expect(window.total == BulkWindow.maxLines)
        for index in 1..<BulkWindow.maxLines { window.finish(index, isCompleted: true) }
        #expect(!window.hasRoom())
        window.finish(0, isCompleted: true)
        #expect(window.hasRoom() && window.doneBelow == BulkWindow.maxLines)
        #expect(window.hasRoom(lines: 1))
        _ = window.begin()
        #expect(!window.hasRoom(lines: 1))
    }

    @Test func anyOrderLeadsToTheEnd() {
        let seed = UInt64.random(in: 1 ... .max)
        var random = SplitMix(seed)
        for _ in 0..<20 {
            let first = random.below(10_000)
            var window = BulkWindow(first: first)
            var open: [Int] = []
            var answered: Set<Int> = []
            for _ in 0..<20_000 {
                if window.hasRoom(), random.below(2) == 0 {
                    open.append(window.begin())
                } else if !open.isEmpty {
                    let index = open.remove(at: random.below(open.count))
                    window.finish(index, isCompleted: random.below(3) > 0)
                    answered.insert(index)
                }
                #expect(!answered.contains(window.doneBelow), "seed \(seed)")
            }
            while let index = open.popLast() { window.finish(index, isCompleted: true) }
            #expect(window.doneBelow == window.next && window.openCount == 0, "seed \(seed)")
        }
    }

    @Test func aSecondAnswerTraps() async {
        await #expect(processExitsWith: .failure) {
            var window = BulkWindow(first: 0)
            _ = window.begin()
            _ = window.begin()
            window.finish(1, isCompleted: true)
            window.finish(1, isCompleted: true)
        }
    }

    @Test func resultsComeInOrder() {
        var order = BulkOrder<String>(next: 3)
        let nothing = order.take()
        order.add("e", at: 4)
        let early = order.take()
        #expect(nothing == nil && early == nil && !order.isReady && order.count == 1)
        order.add("d", at: 3)
        #expect(order.isReady)
        let taken = [order.take(), order.take(), order.take()]
        #expect(taken == ["d", "e", nil])
        #expect(order.next == 5 && order.count == 0)
    }
}

/// Numbers that look like chance.
struct SplitMix {
    private var state: UInt64

    init(_ seed: UInt64) { state = seed }

    mutating func below(_ count: Int) -> Int {
        state &+= 0x9e37_79b9_7f4a_7c15
        var value = (state ^ (state >> 30)) &* 0xbf58_476d_1ce4_e5b9
        value = (value ^ (value >> 27)) &* 0x94d0_49bb_1331_11eb
        return Int((value ^ (value >> 31)) >> 1) % count
    }
}
