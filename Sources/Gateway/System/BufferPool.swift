// Storage for connections' buffers, lent while bytes are in them. An idle connection holds none.

/// Storage of one size, kept for reuse up to a bound.
package struct BufferPool {
    /// Bytes of one piece of storage.
    package static let pieceBytes = 16 * 1024
    /// Pieces kept at most; 4 MiB.
    package static let keptPieces = 256

    private var pieces: [[UInt8]] = []

    /// Makes an empty pool.
    package init() {}

    /// Lends a piece, made anew where none is kept.
    package mutating func lend() -> [UInt8] {
        pieces.popLast() ?? [UInt8](repeating: 0, count: BufferPool.pieceBytes)
    }

    /// Takes a piece back; one that has grown is let go, so that the pool's size stays bounded.
    package mutating func reclaim(_ piece: consuming [UInt8]) {
        if piece.count == BufferPool.pieceBytes && pieces.count < BufferPool.keptPieces {
            pieces.append(piece)
        }
    }
}
