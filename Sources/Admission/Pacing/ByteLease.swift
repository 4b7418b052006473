// What one body may pass of bytes: what was fetched of its pool's rate, and of its tenant's, and not used.

/// A body's part in the rates that hold for it.
///
/// It is opened and closed by `ByteRates`, each once.
package struct ByteLease: Equatable, Sendable {
    /// A place in a rate's ring, and what was fetched there.
    struct Share: Equatable, Sendable {
        let place: Int
        var bytes = 0
    }

    let direction: ByteDirection
    /// Whose rate it has besides the pool's.
    let tenant: ByteRates.TenantRow
    var ofPool: Share?
    var ofTenant: Share?

    /// Bytes that may pass now, from 0.
    package var bytes: Int { min(ofPool?.bytes ?? .max, ofTenant?.bytes ?? .max) }

    /// So many bytes have passed, no more than `bytes`.
    package mutating func use(_ count: Int) {
        ofPool?.bytes -= count
        ofTenant?.bytes -= count
    }
}
