// Results that wait for their turn, where answers are to come in the order of the lines.

/// Elements by index, given out in order; at most `BulkWindow.maxLines` wait.
package struct BulkOrder<Element> {
    /// The index of the element that comes next.
    package private(set) var next: Int
    private var waiting: [Int: Element] = [:]

    /// Elements from the index `next` on.
    package init(next: Int) { self.next = next }

    /// Elements that wait.
    package var count: Int { waiting.count }

    /// Whether the element that comes next is there.
    package var isReady: Bool { waiting[next] != nil }

    /// Adds the element `index`, which was neither added before nor given out.
    package mutating func add(_ element: Element, at index: Int) {
        precondition(index >= next && index < next + BulkWindow.maxLines, "outside the window")
        let former = waiting.updateValue(element, forKey: index)
        precondition(former == nil, "added twice")
    }

    /// Gives the next element out; nil where it is not there.
    package mutating func take() -> Element? {
        guard let element = waiting.removeValue(forKey: next) else { return nil }
        next += 1
        return element
    }
}
