// Sets of the names that the gateway acts on: whether a field line stays or goes is then one test.

/// A set of field names, one bit for each.
package struct FieldNames: Equatable, Sendable {
    private var bits: UInt64 = 0

    /// Makes an empty set.
    package init() {}

    /// Makes a set of `names`.
    package init(_ names: [FieldName]) {
        for name in names { insert(name) }
    }

    /// Adds a name.
    package mutating func insert(_ name: FieldName) { bits |= FieldNames.bit(name) }

    /// Adds all names of `other`.
    package mutating func formUnion(_ other: FieldNames) { bits |= other.bits }

    /// Whether `name` is in the set.
    package func contains(_ name: FieldName) -> Bool { bits & FieldNames.bit(name) != 0 }

    /// Whether some name is in both sets.
    package func overlaps(_ other: FieldNames) -> Bool { bits & other.bits != 0 }

    /// There are fewer names than bits.
    @inline(__always)
    private static func bit(_ name: FieldName) -> UInt64 {
        1 &<< UInt64(truncatingIfNeeded: name.rawValue)
    }
}
