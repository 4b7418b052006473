// How many backends a pool wants, for whoever starts and stops them. A number of replicas, not a ratio: a ratio is of what there
// is, so that whoever follows it climbs by one start after the other.
//
//     wanted = demand / (ρ L R)
//
// with the places L of a backend that are at work when it does all it can, the gateways R that share it, each of which learns its own
// part and sees its own demand, so that the sum over gateways is what is wanted; and ρ = 0.85, so that a pool that has what
// it wants is not full. HPA and KEDA round the sum up.

/// What a pool wants, and why.
package struct WantedBackends: Equatable, Sendable {
    /// The part of their limits that backends are to be used by: what is above it is for a moment's more.
    package static let utilization = 0.85

    /// Backends, a fraction, from 0; of all gateways' the sum counts.
    package var wanted = 0.0
    /// Places of limits that are asked for at this gateway, from 0.
    package var demand = 0.0
    /// Places of a backend that are at work when it does all it can, for all gateways together: by what full backends got
    /// done, or while none was full for long the median of the limits that were learnt; nil while nothing is known.
    package var limit: Double?
    /// Backends that can be sent requests.
    package var usable = 0
    /// Mean of the seconds that a request takes, times its places; nil before the first was served.
    package var seatSeconds: Double?

    /// Nothing is wanted.
    package init() {}
}
