// Storage for buffers is kept for reuse, up to a bound, and request ids have the digits that they should.

import Testing

@testable import Gateway

@Suite struct BufferPoolTests {
    @Test func piecesComeBackInTheirSize() {
        let pool = BufferPool()
        #expect(pool.lend().count == BufferPool.pieceBytes)
        #expect(pool.lend(large: true).count == BufferPool.largePieceBytes)
        pool.reclaim([UInt8](repeating: 7, count: BufferPool.pieceBytes))
        pool.reclaim([UInt8](repeating: 8, count: BufferPool.largePieceBytes))
        #expect(pool.lend(large: true)[0] == 8)
        #expect(pool.lend()[0] == 7)
    }

    @Test func onlySoManyAreKept() {
        let pool = BufferPool()
        for _ in 0..<(2 * BufferPool.keptPieces) {
            pool.reclaim([UInt8](repeating: 7, count: BufferPool.pieceBytes))
            pool.reclaim([UInt8](repeating: 8, count: BufferPool.largePieceBytes))
        }
        var kept = 0
        while pool.lend()[0] == 7 { kept += 1 }
        // The last one is kept beside the others.
        #expect(kept == BufferPool.keptPieces + 1)
        var large = 0
        while pool.lend(large: true)[0] == 8 { large += 1 }
        #expect(large == BufferPool.keptLargePieces)
    }

    @Test func whatIsHeldWholeGetsEnough() {
        let pool = BufferPool()
        for (count, size) in [
            (1, BufferPool.pieceBytes), (BufferPool.pieceBytes + 1, BufferPool.largePieceBytes),
            (200_000, BufferPool.hugePieceBytes), (262_144, 262_144), (262_145, 524_288),
            (3_000_000, 4_194_304),
        ] {
            #expect(pool.lend(atLeast: count).count == size)
        }
        for _ in 0..<(2 * BufferPool.keptHugePieces) {
            pool.reclaim([UInt8](repeating: 9, count: BufferPool.hugePieceBytes))
            pool.reclaim([UInt8](repeating: 9, count: 2 * BufferPool.hugePieceBytes))
        }
        var kept = 0
        while pool.lend(atLeast: 200_000)[0] == 9 { kept += 1 }
        #expect(kept == BufferPool.keptHugePieces)
    }

    @Test func piecesThatHaveGrownAreLetGo() {
        let pool = BufferPool()
        pool.reclaim([UInt8](repeating: 7, count: 3 * BufferPool.pieceBytes))
        pool.reclaim([])
        #expect(pool.lend() == [UInt8](repeating: 0, count: BufferPool.pieceBytes))
    }
}

@Suite struct HexadecimalDigitsTests {
    @Test(arguments: [0, 1, 0x9a, 0x0123_4567_89ab_cdef, UInt64.max, 0xfedc_ba98_7654_3210])
    func theLowestDigitComesFirst(value: UInt64) {
        var bytes: [UInt8] = [1] + Array(repeating: 0, count: 16) + [2]
        HexadecimalDigits.write(value, to: &bytes, at: 1)
        let text = String(value, radix: 16)
        let padded = String(repeating: "0", count: 16 - text.count) + text
        #expect(bytes == [1] + padded.utf8.reversed() + [2])
    }
}
