// Which lines of a bulk request are answered: the one number that a client needs to go on after a cut, and
// the few above it. Its bound is also that of what can be answered twice.

/// The lines of a bulk request that were read and answered, by index.
package struct BulkWindow {
    /// Lines from the first that is not answered on, beyond which no line is begun.
    package static let maxLines = 4096

    /// All lines with a smaller index are answered.
    package private(set) var doneBelow: Int
    /// The index of the next line that is read.
    package private(set) var next: Int
    /// Lines that were answered with a status of 2xx, and others.
    package private(set) var completed = 0
    package private(set) var failed = 0
    private let first: Int
    /// A bit for each line from `doneBelow` on, by its index modulo their count: whether it is answered.
    private var answered = [UInt64](repeating: 0, count: maxLines / 64)

    /// The window of a request whose first line has the index `first`.
    package init(first: Int) {
        self.first = first
        doneBelow = first
        next = first
    }

    /// Lines that were read.
    package var total: Int { next - first }

    /// Lines that were read and are not answered.
    package var openCount: Int { total - completed - failed }

    /// Whether another line may be read, where no more than `lines` may stand between it and the first that
    /// is not answered.
    package func hasRoom(lines: Int = maxLines) -> Bool {
        next - doneBelow < min(lines, BulkWindow.maxLines)
    }

    /// A line is read; its index.
    package mutating func begin() -> Int {
        precondition(hasRoom(), "a line beyond the window")
        next += 1
        return next - 1
    }

    /// The line `index` is answered, which was read and had no answer before.
    package mutating func finish(_ index: Int, isCompleted: Bool) {
        precondition(index >= doneBelow && index < next, "an answer to no line")
        let (word, bit) = BulkWindow.place(index)
        precondition(answered[word] & bit == 0, "a second answer to a line")
        answered[word] |= bit
        if isCompleted { completed += 1 } else { failed += 1 }
        while doneBelow < next {
            let (word, bit) = BulkWindow.place(doneBelow)
            guard answered[word] & bit != 0 else { break }
            answered[word] &= ~bit
            doneBelow += 1
        }
    }

    private static func place(_ index: Int) -> (word: Int, bit: UInt64) {
        let place = index % maxLines
        return (place / 64, 1 << UInt64(place % 64))
    }
}
