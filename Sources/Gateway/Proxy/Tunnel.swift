// A WebSocket's life after the handshake: bytes both ways below the water marks, until either side ends.
//
// Life: made when the backend has agreed, owned by its exchange, gone with it.

internal import Admission
internal import Bytes
internal import Reactor

/// A connection that is no longer HTTP's.
final class Tunnel {
    /// Whether the client has sent a byte through it.
    private var hasSpoken = false
    /// Whether reading one side waits for the other side's output to sink to the low mark.
    private var isClientPaused = false
    private var isBackendPaused = false
    /// Something last passed.
    private var progressAt: Instant

    /// After this a tunnel through which nothing passes is quiet.
    static let quietNanoseconds: Int64 = 1_000_000_000

    init(now: Instant) { progressAt = now }

    /// Moves bytes both ways.
    ///
    /// Returns whether anything moved.
    func pass(
        _ client: ClientConnection, _ upstream: UpstreamConnection, _ snapshot: Snapshot,
        now: Instant
    ) -> Bool {
        let fromClient = pass(from: client, to: upstream, snapshot, &isClientPaused)
        let fromBackend = pass(from: upstream, to: client, snapshot, &isBackendPaused)
        if fromClient { hasSpoken = true }
        if fromClient || fromBackend { progressAt = now }
        return fromClient || fromBackend
    }

    /// Moves what is there from one connection to the other; stops at the high mark and goes on
    /// below the low one.
    private func pass(
        from source: StreamConnection, to target: StreamConnection, _ snapshot: Snapshot,
        _ isPaused: inout Bool
    ) -> Bool {
        var moved = target.flush() > 0
        if isPaused && target.output.count > snapshot.bufferLowBytes { return moved }
        isPaused = false
        while target.output.count < snapshot.bufferHighBytes {
            let room = snapshot.bufferHighBytes - target.output.count
            if source.input.isEmpty, source.fill(highBytes: room) == 0 { break }
            target.prepareOutput()
            let count = min(room, source.input.count)
            target.output.append(0..<count, of: source.input)
            source.input.drop(count)
            moved = true
            if target.flush() == 0 && !target.output.isEmpty { break }
        }
        isPaused = target.output.count >= snapshot.bufferHighBytes
        return moved
    }

    /// Whether one side has closed and all that it sent has been passed on: a WebSocket has no
    /// half-closed state, so the other direction ends with it (RFC 6455 section 7.1.1).
    func hasEnded(_ client: ClientConnection, _ upstream: UpstreamConnection) -> Bool {
        hasEnded(client, towards: upstream) || hasEnded(upstream, towards: client)
    }

    private func hasEnded(_ source: StreamConnection, towards target: StreamConnection) -> Bool {
        source.inputEnded && source.input.isEmpty && target.output.isEmpty
    }

    /// Whether it takes nothing from the engine: its client has not asked for anything yet, or nothing
    /// has passed through it for a while.
    func isQuiet(now: Instant) -> Bool {
        !hasSpoken || now.nanoseconds(since: progressAt) >= Tunnel.quietNanoseconds
    }

    /// When it is quiet if nothing passes any more.
    var quietAt: Instant { progressAt.advanced(byNanoseconds: Tunnel.quietNanoseconds) }

    /// When it ends if nothing passes any more, where it may be idle for so long.
    func end(idleNanoseconds: Int64) -> Instant {
        progressAt.advanced(byNanoseconds: idleNanoseconds)
    }
}
