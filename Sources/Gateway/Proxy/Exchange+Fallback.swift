// Degrading instead of refusing: a route may name a pool, of a smaller model as a rule, that takes
// what would wait too long in its own. What its tenant may not ask for at all is refused: the other pool
// is no way round a quota, and charges the same one.

internal import Admission
internal import Bytes
internal import HTTP1
internal import Policy
internal import Telemetry

extension Exchange {
    /// The fallback that is still open to this request.
    private var openFallback: Route.Fallback? {
        guard !hasFallenBack, routeIndex >= 0 else { return nil }
        return snapshot.policy.routes[routeIndex].fallback
    }

    /// Sends the request to the fallback where `pool` would let it wait for too long.
    func fallsBack(before pool: Pool) -> Bool {
        guard let fallback = openFallback,
            let wait = pool.predictedWaitSeconds({ makeTicket(pool) }),
            wait > Double(fallback.maxWait.wholeNanoseconds) / 1e9
        else { return false }
        // Whose room it did not find: the other pool says what it has there.
        let isRetry = RequestHints(intake.head).isRetry
        guard spills() || fallBack(to: fallback) else { return false }
        pool.turnedAway(isRetry: isRetry)
        return true
    }

    /// Sends the request to the fallback after it was refused.
    func fallsBack(after rejection: Rejection) -> Bool {
        guard let fallback = openFallback,
            rejection.reason.isOfPool, !outlet.isBegun
        else { return false }
        return fallBack(to: fallback)
    }

    /// Says in a response's head that it is the fallback's.
    func appendFallback(to output: inout ByteBuffer) {
        guard hasFallenBack, let pool else { return }
        output.append("X-Penstock-Fallback: ")
        output.append(pool.name)
        output.appendLineEnd()
    }

    private func fallBack(to fallback: Route.Fallback) -> Bool {
        let other = snapshot.pools[fallback.pool]
        if asksForTunnel, other.settings.webSocket != .allow { return false }
        // The name in a compressed body cannot be replaced.
        if fallback.model != nil, isModelFixed {
            return false
        }
        hasFallenBack = true
        // Who has spilled over is paid for as in the pool that was chosen first.
        if let pool, !spread.hasSpilled { claim.leave(pool) }
        if let model = fallback.model {
            guard replaceModel(Array(model.utf8)) else { return true }
        }
        pool?.metrics.fallbacks &+= 1
        pool = other
        if other.chargesLengths { intake.noteCoding() }
        guard let client else { return true }
        ask(other, intake.head, from: client)
        return true
    }
}
