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
