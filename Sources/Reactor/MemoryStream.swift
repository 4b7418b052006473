// A connection without a socket: what it reads was put there, what it writes can be looked at. With
// it the gateway asks itself, and a whole gateway runs on a schedule that a test or a fuzzer makes, one
// event at a time.

package import Bytes

/// The gateway's end of a connection in memory; the other end's acts are its methods.
package final class MemoryStream {
    /// Bytes sent by the peer and not yet read.
    private var incoming = ByteBuffer()
    /// Whether the peer has closed its side.
    package private(set) var isPeerClosed = false
    /// Whether the peer has reset the connection.
    package private(set) var isReset = false
    /// Bytes that the gateway has written and that nobody has taken out.
    package var output = ByteBuffer()
    /// The same as a list.
    package var written: [UInt8] { output.list }
    /// Bytes that the peer takes before writing would block.
    package var room = Int.max
    /// Whether the gateway said that nothing follows, or closed.
    package private(set) var hasEnded = false
    /// Whether the gateway closed.
    package private(set) var isClosed = false
    /// Whether it closed so that the peer cannot take what it got for whole.
    package private(set) var isCut = false

    /// Makes an open connection.
    package init() {}

    /// The peer sends `bytes`.
    package func send(_ bytes: [UInt8]) { if !isPeerClosed { incoming.append(bytes.span) } }

    /// The peer says that nothing follows.
    package func end() { isPeerClosed = true }

    /// The peer drops the connection.
    package func reset() {
        isReset = true
        isPeerClosed = true
        incoming.removeAll()
    }

    func read(into buffer: inout ByteBuffer, atMost limit: Int) -> TransferResult {
        if isReset { return .failed(0) }
        if incoming.isEmpty { return isPeerClosed ? .ended : .wouldBlock }
        let count = min(limit, incoming.count)
        if count == 0 { return .wouldBlock }
        buffer.append(0..<count, of: incoming)
        incoming.drop(count)
        return .moved(count)
    }

    func write(from buffer: inout ByteBuffer) -> TransferResult {
        if isReset || hasEnded { return .failed(0) }
        let count = min(room, buffer.count)
        if count == 0 { return .wouldBlock }
        output.append(0..<count, of: buffer)
        room -= room == .max ? 0 : count
        buffer.drop(count)
        return .moved(count)
    }

    var hasPendingInput: Bool { !incoming.isEmpty || isPeerClosed }

    func shutdownWriting() { hasEnded = true }

    func resetOnClose() { isCut = true }

    func close() {
        hasEnded = true
        isClosed = true
    }
}
