// Lines of the log that a fault would write over and over: of each kind one a minute at most, which says how
// often the same was to be told since the last one.

internal import Admission

/// When lines of some kinds were last written, and what has happened since.
struct QuietLines {
    private var kinds: [Kind]

    private struct Kind {
        var saidAt = Instant(nanoseconds: .min / 2)
        var events = 0
    }

    private static let quietNanoseconds: Int64 = 60_000_000_000

    /// As many kinds of lines, none of which was written.
    init(_ count: Int) { kinds = Array(repeating: Kind(), count: count) }

    /// Counts an event of a kind; the number since the last line where it is time for another one.
    mutating func note(_ kind: Int, now: Instant) -> Int? {
        kinds[kind].events += 1
        guard now.nanoseconds(since: kinds[kind].saidAt) >= Self.quietNanoseconds else {
            return nil
        }
        kinds[kind].saidAt = now
        defer { kinds[kind].events = 0 }
        return kinds[kind].events
    }
}
