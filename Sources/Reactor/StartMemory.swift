// Reading a policy touches much more of the program than serving does: the YAML parser, the tables of
// what policies may have, and the runtime's tables of types.

internal import CShims

/// Memory that reading a policy leaves behind.
package enum StartMemory {
    /// Gives it back to the system; for a time when nothing is served or a reload has ended.
    ///
    /// Takes about a millisecond. Code that is needed after all is mapped again by itself.
    package static func release() { penstock_give_memory_back() }
}
