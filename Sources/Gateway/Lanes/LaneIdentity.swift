// In whose name a lane asks.

internal import Reactor

/// Whose the requests of a lane are, besides what their heads say.
struct LaneIdentity {
    /// Where the lane's client is.
    var peer = PeerAddress()
    /// What TLS has told of it; nil where it came in the clear, or there is none.
    var security: ClientSecurity?
    /// The class that the requests get in their pools, where their tenants may have it.
    let priorityClass: [UInt8]
    /// The tenant that the policy says; nil for whom a request's head names.
    var tenant: [UInt8]?

    init(priorityClass: [UInt8]) { self.priorityClass = priorityClass }
}
