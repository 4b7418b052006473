// A policy in force. A request keeps the snapshot it was classified with until it ends, so a reload
// never changes the rules under a running request.

internal import Admission
internal import HTTP1
internal import Policy

/// A policy with what was prepared from it for the data path.
final class Snapshot {
    let policy: Policy
    let routes: RouteTable
    /// By the index that routes use.
    let pools: [Pool]
    /// Whether any route shares its requests among pools, or has copies of them sent elsewhere: asked for every
    /// request, so it is one answer.
    let spreads: Bool
    let headLimits: HeadLimits
    /// Bytes of the largest body that any route takes; where it is not the server's, each route has its own.
    let maxBodyBytes: Int
    let refusesAmbiguousPaths: Bool
    /// Whether there is a bulk lane.
    let hasBulk: Bool
    /// Whether some pool refuses requests without a key.
    let requiresKeys: Bool
    let bufferHighBytes: Int
    let bufferLowBytes: Int
    /// What is read of a body before its request is offered; 0 for nothing.
    let bodyBeforeQueueBytes: Int
    let bodyBeforeQueueTotalBytes: Int
    /// What a response's buffer may grow to while its client reads slowly.
    let responseAheadBytes: Int
    let responsesTotalBytes: Int
    let networkBounds: NetworkBounds
    let timeouts: Timeouts
    /// Whether a client's request id is kept.
    let keepsRequestID: Bool
    /// What is made of heads that are sent on.
    let headTexts: HeadTexts

    /// The client side's time-outs in nanoseconds.
    struct Timeouts {
        let headNanoseconds: Int64
        let bodyIdleNanoseconds: Int64
        /// Until a whole body has come; `max` for as long as it takes.
        let bodyNanoseconds: Int64
        /// What a body's byte adds to the time that it may take; 0 for no least rate.
        let bodyByteNanoseconds: Double
        let keepAliveNanoseconds: Int64
        let writeStallNanoseconds: Int64
    }

    /// `pools` are those of `policy`, in its order.
    init(_ policy: Policy, pools: [Pool]) {
        self.policy = policy
        self.pools = pools
        routes = RouteTable(policy)
        spreads = policy.routes.contains { !$0.split.isEmpty || $0.mirror != nil }
        keepsRequestID = policy.forwarding.keepRequestID
        headTexts = HeadTexts(policy.forwarding)
        hasBulk = policy.bulk != nil
        requiresKeys = policy.pools.contains { $0.claims.keys?.isRequired == true }
        let server = policy.server
        headLimits = HeadLimits(maxHeadBytes: server.maxHeadBytes, maxFields: server.maxFields)
        maxBodyBytes =
            policy.routes.map { $0.maxBodyBytes ?? server.maxBodyBytes }.max()
            ?? server.maxBodyBytes
        refusesAmbiguousPaths = server.ambiguousPaths == .refuse
        // A head must fit into the buffer that it is collected in.
        bufferHighBytes = max(server.bufferHighBytes, server.maxHeadBytes + 1024)
        bufferLowBytes = server.bufferLowBytes
        bodyBeforeQueueBytes = server.bodyBeforeQueueBytes
        bodyBeforeQueueTotalBytes = server.bodyBeforeQueueTotalBytes
        responseAheadBytes = server.bufferResponseBytes
        responsesTotalBytes = server.bufferResponsesTotalBytes
        networkBounds = NetworkBounds(server)
        let rate = Double(server.bodyMinRateBytes)
        timeouts = Timeouts(
            headNanoseconds: server.headTimeout.wholeNanoseconds,
            bodyIdleNanoseconds: server.bodyIdleTimeout.wholeNanoseconds,
            bodyNanoseconds: server.bodyTimeout?.wholeNanoseconds ?? .max,
            bodyByteNanoseconds: rate > 0 ? 1e9 / rate : 0,
            keepAliveNanoseconds: server.keepAliveTimeout.wholeNanoseconds,
            writeStallNanoseconds: server.writeStallTimeout.wholeNanoseconds)
    }
}
