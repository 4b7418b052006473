// Doubly linked lists over numbered slots. The links stand in one array beside the things they
// order, so that a slot can leave from anywhere in O(1) and nothing is allocated per request.

/// One list: its ends, -1 while it is empty.
struct SlotList: Sendable {
    var head: Int32 = -1
    var tail: Int32 = -1

    /// Whether it holds nothing.
    var isEmpty: Bool { head < 0 }
}

/// The links of any number of lists, of which each slot is in at most one.
struct SlotLinks: Sendable {
    private struct Link: Sendable {
        var previous: Int32 = -1
        var next: Int32 = -1
    }

    private var links: [Link] = []

    /// The slot behind `slot` in its list; -1 at the tail.
    func next(_ slot: Int32) -> Int32 { links[Int(slot)].next }

    /// The slot before `slot` in its list; -1 at the head.
    func previous(_ slot: Int32) -> Int32 { links[Int(slot)].previous }

    /// Makes room for one more slot.
    mutating func grow() { links.append(Link()) }

    /// Puts `slot`, which is in no list, at the tail.
    mutating func append(_ slot: Int32, to list: inout SlotList) {
        links[Int(slot)] = Link(previous: list.tail, next: -1)
        if list.tail >= 0 { links[Int(list.tail)].next = slot } else { list.head = slot }
        list.tail = slot
    }

    /// Takes `slot` out of the list that it is in.
    mutating func remove(_ slot: Int32, from list: inout SlotList) {
        let link = links[Int(slot)]
        if link.previous >= 0 {
            links[Int(link.previous)].next = link.next
        } else {
            list.head = link.next
        }
        if link.next >= 0 {
            links[Int(link.next)].previous = link.previous
        } else {
            list.tail = link.previous
        }
    }
}
