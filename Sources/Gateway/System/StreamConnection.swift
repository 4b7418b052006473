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
    /// Whether the connection is still open on our side.
    final private(set) var isOpen = false
    /// Bytes received and sent over the connection's life.
    final private(set) var receivedBytes = 0
    final private(set) var sentBytes = 0

    private final var transport = Transport.closed

    /// A connection without a transport: `open` gives it one.
    init(reactor: Reactor) { self.reactor = reactor }

    /// Takes the transport over; called once, before `start`.
    final func open(_ transport: consuming Transport) {
        self.transport = transport
        isOpen = self.transport.socket() >= 0
    }

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
        guard mayRead, !inputEnded else { return 0 }
        var room = 0
        switch StreamConnection.receive(&input, highBytes, from: transport, reactor, &room) {
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
        case nil:
            break
        }
        return 0
    }

    /// Writes as much of the output as is taken, and returns the bytes that left.
    @discardableResult
    final func flush() -> Int {
        guard mayWrite else { return 0 }
        var total = 0
        switch StreamConnection.send(&output, to: transport, &total) {
        case .moved:
            break
        case .wouldBlock:
            mayWrite = false
        case .ended, .failed:
            isBroken = true
            mayWrite = false
        }
        sentBytes &+= total
        return total
    }

    /// Gives empty buffers' storage back for others to use.
    final func releaseBuffers() {
        StreamConnection.release(&input, to: reactor)
        StreamConnection.release(&output, to: reactor)
    }

    /// Lends the output its storage before something is appended to it.
    final func prepareOutput() { StreamConnection.prepare(&output, from: reactor) }

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
        isOpen = false
        input.removeAll()
        output.removeAll()
        releaseBuffers()
    }
}

// Each access to an object's buffer is checked at run time for others that it would overlap. What
// follows takes a buffer as an argument, so that a step is one access and not one for every look.
extension StreamConnection {
    /// Reads once, while fewer than `highBytes` are in the buffer; nil where there are as many.
    ///
    /// `room` is how much could have been read.
    private static func receive(
        _ buffer: inout ByteBuffer, _ highBytes: Int, from transport: borrowing Transport,
        _ reactor: Reactor, _ room: inout Int
    ) -> TransferResult? {
        let wanted = highBytes - buffer.count
        guard wanted > 0 else { return nil }
        prepare(&buffer, from: reactor)
        buffer.reserve(min(wanted, BufferPool.pieceBytes / 4))
        room = min(wanted, buffer.freeCount)
        return transport.read(into: &buffer, atMost: room)
    }

    /// Writes until the buffer is empty or nothing more is taken; `total` is what left.
    private static func send(
        _ buffer: inout ByteBuffer, to transport: borrowing Transport, _ total: inout Int
    ) -> TransferResult {
        while !buffer.isEmpty {
            let offered = buffer.count
            let result = transport.write(from: &buffer)
            guard case .moved(let count) = result else { return result }
            total &+= count
            if count < offered { return .wouldBlock }
        }
        return .moved(total)
    }

    /// Lends the buffer its storage, where it has none.
    private static func prepare(_ buffer: inout ByteBuffer, from reactor: Reactor) {
        if buffer.capacity == 0 { buffer.adopt(reactor.buffers.lend()) }
    }

    /// Gives the storage of an empty buffer back.
    private static func release(_ buffer: inout ByteBuffer, to reactor: Reactor) {
        if buffer.isEmpty && buffer.capacity > 0 { reactor.buffers.reclaim(buffer.surrender()) }
    }
}
