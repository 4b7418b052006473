// What can be seen of a pool's affinity from outside: for metrics and for the admin pages.

/// A pool's affinity at one moment.
package struct AffinityStatus: Equatable, Sendable {
    /// What it came to, since the controller was made.
    package var counts: AffinityCounts
    /// Beginnings of prompts that are remembered, and how many there is room for.
    package var entries: Int
    package var capacity: Int

    /// Affinity that came to these counts, and remembers so much.
    package init(counts: AffinityCounts, entries: Int, capacity: Int) {
        self.counts = counts
        self.entries = entries
        self.capacity = capacity
    }
}

extension AdmissionController {
    /// What affinity came to and what it remembers; nil where the pool has none.
    package var affinityStatus: AffinityStatus? {
        guard let counts = affinityCounts else { return nil }
        let (entries, capacity) = affinityEntries
        return AffinityStatus(counts: counts, entries: entries, capacity: capacity)
    }
}
