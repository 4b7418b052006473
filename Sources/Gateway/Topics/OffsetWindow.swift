// What is under way of one partition, and where its group goes on: behind the last message whose result is written, with
// all before it. Results are written in the order of their messages, so that whoever takes the partition over repeats
// nothing that was written. Offsets may have gaps: markers of transactions and compacted messages are none of ours. Pure.

/// Messages of a partition in order, from the first that has not been written.
struct OffsetWindow<Outcome> {
    /// What became of a message that was offered.
    enum Beginning {
        case taken
        /// It was taken before.
        case known
        /// There is no room for it.
        case full
    }

    private struct Entry {
        let offset: Int64
        var outcome: Outcome?
    }

    private var entries: [Entry] = []
    /// How many messages there are at most.
    let bound: Int

    /// A window of at most `bound` messages.
    init(bound: Int) { self.bound = bound }

    /// Messages whose results have not been written.
    var count: Int { entries.count }
    /// Whether another message may begin.
    var hasRoom: Bool { entries.count < bound }
    /// The offset of the message that was taken last; nil where there is none.
    private(set) var lastOffset: Int64?

    /// Takes a message, if there is room and it stands behind all others.
    mutating func begin(_ offset: Int64) -> Beginning {
        if let lastOffset, offset <= lastOffset { return .known }
        guard hasRoom else { return .full }
        lastOffset = offset
        entries.append(Entry(offset: offset))
        return .taken
    }

    /// Its work has ended; false where it is not under way.
    mutating func finish(_ offset: Int64, _ outcome: Outcome) -> Bool {
        guard let index = index(of: offset), entries[index].outcome == nil else { return false }
        entries[index].outcome = outcome
        return true
    }

    /// Writes another outcome over that of a message which could not be written as it was; the former one, nil where
    /// there is none.
    mutating func replace(_ offset: Int64, _ outcome: Outcome) -> Outcome? {
        guard let index = index(of: offset), let former = entries[index].outcome else {
            return nil
        }
        entries[index].outcome = outcome
        return former
    }

    /// What can be written now, in order.
    func ready(most: Int) -> [(offset: Int64, outcome: Outcome)] {
        var found: [(offset: Int64, outcome: Outcome)] = []
        for entry in entries.prefix(most) {
            guard let outcome = entry.outcome else { break }
            found.append((entry.offset, outcome))
        }
        return found
    }

    /// The first messages, up to `offset`, were written; their outcomes.
    @discardableResult
    mutating func written(through offset: Int64) -> [(offset: Int64, outcome: Outcome)] {
        let count = entries.prefix { $0.offset <= offset }.count
        let gone = ready(most: count)
        precondition(gone.count == count, "what has no outcome was not written")
        entries.removeFirst(count)
        return gone
    }

    private func index(of offset: Int64) -> Int? {
        var (low, high) = (0, entries.count)
        while low < high {
            let middle = (low + high) / 2
            if entries[middle].offset < offset { low = middle + 1 } else { high = middle }
        }
        return low < entries.count && entries[low].offset == offset ? low : nil
    }
}
