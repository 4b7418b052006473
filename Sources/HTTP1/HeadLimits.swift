// How much of a head is read before it is refused.

/// The size that a head, and a trailer section, may have.
package struct HeadLimits: Equatable, Sendable {
    /// Bytes from the first of the start line to the last of the empty line; 1 to 1 MiB.
    package var maxHeadBytes: Int
    /// Field lines; at least 0.
    package var maxFields: Int

    /// Makes limits; the defaults are 64 KiB and 100 fields.
    package init(maxHeadBytes: Int = 65_536, maxFields: Int = 100) {
        precondition(maxHeadBytes > 0 && maxHeadBytes <= 1 << 20, "a head limit out of range")
        precondition(maxFields >= 0, "a negative number of fields")
        self.maxHeadBytes = maxHeadBytes
        self.maxFields = maxFields
    }
}
