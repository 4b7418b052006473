// What the gateway has counted of itself: all that has no pool. It belongs to the reactor's thread.

package import Admission
package import Policy
package import Reactor

/// Counters of the gateway as a whole.
package final class GatewayMetrics {
    /// The gateway's version, also in `--version`.
    package let version: String
    /// Wall-clock time at which the gateway started, in nanoseconds since 1970.
    package let startNanoseconds: Int64

    /// Client connections accepted.
    package private(set) var connectionsAccepted: UInt64 = 0
    /// Client connections that have ended.
    package private(set) var connectionsClosed: UInt64 = 0
    /// Client connections closed right after they were accepted, for want of a slot or of
    /// descriptors.
    package var connectionsRejected: UInt64 = 0
    /// Times that accepting was paused: at the connection cap, or for want of descriptors or
    /// memory.
    package var acceptPauses: UInt64 = 0
    /// Times that a client found all connections taken.
    package var capReached: UInt64 = 0
    /// Connections that rested and were closed for others.
    package var connectionsEvicted: UInt64 = 0
    /// Connections, heads and bodies refused because a client network had its share, by
    /// `NetworkBound`.
    package var networkRefusals = [UInt64](repeating: 0, count: 3)
    /// TLS handshakes of clients that came to a connection: with all steps, and as the sequel of an earlier session.
    package private(set) var handshakes: (full: UInt64, resumed: UInt64) = (0, 0)
    /// Those that came to nothing, by `HandshakeFault.allCases`.
    package private(set) var failedHandshakes = [UInt64](
        repeating: 0, count: HandshakeFault.allCases.count)
    /// How long those took that came to something.
    package private(set) var handshakeTimes = Histogram(bounds: Histogram.durationBounds)
    /// Times that certificates of listeners were replaced, and that their files could not be used.
    package private(set) var certificateReloads: (replaced: UInt64, failed: UInt64) = (0, 0)
    /// What came of workers' handshakes, by `WorkerHandshakeResult.allCases`.
    package private(set) var workerHandshakes = [UInt64](
        repeating: 0, count: WorkerHandshakeResult.allCases.count)
    /// Bulk requests that began, and that have ended.
    package private(set) var bulkBegan: UInt64 = 0
    package private(set) var bulkEnded: UInt64 = 0
    /// Lines of bulk requests that were answered with a status of 2xx, and otherwise.
    package private(set) var bulkLinesCompleted: UInt64 = 0
    package private(set) var bulkLinesFailed: UInt64 = 0
    /// Reloads that put a new policy in force.
    package private(set) var reloads: UInt64 = 0
    /// Reloads that failed and left the old policy in force.
    package private(set) var reloadFailures: UInt64 = 0
    /// Times that the limits were written into their file, and that this failed.
    package private(set) var stateWrites: (all: UInt64, failed: UInt64) = (0, 0)
    /// What was wrong with the policy of the last attempt, the first fault of it; empty where it succeeded.
    package private(set) var lastReloadError = ""
    /// Whether the last attempt to load a policy succeeded.
    package private(set) var lastReloadSucceeded = true
    /// The files that the policy in force was read from.
    package private(set) var policySources = PolicySources(file: "")
    /// Wall-clock time at which the policy in force was loaded, in nanoseconds since 1970.
    package private(set) var lastReloadNanoseconds: Int64

    /// Characters that are kept of why a policy could not be loaded.
    private static let mostErrorCharacters = 1_000

    private var unrouted = [UInt64](repeating: 0, count: Reason.allCases.count)

    /// Makes zeroed counters of a gateway of `version` that starts, with its policy loaded, at
    /// `nanoseconds` since 1970.
    package init(version: String, startNanoseconds nanoseconds: Int64) {
        self.version = version
        self.startNanoseconds = nanoseconds
        self.lastReloadNanoseconds = nanoseconds
    }

    /// Makes zeroed counters of one reactor, which knows nothing of the gateway's life.
    package convenience init() { self.init(version: "", startNanoseconds: 0) }

    /// Shows every counter that a reactor may have to `walk`; reloads are the whole gateway's.
    func walk(_ walk: inout CounterWalk) {
        walk.visit(&connectionsAccepted)
        walk.visit(&connectionsClosed)
        walk.visit(&connectionsRejected)
        walk.visit(&acceptPauses)
        walk.visit(&capReached)
        walk.visit(&connectionsEvicted)
        walk.visit(&networkRefusals)
        walk.visit(&unrouted)
        walk.visit(&bulkBegan)
        walk.visit(&bulkEnded)
        walk.visit(&bulkLinesCompleted)
        walk.visit(&bulkLinesFailed)
        walk.visit(&handshakes.full)
        walk.visit(&handshakes.resumed)
        walk.visit(&failedHandshakes)
        walk.visit(&workerHandshakes)
        handshakeTimes.walk(&walk)
    }

    /// What is known of the gateway's life, with counters at zero.
    func copyOfLife() -> GatewayMetrics {
        let copy = GatewayMetrics(version: version, startNanoseconds: startNanoseconds)
        copy.reloads = reloads
        copy.reloadFailures = reloadFailures
        copy.stateWrites = stateWrites
        copy.certificateReloads = certificateReloads
        copy.handshakes = handshakes
        copy.failedHandshakes = failedHandshakes
        copy.handshakeTimes = handshakeTimes
        copy.workerHandshakes = workerHandshakes
        copy.lastReloadSucceeded = lastReloadSucceeded
        copy.lastReloadError = lastReloadError
        copy.policySources = policySources
        copy.lastReloadNanoseconds = lastReloadNanoseconds
        return copy
    }

    /// Client connections open now.
    package var connectionsOpen: UInt64 { connectionsAccepted &- connectionsClosed }

    /// Counts a client connection that was accepted and kept.
    package func countConnectionAccepted() { connectionsAccepted &+= 1 }

    /// Counts the end of a connection that `countConnectionAccepted` counted.
    package func countConnectionClosed() { connectionsClosed &+= 1 }

    /// Counts a bulk request that begins.
    package func countBulkBegan() { bulkBegan &+= 1 }

    /// Counts the end of one that `countBulkBegan` counted.
    package func countBulkEnded() { bulkEnded &+= 1 }

    /// Counts a line of a bulk request that was answered.
    package func countBulkLine(isCompleted: Bool) {
        if isCompleted { bulkLinesCompleted &+= 1 } else { bulkLinesFailed &+= 1 }
    }

    /// Counts a handshake that came to a connection after so many nanoseconds.
    package func countHandshake(isResumed: Bool, nanoseconds: Int64) {
        if isResumed { handshakes.resumed &+= 1 } else { handshakes.full &+= 1 }
        handshakeTimes.observe(nanoseconds: nanoseconds)
    }

    /// Counts a handshake that came to nothing.
    package func countHandshake(failed fault: HandshakeFault) {
        failedHandshakes[fault.index] &+= 1
    }

    /// Counts what came of a worker's handshake.
    package func countWorkerHandshake(_ result: WorkerHandshakeResult) {
        workerHandshakes[Int(result.rawValue)] &+= 1
    }

    /// Counts that certificates were replaced, or that their files could not be used.
    package func countCertificateReload(failed: Bool) {
        if failed { certificateReloads.failed &+= 1 } else { certificateReloads.replaced &+= 1 }
    }

    /// Counts a request that ended before a pool was found for it: `badRequest`, `noRoute` and the
    /// like.
    package func countUnrouted(_ reason: Reason) { unrouted[Int(reason.rawValue)] &+= 1 }

    /// How many requests ended for `reason` before a pool was found for them.
    package func unroutedRequests(_ reason: Reason) -> UInt64 { unrouted[Int(reason.rawValue)] }

    /// Counts a reload that put a new policy in force at `nanoseconds` since 1970.
    package func countReload(atNanoseconds nanoseconds: Int64) {
        reloads &+= 1
        lastReloadSucceeded = true
        lastReloadError = ""
        lastReloadNanoseconds = nanoseconds
    }

    /// Takes over which files the policy in force was read from.
    package func note(_ sources: PolicySources) { policySources = sources }

    /// Counts an attempt to write the limits into their file.
    package func countStateWrite(failed: Bool) {
        stateWrites.all &+= 1
        if failed { stateWrites.failed &+= 1 }
    }

    /// Counts a reload that failed and left the old policy in force.
    ///
    /// `error` is what operators are told of it, of which so many bytes are kept.
    package func countReloadFailure(_ error: String = "") {
        reloadFailures &+= 1
        lastReloadError = String(error.prefix(GatewayMetrics.mostErrorCharacters))
        lastReloadSucceeded = false
    }
}
