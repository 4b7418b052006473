// A first-in-first-out queue in one array, which grows by doubling and then never allocates.

/// A ring of plain values.
struct RingBuffer<Element> {
    private var elements: [Element]
    private var head = 0
    /// Elements held.
    private(set) var count = 0

    /// An empty ring; `filler` stands in its unused slots.
    init(filler: Element) { elements = Array(repeating: filler, count: 64) }

    var first: Element? { count == 0 ? nil : elements[head] }

    mutating func append(_ element: Element) {
        if count == elements.count { grow() }
        elements[(head + count) & (elements.count - 1)] = element
        count += 1
    }

    mutating func removeFirst() {
        head = (head + 1) & (elements.count - 1)
        count -= 1
    }

    private mutating func grow() {
        var larger = Array(elements[head...])
        larger += elements[..<head]
        larger += larger
        elements = larger
        head = 0
    }
}
