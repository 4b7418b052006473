// Storage for connections' buffers, lent while bytes are in them. An idle connection holds none.
//
// There are three sizes: one for heads, events and short answers, one for bodies that keep filling
// the first, which then take a quarter of the system calls, and one for prompts that are held whole.

/// Storage of three sizes, kept for reuse up to a bound.
package final class BufferPool {
    /// Bytes of one piece of storage.
    package static let pieceBytes = 16 * 1024
    /// Bytes of a piece for long bodies.
    package static let largePieceBytes = 64 * 1024
    /// Bytes of a piece for what is held whole.
    package static let hugePieceBytes = 256 * 1024
    /// Pieces kept at most besides the last one; 1 MiB.
    package static let keptPieces = 64
    /// Large pieces kept at most; 1 MiB.
    package static let keptLargePieces = 16
    /// Huge pieces kept at most; 1 MiB.
    package static let keptHugePieces = 4

    /// The pieces that came back last: one for each side of a connection.
    ///
    /// Changing places with an empty array calls nothing, so nothing is checked at run time, as it is
    /// with every access to an array of pieces.
    private var lastPiece: [UInt8] = []
    private var nextPiece: [UInt8] = []
    private var pieces: [[UInt8]] = []
    private var largePieces: [[UInt8]] = []
    private var hugePieces: [[UInt8]] = []

    /// Makes an empty pool.
    package init() {}

    /// Lends a piece, made anew where none is kept.
    package func lend(large: Bool = false) -> [UInt8] {
        if large {
            return largePieces.popLast()
                ?? [UInt8](repeating: 0, count: BufferPool.largePieceBytes)
        }
        var piece: [UInt8] = []
        swap(&piece, &lastPiece)
        if !piece.isEmpty { return piece }
        swap(&piece, &nextPiece)
        if !piece.isEmpty { return piece }
        return pieces.popLast() ?? [UInt8](repeating: 0, count: BufferPool.pieceBytes)
    }

    /// Lends storage for so many bytes: a piece of a size that holds them, or what is made for them
    /// where none does.
    package func lend(atLeast count: Int) -> [UInt8] {
        if count <= BufferPool.largePieceBytes {
            return lend(large: count > BufferPool.pieceBytes)
        }
        if count <= BufferPool.hugePieceBytes {
            return hugePieces.popLast() ?? [UInt8](repeating: 0, count: BufferPool.hugePieceBytes)
        }
        var size = 2 * BufferPool.hugePieceBytes
        while size < count { size *= 2 }
        return [UInt8](repeating: 0, count: size)
    }

    /// Takes a piece back; one that has grown is let go, so that the pool's size stays bounded.
    package func reclaim(_ piece: consuming [UInt8]) {
        if piece.count == BufferPool.pieceBytes {
            swap(&piece, &lastPiece)
            if piece.isEmpty { return }
            swap(&piece, &nextPiece)
            if piece.isEmpty { return }
            if pieces.count < BufferPool.keptPieces - 1 { pieces.append(piece) }
        } else if piece.count == BufferPool.largePieceBytes {
            if largePieces.count < BufferPool.keptLargePieces { largePieces.append(piece) }
        } else if piece.count == BufferPool.hugePieceBytes {
            if hugePieces.count < BufferPool.keptHugePieces { hugePieces.append(piece) }
        }
    }
}
