// File descriptors as values that are closed exactly once, and the reads and writes on them. This
// file and its neighbours in System are where Penstock touches C; what leaves them is safe.

package import Bytes
internal import CShims
internal import Glibc

/// What one read or write did.
package enum TransferResult: Equatable, Sendable {
    /// This many bytes were moved, at least one.
    case moved(Int)
    /// Nothing can be moved now; the descriptor's next readiness tells when.
    case wouldBlock
    /// The peer has closed its side: no byte will follow.
    case ended
    /// The connection is broken; the value is errno, or 0 where a library kept it to itself.
    case failed(Int32)
}

/// An open file descriptor, owned: closed when the value ends.
package struct Descriptor: ~Copyable, Sendable {
    /// The kernel's number for it.
    package let rawValue: Int32

    /// Takes ownership of `rawValue`, which must be open and owned by nobody else.
    package init(owning rawValue: Int32) { self.rawValue = rawValue }

    deinit { _ = close(rawValue) }

    /// Reads once into the buffer's free storage, which the caller has reserved.
    package borrowing func read(into buffer: inout ByteBuffer, atMost limit: Int) -> TransferResult
    {
        let number = rawValue
        var result = TransferResult.wouldBlock
        buffer.withFreeStorage(atMost: limit) { bytes, free in
            let count = unsafe bytes.withUnsafeMutableBytes { storage in
                // The range lies within the storage: ByteBuffer computed it from the storage's own
                // count.
                unsafe penstock_receive(
                    number, storage.baseAddress?.advanced(by: free.lowerBound), free.count, 0)
            }
            result = TransferResult(count: count, zeroMeans: .ended)
            return max(0, count)
        }
        return result
    }

    /// Writes once from the front of the buffer and drops what was taken.
    package borrowing func write(from buffer: inout ByteBuffer) -> TransferResult {
        let number = rawValue
        let count: Int
        do {
            let bytes = buffer.bytes
            count = unsafe bytes.withUnsafeBytes { storage in
                // The pointer and the count are those of one live span.
                unsafe penstock_send(
                    number, storage.baseAddress, storage.count, Int32(MSG_NOSIGNAL))
            }
        }
        if count > 0 { buffer.drop(count) }
        return TransferResult(count: count, zeroMeans: .wouldBlock)
    }

    /// Whether the peer has closed or sent something: asked of an idle connection before it is used
    /// again.
    package borrowing func hasPendingInput() -> Bool {
        var byte: UInt8 = 0
        // One byte of a live variable is borrowed for the call.
        let count = unsafe penstock_receive(rawValue, &byte, 1, Int32(MSG_PEEK | MSG_DONTWAIT))
        return count >= 0 || (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR)
    }

    /// Bytes that were written and that the peer has not taken yet; nil where the kernel does not tell.
    package borrowing func unsentBytes() -> Int? {
        let count = penstock_unsent_bytes(rawValue)
        return count < 0 ? nil : Int(count)
    }

    /// Tells the peer that nothing will follow, and keeps reading possible.
    package borrowing func shutdownWriting() { _ = shutdown(rawValue, Int32(SHUT_WR)) }

    /// Makes `close` reset the connection, so that a peer notices a cut response at once.
    package borrowing func resetOnClose() {
        var option = linger(l_onoff: 1, l_linger: 0)
        // The structure lives through the call and its size is passed along.
        _ = unsafe setsockopt(
            rawValue, SOL_SOCKET, SO_LINGER, &option, socklen_t(MemoryLayout<linger>.size))
    }
}

extension TransferResult {
    /// Reads a system call's count, and errno where it is negative.
    init(count: Int, zeroMeans zero: TransferResult) {
        if count > 0 {
            self = .moved(count)
        } else if count == 0 {
            self = zero
        } else if errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR {
            self = .wouldBlock
        } else {
            self = .failed(errno)
        }
    }
}
