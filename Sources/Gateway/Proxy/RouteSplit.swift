// A route's split, ready to choose a pool for a request: by highest random weight, in which each pool gets a
// number from a hash of what the request has in common with others and of the pool's name, and the highest one wins
// (Thaler and Ravishankar, "Using name-based mappings to increase hit rates", 1998). With -w / ln u as the number, for
// u in (0, 1) from the hash and the share w, each wins with the probability of its share, and a share that grows takes
// requests from the others without moving any among these (Schindelhauer and Schomaker, "Weighted distributed hash
// tables", 2005).

internal import Admission
internal import Policy

/// Which pool of a split a request goes to.
final class RouteSplit: Sendable {
    private struct Part {
        let pool: Int
        let share: Double
        /// A hash of the pool's name, so that all gateways agree, whatever the order of the file.
        let salt: UInt64
    }

    private let parts: [Part]
    /// Which requests go to the same pool: those of a tenant, or those with the same value of a field.
    let sticksToTenant: Bool
    let header: [UInt8]?
    /// Whether a refused request goes to the next pool.
    let spills: Bool

    /// The same for all gateways, for they are to agree; a client that foresees its pool gains nothing.
    static let hashKey = HashKey(low: 0x7065_6e73_746f_636b, high: 0x7370_6c69_7473_2e31)

    init(_ route: Route, names: [String]) {
        parts = route.split.map { part in
            let name = Array(names[part.pool].utf8)
            return Part(
                pool: part.pool, share: part.share, salt: RouteSplit.hashKey.hash(name.span))
        }
        sticksToTenant = route.stickiness == .tenant
        header = if case .header(let name) = route.stickiness { Array(name.utf8) } else { nil }
        spills = route.spills
    }

    /// The part that requests of that hash go to which have been at none of `tried`, a bit for each; nil where no
    /// part with a share is left.
    func part(for hash: UInt64, besides tried: UInt32 = 0) -> Int? {
        var best: Int?
        var least = Double.infinity
        for index in parts.indices where tried & 1 << UInt32(index) == 0 && parts[index].share > 0 {
            let score =
                -naturalLogarithm(RouteSplit.unit(hash ^ parts[index].salt)) / parts[index].share
            if score < least {
                least = score
                best = index
            }
        }
        return best
    }

    /// The index of a part's pool in the policy.
    func pool(of part: Int) -> Int { parts[part].pool }

    /// A number in (0, 1) that differs in every bit where `bits` differ in one, by the finalizer of SplitMix64
    /// (Steele, Lea and Flood, 2014).
    static func unit(_ bits: UInt64) -> Double {
        (Double(SplitMix64.mix(bits) &>> 11) + 0.5) * 0x1p-53
    }
}
