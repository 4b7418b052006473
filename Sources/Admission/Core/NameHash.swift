// A hash of names that operators choose, the same in every process and version.

extension String {
    /// The 64-bit FNV-1a hash of its UTF-8 (Fowler, Noll, Vo).
    package var nameHash: UInt64 {
        utf8.reduce(0xCBF2_9CE4_8422_2325) { ($0 ^ UInt64($1)) &* 0x0000_0100_0000_01B3 }
    }
}
