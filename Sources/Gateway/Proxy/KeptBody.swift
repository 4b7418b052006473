// What of a request's body was written to a connection that had been idle, until the response begins:
// should the connection turn out to have been at its end, the request can be sent again.

internal import Bytes
internal import HTTP1
internal import Reactor

/// A body as it was sent.
final class KeptBody {
    /// What was sent, framing included.
    private(set) var bytes = ByteBuffer()
    /// Bytes that were sent before it on its connection: the request's head.
    private(set) var headBytes = 0
    private let pool: BufferPool

    /// A body of which nothing was sent; `pool` lends its storage.
    init(pool: BufferPool) { self.pool = pool }

    /// Begins behind a head of so many bytes.
    func begin(after headBytes: Int) { self.headBytes = headBytes }

    /// Keeps the last `count` bytes of `output`.
    func keep(last count: Int, of output: borrowing ByteBuffer) {
        if bytes.capacity == 0 { pool.acquire(for: &bytes, atLeast: count) }
        bytes.append((output.count - count)..<output.count, of: output)
    }

    /// Appends what was kept to `output`.
    func append(to output: inout ByteBuffer) { output.append(0..<bytes.count, of: bytes) }

    /// Gives up what was kept.
    func release() {
        if bytes.capacity > 0 { pool.release(from: &bytes) }
    }
}
