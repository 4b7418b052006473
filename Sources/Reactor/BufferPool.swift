// Storage for connections' buffers, acquired while bytes are in them. An idle connection holds
// none.
//
// There are five sizes: one for heads, events and short responses, one for bodies that keep filling
// the first, which then take a quarter of the system calls, one for prompts that are held whole, and two for those that
// are short, of which many may wait.

package import Bytes

/// Storage of five sizes, kept for reuse up to a bound.
package final class BufferPool {
    /// Bytes of one piece of storage.
    package static let pieceBytes = 16 * 1024
    /// Bytes of a piece for long bodies.
    package static let largePieceBytes = 64 * 1024
    /// Bytes of a piece for what is held whole.
    package static let hugePieceBytes = 256 * 1024
    /// Bytes of the pieces for what is short and held.
    package static let smallPieceBytes = 2 * 1024
    package static let mediumPieceBytes = 8 * 1024
    /// Small pieces kept at most, and medium ones; 256 KiB each.
    package static let keptSmallPieces = 128
    package static let keptMediumPieces = 32
    /// Pieces kept at most besides the last one; 1 MiB.
    package static let keptPieces = 64
    /// Large pieces kept at most; 1 MiB.
    package static let keptLargePieces = 16
    /// Huge pieces kept at most; 1 MiB.
    package static let keptHugePieces = 4

    /// The pieces that came back last: one for each side of a connection.
    ///
    /// Changing places with them counts no references, as moving pieces in and out of an array does.
    private var lastPiece = ByteBuffer()
    private var nextPiece = ByteBuffer()
    private var smallPieces: [[UInt8]] = []
    private var mediumPieces: [[UInt8]] = []
    private var pieces: [[UInt8]] = []
    private var largePieces: [[UInt8]] = []
    private var hugePieces: [[UInt8]] = []

    /// Makes an empty pool.
    package init() {}

    /// Acquires a piece for `buffer`, which must hold no storage; it is made anew where none is
    /// kept.
    package func acquire(for buffer: inout ByteBuffer, large: Bool = false) {
        precondition(buffer.capacity == 0, "acquiring storage for a buffer that has some")
        if large {
            buffer.takeStorage(
                largePieces.popLast()
                    ?? [UInt8](repeating: 0, count: BufferPool.largePieceBytes))
            return
        }
        swap(&buffer, &lastPiece)
        if buffer.capacity > 0 { return }
        swap(&buffer, &nextPiece)
        if buffer.capacity > 0 { return }
        buffer.takeStorage(
            pieces.popLast() ?? [UInt8](repeating: 0, count: BufferPool.pieceBytes))
    }

    /// Acquires storage for so many bytes: a piece of a size that holds them, or what is made for
    /// them where none does.
    package func acquire(for buffer: inout ByteBuffer, atLeast count: Int) {
        precondition(buffer.capacity == 0, "acquiring storage for a buffer that has some")
        if count <= BufferPool.smallPieceBytes {
            buffer.takeStorage(
                smallPieces.popLast()
                    ?? [UInt8](repeating: 0, count: BufferPool.smallPieceBytes))
            return
        }
        if count <= BufferPool.mediumPieceBytes {
            buffer.takeStorage(
                mediumPieces.popLast()
                    ?? [UInt8](repeating: 0, count: BufferPool.mediumPieceBytes))
            return
        }
        if count <= BufferPool.largePieceBytes {
            acquire(for: &buffer, large: count > BufferPool.pieceBytes)
            return
        }
        var size = BufferPool.hugePieceBytes
        while size < count { size *= 2 }
        if size == BufferPool.hugePieceBytes, let piece = hugePieces.popLast() {
            buffer.takeStorage(piece)
        } else {
            buffer.takeStorage([UInt8](repeating: 0, count: size))
        }
    }

    /// Has `buffer` hold `count` bytes, which may be more than it has storage for: what it has is copied into a larger
    /// piece then, and its own comes back.
    package func makeRoom(in buffer: inout ByteBuffer, for count: Int) {
        if count <= buffer.capacity { return }
        if buffer.capacity == 0 { return acquire(for: &buffer, atLeast: count) }
        var larger = ByteBuffer()
        acquire(for: &larger, atLeast: count)
        larger.append(0..<buffer.count, of: buffer)
        swap(&larger, &buffer)
        release(from: &larger)
    }

    /// Takes the storage of `buffer` back, whose bytes go; what has grown is let go, so that the
    /// pool's size stays bounded.
    package func release(from buffer: inout ByteBuffer) {
        buffer.removeAll()
        if buffer.capacity == BufferPool.pieceBytes {
            swap(&buffer, &lastPiece)
            if buffer.capacity == 0 { return }
            swap(&buffer, &nextPiece)
            if buffer.capacity == 0 { return }
            let piece = buffer.giveStorage()
            if pieces.count < BufferPool.keptPieces - 1 { pieces.append(piece) }
            return
        }
        let piece = buffer.giveStorage()
        switch piece.count {
        case BufferPool.smallPieceBytes:
            if smallPieces.count < BufferPool.keptSmallPieces { smallPieces.append(piece) }
        case BufferPool.mediumPieceBytes:
            if mediumPieces.count < BufferPool.keptMediumPieces { mediumPieces.append(piece) }
        case BufferPool.largePieceBytes:
            if largePieces.count < BufferPool.keptLargePieces { largePieces.append(piece) }
        case BufferPool.hugePieceBytes:
            if hugePieces.count < BufferPool.keptHugePieces { hugePieces.append(piece) }
        default: break
        }
    }
}
