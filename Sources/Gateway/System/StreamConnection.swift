// What a client's and a backend's connection have in common: a transport, a buffer each way, and
// the memory of what the kernel last said about readiness.
//
// Events are edges: they set `mayRead` and `mayWrite`, and only an attempt that finds nothing
// clears them. A connection that stops reading because the other side is slow therefore misses
// nothing: it goes on when there is room.

internal import HTTP1

/// A buffered, non-blocking connection in a reactor.
class StreamConnection: EventHandler {
    /// The loop this connection lives in.
    final let reactor: Reactor
    /// Bytes received and not yet used.
    final var input = ByteBuffer()
    /// Bytes to be sent.
    final var output = ByteBuffer()
    /// Whether a read may find something.
    final private(set) var mayRead = false
    /// Whether a write may be taken.
    final private(set) var mayWrite = false
    /// Whether the peer's end was read: nothing follows what is in `input`.
    final private(set) var inputEnded = false
    /// Whether the peer is known to have closed its side, though bytes may be left to read.
    final private(set) var peerClosed = false
    /// Whether the connection failed in either direction.
    final private(set) var isBroken = false
    /// Bytes received and sent over the connection's life.
    final private(set) var receivedBytes = 0
    final private(set) var sentBytes = 0

    private final var transport = Transport.closed

    /// A connection without a transport: `open` gives it one.
    init(reactor: Reactor) { self.reactor = reactor }

    /// Takes the transport over; called once, before `start`.
    final func open(_ transport: consuming Transport) { self.transport = transport }

    /// Whether the connection is still open on our side.
    final var isOpen: Bool { transport.socket() >= 0 }

    /// Starts watching the socket; false when the kernel refuses.
    ///
    /// The first attempt to read or write is made without waiting to be told: after accept and
    /// after a dial there is often something to do already.
    final func start() -> Bool {
        mayRead = true
        mayWrite = true
        return reactor.register(self, descriptor: transport.socket())
    }

    /// Notes what the kernel said.
    ///
    /// Subclasses call this first in `ready`.
    final func note(_ readiness: Readiness) {
        if !readiness.isDisjoint(with: [.readable, .peerClosed, .hungUp, .failed]) {
            mayRead = true
        }
        if readiness.contains(.writable) { mayWrite = true }
        if !readiness.isDisjoint(with: [.peerClosed, .hungUp]) { peerClosed = true }
        if readiness.contains(.failed) { isBroken = true }
    }

    /// Reads once, while fewer than `highBytes` are buffered.
    ///
    /// Returns the bytes added.
    final func fill(highBytes: Int) -> Int {
        guard mayRead, !inputEnded, input.count < highBytes else { return 0 }
        if input.capacity == 0 { input.adopt(reactor.buffers.lend()) }
        input.reserve(min(highBytes - input.count, BufferPool.pieceBytes / 4))
        let room = min(highBytes - input.count, input.freeCount)
        switch transport.read(into: &input, atMost: room) {
        case .moved(let count):
            receivedBytes &+= count
            // The end of a peer that closed is still to be read, and is no new edge.
            if count < room && transport.shortReadMeansDrained() { mayRead = peerClosed }
            return count
        case .wouldBlock:
            mayRead = false
        case .ended:
            inputEnded = true
            peerClosed = true
            mayRead = false
        case .failed:
            isBroken = true
            inputEnded = true
            mayRead = false
        }
        return 0
    }

    /// Writes as much of the output as is taken, and returns the bytes that left.
    @discardableResult
    final func flush() -> Int {
        var total = 0
        while mayWrite && !output.isEmpty {
            let offered = output.count
            switch transport.write(from: &output) {
            case .moved(let count):
                total &+= count
                if count < offered { mayWrite = false }
            case .wouldBlock:
                mayWrite = false
            case .ended, .failed:
                isBroken = true
                mayWrite = false
            }
        }
        sentBytes &+= total
        return total
    }

    /// Gives empty buffers' storage back for others to use.
    final func releaseBuffers() {
        if input.isEmpty && input.capacity > 0 { reactor.buffers.reclaim(input.surrender()) }
        if output.isEmpty && output.capacity > 0 { reactor.buffers.reclaim(output.surrender()) }
    }

    /// Lends the output its storage before something is appended to it.
    final func prepareOutput() {
        if output.capacity == 0 { output.adopt(reactor.buffers.lend()) }
    }

    /// Whether an idle connection has anything to read, its end included; one system call.
    final func hasPendingInput() -> Bool { transport.hasPendingInput() }

    /// Tells the peer that nothing follows, and keeps reading.
    final func shutdownWriting() { transport.shutdownWriting() }

    /// Closes the connection; with `reset`, so that the peer cannot take it for a complete answer.
    final func close(reset: Bool = false) {
        guard isOpen else { return }
        if reset { transport.resetOnClose() }
        reactor.deregister(self, keepingOpen: transport.socket())
        transport = .closed
        input.removeAll()
        output.removeAll()
        releaseBuffers()
    }
}
