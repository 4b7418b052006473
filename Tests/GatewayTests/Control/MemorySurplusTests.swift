// When freed memory is given back: not while it grows, not for little, and not again and again where it is in use.

import Admission
import Testing

@testable import Control

@Suite struct MemorySurplusTests {
    private static let mebibyte = 1 << 20

    /// The looks that were tries, of one every ten seconds at so many mebibytes, of which a try leaves `left`.
    private func tries(_ looks: [Int], leaving left: (Int) -> Int) -> [Int] {
        var surplus = MemorySurplus()
        var found: [Int] = []
        var now = Instant(nanoseconds: 1)
        for (index, mebibytes) in looks.enumerated() {
            now = now.advanced(byNanoseconds: MemorySurplus.lookNanoseconds)
            let bytes = mebibytes * Self.mebibyte
            guard surplus.isDue(residentBytes: bytes, now: now) else { continue }
            found.append(index)
            surplus.gaveBack(leaving: left(mebibytes) * Self.mebibyte, of: bytes, now: now)
        }
        return found
    }

    @Test func whatIsOverIsGivenBackAtOnce() {
        // It grows, stays, is given back, and stays low.
        #expect(tries([20, 120, 200, 200, 24, 24, 24]) { _ in 24 } == [3])
    }

    @Test func littleIsLeftAlone() {
        #expect(tries([20, 50, 51, 51, 51, 40, 51]) { $0 } == [])
        #expect(tries([20, 52, 52]) { _ in 20 } == [2])
    }

    @Test func whatGrowsIsInUse() {
        #expect(tries(Array(stride(from: 20, through: 800, by: 1))) { $0 } == [])
    }

    /// Less and less often, every eleven minutes at most: the time between two tries is doubled.
    @Test func whatIsInUseIsSeldomTried() {
        let looks = [20] + Array(repeating: 200, count: 400)
        #expect(tries(looks) { $0 } == [2, 4, 8, 16, 32, 64, 128, 192, 256, 320, 384])
    }

    /// Once it is of use, it is soon tried again.
    @Test func whatWasInUseAndIsFreeIsGivenBack() {
        let looks = [20] + Array(repeating: 200, count: 20) + [30, 30, 200, 200, 30]
        var isFree = false
        let found = tries(looks) { mebibytes in
            defer { isFree = true }
            return isFree ? 30 : mebibytes
        }
        #expect(found == [2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 24])
    }

    /// A clock that starts anywhere, and memory that cannot be read, are no reason.
    @Test func nothingIsKnownAtFirst() {
        var surplus = MemorySurplus()
        for nanoseconds in 0..<3 as Range<Int64> {
            let isDue = surplus.isDue(
                residentBytes: 500 * Self.mebibyte, now: Instant(nanoseconds: nanoseconds))
            #expect(!isDue)
        }
    }
}
