// Who a request is made for. What names a tenant has to stay the same over reloads: exchanges,
// permits and learnt figures outlive the settings in which the tenant was found.

/// The name of a tenant of the policy, as a number that is the same in every version of the policy.
///
/// It is the 64-bit FNV-1a hash of the name (Fowler, Noll, Vo) with MurmurHash3's finalizer. Names
/// are chosen by operators, so nobody can look for two of one hash; among 100,000 names two have
/// the same with a probability of 3e-10.
package struct TenantKey: Hashable, Sendable {
    /// The hash.
    package let rawValue: UInt64

    /// The key of the tenant that the policy calls `name`.
    package init(_ name: String) {
        var hash = name.nameHash
        hash = (hash ^ hash >> 33) &* 0xFF51_AFD7_ED55_8CCD
        hash = (hash ^ hash >> 33) &* 0xC4CE_B9FE_1A85_EC53
        rawValue = hash ^ hash >> 33
    }

    /// The key of that hash, which any other function has made.
    init(rawValue: UInt64) { self.rawValue = rawValue }
}

/// Who a request is made for.
package enum TenantID: Hashable, Sendable {
    /// Nobody said; all of these are one tenant.
    case anonymous
    /// A tenant that the policy names.
    case named(TenantKey)
    /// A tenant that the policy does not name, by a hash of what it calls itself.
    case hashed(UInt64)

    /// The tenant that the policy calls `name`.
    package static func named(_ name: String) -> TenantID { .named(TenantKey(name)) }
}

/// Finds the row of a tenant by its key: open addressing with linear probing, at most half full.
struct TenantIndex: Sendable {
    private struct Slot: Sendable {
        var key: UInt64
        var row: Int32
    }

    private var slots = [Slot(key: 0, row: -1)]

    /// An index of nobody.
    init() {}

    /// An index of these keys and rows; of two equal keys the first counts.
    init(_ entries: [(key: TenantKey, row: Int32)]) {
        var size = 1
        while size < 2 * (entries.count + 1) { size *= 2 }
        slots = Array(repeating: Slot(key: 0, row: -1), count: size)
        for entry in entries where row(of: entry.key) == nil {
            var index = Int(truncatingIfNeeded: entry.key.rawValue) & (size - 1)
            while slots[index].row >= 0 { index = (index + 1) & (size - 1) }
            slots[index] = Slot(key: entry.key.rawValue, row: entry.row)
        }
    }

    /// The row of that key; nil when the policy does not have it.
    @inline(__always) func row(of key: TenantKey) -> Int32? {
        let mask = slots.count &- 1
        var index = Int(truncatingIfNeeded: key.rawValue) & mask
        while slots[index].row >= 0 {
            if slots[index].key == key.rawValue { return slots[index].row }
            index = (index &+ 1) & mask
        }
        return nil
    }
}
