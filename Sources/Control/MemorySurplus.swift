// When memory that the process does not use is given back to the system. What was freed stays with the C library's allocator: a
// burst of long prompts that is over would keep its memory for as long as the process lives. How much of it is free
// nobody knows without looking, so it is tried while there is more than there was, and more and more seldom while it is of
// no use. Pure.

internal import Admission

/// Decides when freed memory is to be given back.
struct MemorySurplus {
    /// Less than this above the least that there was is left alone: 32 MiB.
    static let leastBytes = 32 << 20
    /// Nanoseconds from one look at the memory to the next.
    static let lookNanoseconds: Int64 = 10_000_000_000
    /// Nanoseconds between two tries, at most.
    static let mostNanoseconds: Int64 = 640_000_000_000

    /// More than this between two looks is growth: 1 MiB.
    private static let growthBytes = 1 << 20

    private var floor = Int.max
    private var last: Int?
    private var pause = lookNanoseconds
    private var next = Instant(nanoseconds: .min / 2)

    /// Nothing has been seen yet.
    init() {}

    /// Whether memory is to be given back now, of which `residentBytes` are there.
    ///
    /// What grew since the last look is in use.
    mutating func isDue(residentBytes: Int, now: Instant) -> Bool {
        floor = min(floor, residentBytes)
        defer { last = residentBytes }
        return residentBytes - floor >= MemorySurplus.leastBytes
            && residentBytes - (last ?? residentBytes) < MemorySurplus.growthBytes && now >= next
    }

    /// It was tried, and `residentBytes` are left of `before`.
    mutating func gaveBack(leaving residentBytes: Int, of before: Int, now: Instant) {
        let surplus = before - floor
        let isOfUse = 4 * (before - residentBytes) >= surplus
        pause =
            isOfUse ? MemorySurplus.lookNanoseconds : min(2 * pause, MemorySurplus.mostNanoseconds)
        next = now.advanced(byNanoseconds: pause)
        floor = min(floor, residentBytes)
        last = residentBytes
    }
}
