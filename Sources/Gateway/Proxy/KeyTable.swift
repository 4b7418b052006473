// Whose a request is by its API key. Made from the keys file when a policy comes into force.

internal import Admission
internal import Policy

/// The API keys of a pool, by their digests.
struct KeyTable {
    private let digests: [KeyDigest]
    private let owners: [Classifier.Owner]
    /// Hash table with open addressing, at most half full: indices of `digests`, -1 for none.
    private let slots: [Int32]

    /// The table of `entries`; `owner` says which tenant has a name.
    init(_ entries: [KeyEntry], owner: (Span<UInt8>) -> Classifier.Owner) {
        digests = entries.map { KeyDigest($0.digest.span) }
        owners = entries.map { entry in
            let name = Array(entry.tenant.utf8)
            return owner(name.span)
        }
        var size = 1
        while size < 2 * entries.count { size *= 2 }
        var slots = [Int32](repeating: -1, count: size)
        for (index, digest) in digests.enumerated() {
            var slot = digest.hash & (size - 1)
            while slots[slot] >= 0 { slot = (slot + 1) & (size - 1) }
            slots[slot] = Int32(index)
        }
        self.slots = slots
    }

    /// Whose key has that digest; nil for nobody's.
    ///
    /// Which slots are looked at depends on the digest alone. Nobody can choose a key by its digest,
    /// so the time tells nothing that helps to find one.
    func owner(of digest: KeyDigest) -> Classifier.Owner? {
        let mask = slots.count &- 1
        var slot = digest.hash & mask
        while slots[slot] >= 0 {
            let index = Int(slots[slot])
            if digests[index].isEqual(to: digest) { return owners[index] }
            slot = (slot &+ 1) & mask
        }
        return nil
    }
}
