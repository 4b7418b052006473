// What the bodies of one thread's exchanges take beside the usual buffers: one count for each purpose,
// which the purpose's total is held against.

/// Bytes of bodies that one thread's exchanges have in memory.
final class BodyMemory {
    /// Of requests, held until they are forwarded; a body that has begun takes a piece of 2 KiB at least.
    private(set) var heldBytes = 0
    /// Of requests, in storage that is kept because they may have to be sent again.
    private(set) var keptBytes = 0
    /// Of responses, that outputs may hold because they are taken ahead of their clients.
    private(set) var aheadBytes = 0

    /// Counts `bytes` more that are held, or fewer.
    func changeHeld(by bytes: Int) { heldBytes += bytes }

    /// Counts `bytes` more that are kept, or fewer.
    func changeKept(by bytes: Int) { keptBytes += bytes }

    /// Counts `bytes` more that are taken ahead, or fewer.
    func changeAhead(by bytes: Int) { aheadBytes += bytes }
}
