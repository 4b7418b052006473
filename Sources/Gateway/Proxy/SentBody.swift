// What of a request's body was written to a backend's connection, until the response begins: should the
// connection turn out to have been at its end, or its backend fail, the request can be sent again.

internal import Bytes
internal import HTTP1
internal import Reactor

/// A body as it was sent.
final class SentBody {
    /// Whether all that was sent of the body is kept.
    private(set) var isKept = false
    /// What was sent, framing included.
    private var bytes = ByteBuffer()
    /// Bytes that are kept, framing included.
    var count: Int { bytes.count }
    /// Bytes that were sent before it on its connection: the request's head.
    private var headBytes = 0
    private let pool: BufferPool
    private let memory: BodyMemory

    /// Bytes that are kept of one body, and storage for those of all a thread's: what is longer is
    /// sent once.
    static let mostBytes = 256 << 10
    private static let mostTotalBytes = 8 << 20

    /// A body of which nothing was sent; `pool` lends its storage.
    init(pool: BufferPool, memory: BodyMemory) {
        self.pool = pool
        self.memory = memory
    }

    /// Begins to keep what follows the request's head, which `connection` has sent or holds.
    func begin(on connection: UpstreamConnection) {
        isKept = true
        headBytes = SentBody.bytesBefore(connection)
    }

    /// What was sent of the request, and is held to be.
    private static func bytesBefore(_ connection: UpstreamConnection) -> Int {
        connection.sentSinceBegun + (connection.hasOutput ? connection.output.count : 0)
    }

    /// Sends what was kept once more.
    func send(on connection: UpstreamConnection) {
        headBytes = SentBody.bytesBefore(connection)
        connection.output.append(0..<bytes.count, of: bytes)
    }

    /// Keeps what `connection` is about to send of the body; gives up where that is too much, or has left
    /// already.
    func keep(from connection: UpstreamConnection) {
        let waiting = connection.hasOutput ? connection.output.count : 0
        let count = connection.sentSinceBegun + waiting - headBytes
        let fresh = count - bytes.count
        guard fresh > 0 else { return }
        guard fresh <= waiting, count <= SentBody.mostBytes,
            memory.keptBytes + count <= SentBody.mostTotalBytes
        else {
            drop()
            return
        }
        memory.changeKept(by: -bytes.capacity)
        append(last: fresh, of: connection.output)
        memory.changeKept(by: bytes.capacity)
    }

    /// Keeps `body`, whose storage it takes, as what `connection` is about to send behind the head: nothing is copied
    /// then; gives up where that is too much.
    func take(_ body: inout ByteBuffer) {
        precondition(bytes.capacity == 0, "something was kept of the body already")
        guard body.count <= SentBody.mostBytes,
            memory.keptBytes + body.count <= SentBody.mostTotalBytes
        else { return drop() }
        swap(&bytes, &body)
        memory.changeKept(by: bytes.capacity)
    }

    private func append(last count: Int, of output: borrowing ByteBuffer) {
        pool.makeRoom(in: &bytes, for: bytes.count + count)
        bytes.append((output.count - count)..<output.count, of: output)
    }

    /// Gives up what is kept.
    func drop() {
        guard isKept else { return }
        isKept = false
        guard bytes.capacity > 0 else { return }
        memory.changeKept(by: -bytes.capacity)
        pool.release(from: &bytes)
    }
}
