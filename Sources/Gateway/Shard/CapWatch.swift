// What a shard remembers while connections are scarce: when it last looked for some that could give way
// and found none, and what the log said. One for each shard, which alone uses it.

internal import Admission

/// When the log last said that connections are scarce, and what has happened since.
struct CapWatch {
    /// Lines about the cap, about bounds of networks, and about crowds of slow clients.
    private var lines = QuietLines(3)
    /// When no connection was found that could give way.
    private var foundNoneAt = Instant(nanoseconds: .min / 2)
    /// Since when none was, however often somebody looked.
    private var foundNoneSince = Instant.distantFuture

    /// How long nobody looks again after none was found.
    static let restNanoseconds: Int64 = 100_000_000
    /// How long those who have few connections are spared although nobody else's can go.
    ///
    /// It is twice as long as a connection must rest before it may go: those who filled the last places have then rested for long enough
    /// themselves, although they began what they do after the first look.
    static let mercyNanoseconds: Int64 = 2_000_000_000
    /// Who has not looked for so long does not know what was there meanwhile: another reactor may have
    /// found some.
    static let memoryNanoseconds: Int64 = 500_000_000

    /// Whether it is time to look for connections that could give way.
    func mayLook(now: Instant) -> Bool {
        now.nanoseconds(since: foundNoneAt) >= CapWatch.restNanoseconds
    }

    /// Notes that there was room for somebody.
    mutating func noteAccepted() { foundNoneSince = .distantFuture }

    /// Notes how many connections gave way.
    mutating func noteSpared(_ count: Int, now: Instant) {
        if count > 0 { return noteAccepted() }
        if !remembers(now) { foundNoneSince = .distantFuture }
        foundNoneAt = now
        foundNoneSince = min(foundNoneSince, now)
    }

    /// Whether those who have few connections have been spared for long enough.
    func isMercyOver(now: Instant) -> Bool {
        remembers(now) && now >= foundNoneSince
            && now.nanoseconds(since: foundNoneSince) >= CapWatch.mercyNanoseconds
    }

    /// Counts an event; the number since the last line where it is time for another one.
    mutating func note(_ index: Int, now: Instant) -> Int? { lines.note(index, now: now) }

    private func remembers(_ now: Instant) -> Bool {
        now.nanoseconds(since: foundNoneAt) < CapWatch.memoryNanoseconds
    }
}
