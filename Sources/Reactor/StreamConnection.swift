// What a client's and a backend's connection have in common: a transport, a buffer each way, and
// the memory of what the kernel last said about readiness.
//
// Events are edges: they set `mayRead` and `mayWrite`, and only an attempt that finds nothing
// clears them. A connection that stops reading because the other side is slow therefore misses
// nothing: it goes on when there is room.

package import Bytes

/// A buffered, non-blocking connection in a reactor.
open class StreamConnection: EventHandler {
    /// The loop this connection lives in.
    package final let reactor: Reactor
    /// Where its buffers' storage comes from: the reactor's, looked up once.
    package final let buffers: BufferPool
    /// Bytes received and not yet used.
    package final var input = ByteBuffer()
    /// Bytes to be sent.
    package final var output = ByteBuffer()
    /// Whether a read may find something.
    package final private(set) var mayRead = false
    /// Whether a write may be taken.
    final private(set) var mayWrite = false
    /// Whether the peer's end was read: nothing follows what is in `input`.
    package final private(set) var inputEnded = false
    /// Whether that end was one that the peer sent, whatever followed it.
    package final private(set) var endedInOrder = false
    /// Whether the peer is known to have closed its side, though bytes may be left to read.
    package final private(set) var peerClosed = false
    /// Whether the connection failed in either direction.
    package final private(set) var isBroken = false
    /// Whether the connection is still open on our side.
    package final private(set) var isOpen = false
    /// Bytes received over the connection's life.
    package final private(set) var receivedBytes = 0
    /// Bytes sent over the connection's life.
    package final private(set) var sentBytes = 0
    /// Bytes received that were taken out of the input.
    package final var usedBytes: Int { receivedBytes &- (holdsInput ? input.count : 0) }
    /// The reactor's turn in which bytes were last received.
    package final private(set) var receivedInTurn: UInt64 = 0

    private final var transport = Transport.closed
    /// Whether a buffer may hold storage; where it holds none, it is not looked at.
    private final var holdsInput = false
    private final var holdsOutput = false
    /// Whether the last read filled all it was offered: a long body, for which larger storage is
    /// acquired.
    private final var readsMuch = false
    /// Whether reads are counted, and how many there were in the turn they were counted in.
    private final var countsReads = false
    private final var readsInTurn = 0
    private final var countedTurn: UInt64 = 0
    /// Reads in a turn, where they are counted, before others get theirs.
    private static let mostReadsInTurn = 32

    /// A connection without a transport: `open` gives it one.
    package init(reactor: Reactor) {
        self.reactor = reactor
        buffers = reactor.buffers
    }

    /// Takes the transport over; called once, before `start`.
    package final func open(_ transport: consuming Transport) {
        exchangeTransport(transport)
        isOpen = self.transport.socket() >= 0 || self.transport.isInMemory()
        countsReads = self.transport.countsReads()
    }

    /// Puts another transport in the place of the present one, which ends.
    private final func exchangeTransport(_ transport: consuming Transport) {
        swap(&transport, &self.transport)
    }

    /// Whether this is the connection over `stream`.
    final func isOver(_ stream: MemoryStream) -> Bool { transport.isOver(stream) }

    /// Starts watching the socket; false when the kernel refuses.
    ///
    /// The first attempt to read or write is made without waiting to be told: after accept and
    /// after a dial there is often something to do already.
    package final func start() -> Bool {
        mayRead = true
        mayWrite = true
        if transport.isInMemory() {
            reactor.register(self)
            return true
        }
        return reactor.register(self, descriptor: transport.socket())
    }

    /// Notes what the kernel said; false where it is no news: that a new socket can be written to.
    ///
    /// Subclasses call this first in `ready`.
    package final func note(_ readiness: Readiness) -> Bool {
        if mayWrite, readiness == .writable { return false }
        if !readiness.isDisjoint(with: [.readable, .peerClosed, .hungUp, .failed]) {
            mayRead = true
        }
        if readiness.contains(.writable) {
            mayWrite = true
            if countsReads, transport.readsAfterWriting() { mayRead = true }
        }
        if !readiness.isDisjoint(with: [.peerClosed, .hungUp]) { peerClosed = true }
        if readiness.contains(.failed) { isBroken = true }
        return true
    }

    /// Whether there is anything in the input.
    package final var hasInput: Bool { holdsInput && !input.isEmpty }

    /// Whether there is anything to be sent.
    package final var hasOutput: Bool { holdsOutput && !output.isEmpty }

    /// Reads once, while fewer than `highBytes` are buffered.
    ///
    /// Returns the bytes added.
    package final func fill(highBytes: Int) -> Int {
        guard mayRead, !inputEnded else { return 0 }
        if countsReads, !mayReadInThisTurn() { return 0 }
        var room = 0
        holdsInput = true
        let storage = readsMuch ? BufferPool.largePieceBytes : BufferPool.pieceBytes
        switch StreamConnection.receive(
            &input, highBytes, from: transport, buffers, storage, &room)
        {
        case .moved(let count):
            receivedBytes &+= count
            readsMuch = count == room && room >= BufferPool.pieceBytes
            receivedInTurn = reactor.turnNumber
            // The end of a peer that closed is still to be read, and is no new edge.
            if count < room && transport.shortReadMeansDrained() { mayRead = peerClosed }
            return count
        case .wouldBlock:
            mayRead = false
            if countsReads { lookWhyNothingCame() }
        case .ended:
            inputEnded = true
            endedInOrder = true
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

    /// A read over TLS that found nothing may wait for something to be written, or have given up for others' sake.
    @inline(never) private final func lookWhyNothingCame() {
        if transport.readsAfterWriting() { mayWrite = false }
        guard transport.holdsBack() else { return }
        mayRead = true
        reactor.resumeLater(self)
    }

    /// Counts a read; where there were enough in this turn, there is another one in the next.
    @inline(never) private final func mayReadInThisTurn() -> Bool {
        if countedTurn != reactor.turnNumber {
            countedTurn = reactor.turnNumber
            readsInTurn = 0
        }
        readsInTurn += 1
        if readsInTurn <= StreamConnection.mostReadsInTurn { return true }
        reactor.resumeLater(self)
        return false
    }

    /// Writes as much of the output as is taken, and returns the bytes that left.
    @discardableResult
    package final func flush() -> Int {
        guard mayWrite, holdsOutput else { return 0 }
        var total = 0
        switch StreamConnection.send(&output, to: transport, buffers, &total) {
        case .moved:
            // All has left, and the storage went back.
            holdsOutput = false
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
    package final func releaseBuffers() {
        if holdsInput { holdsInput = StreamConnection.release(&input, to: buffers) }
        if holdsOutput { holdsOutput = StreamConnection.release(&output, to: buffers) }
    }

    /// Acquires the output's storage before something is appended to it.
    package final func prepareOutput() {
        if holdsOutput { return }
        holdsOutput = true
        StreamConnection.prepare(&output, from: buffers, BufferPool.pieceBytes)
    }

    /// Notes that the output was given bytes together with their storage.
    package final func outputWasFilled() { holdsOutput = true }

    /// Whether an idle connection has anything to read, its end included; one system call.
    package final func hasPendingInput() -> Bool { transport.hasPendingInput() }

    /// Bytes that were sent and that the peer has not taken yet; one system call, nil where nobody
    /// knows.
    package final func unsentBytes() -> Int? { transport.unsentBytes() }

    /// Gives the output storage for `bytes`, and keeps what is in it.
    package final func growOutput(to bytes: Int) {
        holdsOutput = true
        StreamConnection.grow(&output, to: bytes, from: buffers)
    }

    /// Who is at the other end; nil where that is not over a unix socket.
    package final var peerCredentials: PeerCredentials? {
        PeerCredentials(ofSocket: transport.socket())
    }

    /// Tells the peer that nothing follows, and keeps reading.
    package final func shutdownWriting() { transport.shutdownWriting() }

    /// Gives the connection away, be it for another thread: here it is closed.
    ///
    /// Nothing may be left in its buffers.
    package final func surrender() -> Transport {
        precondition(isOpen && !hasInput && !hasOutput, "a connection is given away empty")
        if transport.isInMemory() {
            reactor.deregister(self)
        } else {
            reactor.deregister(self, keepingOpen: transport.socket())
        }
        var given = Transport.closed
        swap(&given, &transport)
        isOpen = false
        releaseBuffers()
        return given
    }

    /// Has the kernel find out within fifteen seconds that the peer's machine is gone, while nothing is on its way to it.
    package final func watchForDeath() { transport.watchForDeath() }

    /// For how many milliseconds nothing was acknowledged although something is on its way; 0 where nothing is.
    ///
    /// One system call.
    package final var unansweredMilliseconds: Int { transport.unansweredMilliseconds() }

    /// Takes in bytes that were read of this connection before it was this object's.
    package final func takeIn(_ bytes: [UInt8]) {
        holdsInput = true
        input.append(bytes.span)
        receivedBytes &+= bytes.count
    }

    /// Closes the connection; with `reset`, so that the peer cannot take it for a complete response.
    package final func close(reset: Bool = false) {
        guard isOpen else { return }
        if reset { transport.resetOnClose() }
        transport.sayGoodbye()
        if transport.isForgottenWhenClosed() {
            reactor.deregister(self)
        } else {
            reactor.deregister(self, keepingOpen: transport.socket())
        }
        exchangeTransport(.closed)
        isOpen = false
        input.removeAll()
        output.removeAll()
        releaseBuffers()
    }
}

// A buffer is an argument here: one borrow for a whole step.
extension StreamConnection {
    /// Reads once, while fewer than `highBytes` are in the buffer; nil where there are as many.
    ///
    /// `storageBytes` is what an empty buffer acquires, and `room` how much could have been read.
    private static func receive(
        _ buffer: inout ByteBuffer, _ highBytes: Int, from transport: borrowing Transport,
        _ pool: BufferPool, _ storageBytes: Int, _ room: inout Int
    ) -> TransferResult? {
        let wanted = highBytes - buffer.count
        guard wanted > 0 else { return nil }
        prepare(&buffer, from: pool, storageBytes)
        buffer.reserve(min(wanted, BufferPool.pieceBytes / 4))
        room = min(wanted, buffer.freeCount)
        return transport.read(into: &buffer, atMost: room)
    }

    /// Writes until the buffer is empty or nothing more is taken; `total` is what left.
    ///
    /// The storage of a buffer that became empty goes back.
    private static func send(
        _ buffer: inout ByteBuffer, to transport: borrowing Transport, _ pool: BufferPool,
        _ total: inout Int
    ) -> TransferResult {
        while !buffer.isEmpty {
            let offered = buffer.count
            let result = transport.write(from: &buffer)
            guard case .moved(let count) = result else { return result }
            total &+= count
            if count < offered { return .wouldBlock }
        }
        _ = release(&buffer, to: pool)
        return .moved(total)
    }

    /// Acquires the buffer's storage, where it has none.
    private static func prepare(
        _ buffer: inout ByteBuffer, from pool: BufferPool, _ storageBytes: Int
    ) {
        guard buffer.capacity == 0 else { return }
        pool.acquire(for: &buffer, large: storageBytes > BufferPool.pieceBytes)
    }

    /// Exchanges the buffer's storage for larger one, unless it has as much.
    private static func grow(_ buffer: inout ByteBuffer, to bytes: Int, from pool: BufferPool) {
        guard buffer.capacity < bytes else { return }
        var larger = ByteBuffer()
        pool.acquire(for: &larger, atLeast: bytes)
        larger.append(0..<buffer.count, of: buffer)
        swap(&larger, &buffer)
        pool.release(from: &larger)
    }

    /// Gives the storage of an empty buffer back; whether it still holds some.
    private static func release(_ buffer: inout ByteBuffer, to pool: BufferPool) -> Bool {
        guard buffer.isEmpty else { return true }
        if buffer.capacity > 0 { pool.release(from: &buffer) }
        return false
    }
}
