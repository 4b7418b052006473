// Memory that the process does not need any more. Reading a policy touches much more of the program than serving does: the
// YAML parser, the tables of what policies may have, and the runtime's tables of types. And what is freed stays with the C
// library's allocator, however much it was.

internal import CShims

/// Memory that nobody needs any more.
package enum SpareMemory {
    /// Gives back what reading a policy has left behind; for a time when nothing is served or a reload has ended.
    ///
    /// Takes about a millisecond. Code that is needed after all is mapped again by itself.
    package static func release() { penstock_give_memory_back() }

    /// Gives back to the system what was freed since.
    ///
    /// Threads that ask for memory meanwhile wait for a part of the milliseconds that it takes.
    package static func giveBackFreed() { penstock_give_freed_memory_back() }
}
