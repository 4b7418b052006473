// What a route says beside its pool about the requests that take it, made ready when the policy is loaded. Routes that
// say nothing of it have none.

internal import Admission
internal import HTTP1
internal import Policy

/// A route's rules for its requests.
final class RouteRules: Sendable {
    let path: PathRewrite?
    let request: FieldEditor?
    let response: FieldEditor?
    /// Whether clients' keys stay here, because the route sets one of its own.
    let hasKey: Bool
    /// Bytes of a request's body.
    let maxBodyBytes: Int
    /// Whether a path is refused that servers read in several ways, since none goes out as it came.
    let refusesAmbiguousPaths: Bool
    /// In nanoseconds, each -1 where the pool's counts.
    private let firstByteNanoseconds: Int64
    private let idleNanoseconds: Int64
    private let streamStallNanoseconds: Int64
    private let tunnelIdleNanoseconds: Int64

    /// The rules of that route of `policy`; nil where there are none.
    init?(ofRoute index: Int, in policy: Policy) {
        let route = policy.routes[index]
        // Where one route may have larger bodies, each has a bound of its own.
        let boundsBodies = policy.routes.contains { $0.maxBodyBytes != nil }
        let pools = route.pools + [route.fallback?.pool, route.mirror?.pool].compactMap(\.self)
        let changesPaths = route.changesPath || pools.contains { policy.pools[$0].changesPaths }
        guard
            boundsBodies || changesPaths || route.timeouts != Route.Timeouts()
                || !route.request.isEmpty || !route.response.isEmpty
        else { return nil }
        path = PathRewrite(route)
        hasKey = route.request.hasKey
        request = FieldEditor(route.request, dropsKeys: hasKey)
        response = FieldEditor(route.response)
        maxBodyBytes = route.maxBodyBytes ?? policy.server.maxBodyBytes
        refusesAmbiguousPaths = changesPaths
        firstByteNanoseconds = route.timeouts.firstByte?.wholeNanoseconds ?? -1
        idleNanoseconds = route.timeouts.idle?.wholeNanoseconds ?? -1
        streamStallNanoseconds = route.timeouts.streamStall?.wholeNanoseconds ?? -1
        tunnelIdleNanoseconds = route.timeouts.tunnelIdle?.wholeNanoseconds ?? -1
    }

    /// The pool's time-outs, where the route has no others.
    func timeouts(instead pool: Pool.Timeouts) -> Pool.Timeouts {
        var timeouts = pool
        if firstByteNanoseconds >= 0 { timeouts.firstByteNanoseconds = firstByteNanoseconds }
        if idleNanoseconds >= 0 { timeouts.idleNanoseconds = idleNanoseconds }
        if streamStallNanoseconds >= 0 { timeouts.streamStallNanoseconds = streamStallNanoseconds }
        if tunnelIdleNanoseconds >= 0 { timeouts.tunnelIdleNanoseconds = tunnelIdleNanoseconds }
        return timeouts
    }
}
