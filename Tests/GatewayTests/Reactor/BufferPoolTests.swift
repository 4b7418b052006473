// Storage for buffers is kept for reuse, up to a bound, and request ids have the digits that they should.

import Bytes
import HTTP1
import Testing

@testable import Gateway
@testable import Reactor

@Suite struct BufferPoolTests {
    /// Storage from `pool` for at least so many bytes: how much it is, and its first byte.
    private func lent(_ pool: BufferPool, atLeast count: Int = BufferPool.pieceBytes) -> (
        capacity: Int, first: UInt8
    ) {
        var buffer = ByteBuffer()
        pool.acquire(for: &buffer, atLeast: count)
        let isEmpty = buffer.isEmpty
        #expect(isEmpty)
        let storage = buffer.giveStorage()
        return (storage.count, storage[0])
    }

    private func reclaim(_ count: Int, of byte: UInt8, by pool: BufferPool) {
        var buffer = ByteBuffer()
        if count > 0 { buffer.takeStorage([UInt8](repeating: byte, count: count)) }
        pool.release(from: &buffer)
        let capacity = buffer.capacity
        #expect(capacity == 0)
    }

    @Test func piecesComeBackInTheirSize() {
        let pool = BufferPool()
        #expect(lent(pool).capacity == BufferPool.pieceBytes)
        #expect(
            lent(pool, atLeast: BufferPool.largePieceBytes).capacity == BufferPool.largePieceBytes)
        reclaim(BufferPool.pieceBytes, of: 7, by: pool)
        reclaim(BufferPool.largePieceBytes, of: 8, by: pool)
        reclaim(BufferPool.smallPieceBytes, of: 9, by: pool)
        #expect(lent(pool, atLeast: 1).first == 9)
        #expect(lent(pool, atLeast: BufferPool.largePieceBytes).first == 8)
        #expect(lent(pool).first == 7)
    }

    @Test func bytesGoWithTheStorage() {
        let pool = BufferPool()
        var buffer = ByteBuffer()
        pool.acquire(for: &buffer)
        buffer.append(1)
        pool.release(from: &buffer)
        pool.acquire(for: &buffer)
        let isEmpty = buffer.isEmpty
        #expect(isEmpty)
    }

    @Test func onlySoManyAreKept() {
        let pool = BufferPool()
        for _ in 0..<(2 * BufferPool.keptPieces) {
            reclaim(BufferPool.pieceBytes, of: 7, by: pool)
            reclaim(BufferPool.largePieceBytes, of: 8, by: pool)
        }
        var kept = 0
        while lent(pool).first == 7 { kept += 1 }
        // The last one is kept beside the others.
        #expect(kept == BufferPool.keptPieces + 1)
        for _ in 0..<(2 * BufferPool.keptSmallPieces) {
            reclaim(BufferPool.smallPieceBytes, of: 9, by: pool)
        }
        var small = 0
        while lent(pool, atLeast: 1).first == 9 { small += 1 }
        #expect(small == BufferPool.keptSmallPieces)
        var large = 0
        while lent(pool, atLeast: BufferPool.largePieceBytes).first == 8 { large += 1 }
        #expect(large == BufferPool.keptLargePieces)
    }

    @Test func whatIsHeldWholeGetsEnough() {
        let pool = BufferPool()
        for (count, size) in [
            (1, BufferPool.smallPieceBytes), (BufferPool.smallPieceBytes, 2048),
            (2049, BufferPool.mediumPieceBytes), (8193, BufferPool.pieceBytes),
            (BufferPool.pieceBytes + 1, BufferPool.largePieceBytes),
            (200_000, BufferPool.hugePieceBytes), (262_144, 262_144), (262_145, 524_288),
            (3_000_000, 4_194_304),
        ] {
            #expect(lent(pool, atLeast: count).capacity == size)
        }
        for _ in 0..<(2 * BufferPool.keptHugePieces) {
            reclaim(BufferPool.hugePieceBytes, of: 9, by: pool)
            reclaim(2 * BufferPool.hugePieceBytes, of: 9, by: pool)
        }
        var kept = 0
        while lent(pool, atLeast: 200_000).first == 9 { kept += 1 }
        #expect(kept == BufferPool.keptHugePieces)
    }

    /// What outgrows its piece is copied into a larger one, and its own comes back.
    @Test func whatIsHeldGrowsThroughThePool() {
        let pool = BufferPool()
        var buffer = ByteBuffer()
        var expected: [UInt8] = []
        for count in [1, 1400, 1600, 6000, 20_000, 100_000] {
            pool.makeRoom(in: &buffer, for: buffer.count + count)
            let capacity = buffer.capacity
            let more = [UInt8](repeating: UInt8(count % 250 + 1), count: count)
            buffer.append(more)
            expected += more
            let grown = buffer.capacity
            #expect(grown == capacity, "it had room")
        }
        let isWhole = buffer.bytes.equals(expected)
        #expect(isWhole)
        for size in [
            BufferPool.smallPieceBytes, BufferPool.mediumPieceBytes, BufferPool.pieceBytes,
            BufferPool.largePieceBytes,
        ] {
            #expect(
                lent(pool, atLeast: size).first != 0, "the piece of \(size) bytes has been used")
        }
        pool.release(from: &buffer)
    }

    @Test func piecesThatHaveGrownAreLetGo() {
        let pool = BufferPool()
        reclaim(3 * BufferPool.pieceBytes, of: 7, by: pool)
        reclaim(0, of: 7, by: pool)
        let next = lent(pool)
        #expect(next.capacity == BufferPool.pieceBytes)
        #expect(next.first == 0)
    }
}

@Suite struct HexadecimalDigitsTests {
    @Test(arguments: [0, 1, 0x9a, 0x0123_4567_89ab_cdef, UInt64.max, 0xfedc_ba98_7654_3210])
    func theLowestDigitComesFirst(value: UInt64) {
        var bytes: [UInt8] = [1] + Array(repeating: 0, count: 16) + [2]
        var span = bytes.mutableSpan
        HexadecimalDigits.write(value, to: &span, at: 1)
        let text = String(value, radix: 16)
        let padded = String(repeating: "0", count: 16 - text.count) + text
        #expect(bytes == [1] + padded.utf8.reversed() + [2])
    }
}
