// The requests of a pool that wait for a permit: first in, first out. A table of slots that are
// used again, linked in order, with a heap of expiries beside it. It never allocates once it has
// been as long as it gets.

/// A first-in-first-out queue whose entries can leave from anywhere.
struct ParkedQueue: Sendable {
    struct Entry: Sendable {
        var id: RequestID
        var bodyBytes: Int
        var parkedAt: Instant
        /// What an entry is refused for that is still here at its expiry.
        var expiryReason: Reason
        /// Neighbours in the queue, or the next free slot; -1 ends either list.
        var previous: Int32 = -1
        var next: Int32 = -1
        var generation: UInt32 = 0
        var isParked = true
    }

    private var entries: [Entry] = []
    private var expiries = ExpiryHeap()
    private var head: Int32 = -1
    private var tail: Int32 = -1
    private var free: Int32 = -1
    private var sequence: UInt64 = 0
    /// Entries in the queue.
    private(set) var count = 0
    /// The sum of their body bytes.
    private(set) var bytes = 0

    /// Whether nobody waits.
    var isEmpty: Bool { count == 0 }
    /// When the next entry expires.
    var nextExpiry: Instant? { expiries.first?.expiresAt }
    /// When the entry at the head came into the queue.
    var headParkedAt: Instant? { head < 0 ? nil : entries[Int(head)].parkedAt }

    /// Puts an entry at the tail, or at the head when it had its turn before.
    mutating func insert(_ entry: Entry, expiresAt: Instant, atHead: Bool) -> ParkedHandle {
        let slot = takeSlot(for: entry)
        if atHead { linkAtHead(slot) } else { linkAtTail(slot) }
        sequence += 1
        expiries.insert(.init(expiresAt: expiresAt, sequence: sequence, slot: slot))
        count += 1
        bytes += entry.bodyBytes
        return ParkedHandle(slot: slot, generation: entries[Int(slot)].generation)
    }

    /// Takes out the entry at the head.
    mutating func popHead() -> Entry? {
        head < 0 ? nil : remove(slot: head)
    }

    /// Takes out the entry that expired first, if one has.
    mutating func popExpired(now: Instant) -> Entry? {
        guard let first = expiries.first, first.expiresAt <= now else { return nil }
        return remove(slot: first.slot)
    }

    /// Takes out the entry that `handle` names; false when it has left already.
    mutating func cancel(_ handle: ParkedHandle) -> Bool {
        let slot = Int(handle.slot)
        guard entries.indices.contains(slot), entries[slot].isParked,
            entries[slot].generation == handle.generation
        else { return false }
        _ = remove(slot: handle.slot)
        return true
    }

    private mutating func takeSlot(for entry: Entry) -> Int32 {
        guard free >= 0 else {
            entries.append(entry)
            return Int32(entries.count - 1)
        }
        let slot = free
        free = entries[Int(slot)].next
        let generation = entries[Int(slot)].generation &+ 1
        entries[Int(slot)] = entry
        entries[Int(slot)].generation = generation
        return slot
    }

    private mutating func linkAtTail(_ slot: Int32) {
        entries[Int(slot)].previous = tail
        if tail >= 0 { entries[Int(tail)].next = slot } else { head = slot }
        tail = slot
    }

    private mutating func linkAtHead(_ slot: Int32) {
        entries[Int(slot)].next = head
        if head >= 0 { entries[Int(head)].previous = slot } else { tail = slot }
        head = slot
    }

    private mutating func remove(slot: Int32) -> Entry {
        let entry = entries[Int(slot)]
        if entry.previous >= 0 {
            entries[Int(entry.previous)].next = entry.next
        } else {
            head = entry.next
        }
        if entry.next >= 0 {
            entries[Int(entry.next)].previous = entry.previous
        } else {
            tail = entry.previous
        }
        expiries.remove(slot: slot)
        entries[Int(slot)].isParked = false
        entries[Int(slot)].next = free
        free = slot
        count -= 1
        bytes -= entry.bodyBytes
        return entry
    }
}
