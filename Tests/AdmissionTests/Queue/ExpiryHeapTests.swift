import Testing

@testable import Admission

@Suite struct ExpiryHeapTests {
    /// Against a plain sorted list, with insertions and removals from anywhere.
    @Test(arguments: [1, 2, 3] as [UInt64])
    func itOrdersLikeASortedList(seed: UInt64) {
        var random = SplitMix64(seed: seed)
        var heap = ExpiryHeap()
        var model: [ExpiryHeap.Node] = []
        var freeSlots = (0..<64).map(Int32.init)
        for step in 0..<20_000 as Range<UInt64> {
            if random.next(below: 2) == 0, let slot = freeSlots.popLast() {
                let time = Instant(nanoseconds: Int64(random.next(below: 50)))
                let node = ExpiryHeap.Node(expiresAt: time, sequence: step, slot: slot)
                heap.insert(node)
                model.append(node)
            } else if !model.isEmpty {
                let index = random.next(below: model.count)
                heap.remove(slot: model[index].slot)
                freeSlots.append(model[index].slot)
                model.remove(at: index)
            }
            let first = model.min { $0.isBefore($1) }
            #expect(heap.first?.sequence == first?.sequence, "seed \(seed), step \(step)")
            #expect(heap.count == model.count, "seed \(seed), step \(step)")
        }
    }
}
