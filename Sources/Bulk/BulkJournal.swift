// Which lines a client has answers to. What it writes them to is its journal: a line with a result there is
// done, whatever else was sent or lost.

/// The answers that a client of the bulk lane has.
package struct BulkJournal {
    /// All lines with a smaller index have an answer.
    package private(set) var doneBelow = 0
    /// Answers, and how many of them have no status of 2xx.
    package private(set) var count = 0
    package private(set) var failed = 0
    /// Lines above that have one.
    private var above: Set<Int> = []

    /// A journal without answers.
    package init() {}

    /// Whether there are more answers above the first line that has none than any gateway gives: they are to
    /// other lines.
    package var isForeign: Bool { above.count > BulkWindow.maxLines }

    /// Takes an answer to the line `index`, with that status; false where there is one.
    package mutating func note(_ index: Int, status: Int?) -> Bool {
        guard index >= doneBelow else { return false }
        if index == doneBelow {
            doneBelow += 1
            while above.remove(doneBelow) != nil { doneBelow += 1 }
        } else {
            guard above.insert(index).inserted else { return false }
        }
        count += 1
        if status.map({ $0 / 100 == 2 }) != true { failed += 1 }
        return true
    }
}
