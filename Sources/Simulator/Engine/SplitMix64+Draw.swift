// Random numbers of the distributions that the simulator needs.

import Admission

extension SplitMix64 {
    /// A generator for one purpose, independent of those for other purposes of the same seed.
    init(seed: UInt64, purpose: UInt64) {
        var root = SplitMix64(seed: seed)
        var branch = SplitMix64(seed: root.next() ^ (purpose &* 0xD6E8_FEB8_6659_FD93))
        self.init(seed: branch.next())
    }

    /// A number in 0..<1 with 53 random bits.
    mutating func unit() -> Double { Double(next() >> 11) * 0x1p-53 }

    /// A number of the exponential distribution with mean 1.
    mutating func exponential() -> Double { -Arithmetic.logarithm(1 - unit()) }

    /// A number of the standard normal distribution, by Marsaglia's polar method.
    mutating func normal() -> Double {
        while true {
            let first = 2 * unit() - 1
            let second = 2 * unit() - 1
            let square = first * first + second * second
            guard square < 1, square > 0 else { continue }
            return first * (-2 * Arithmetic.logarithm(square) / square).squareRoot()
        }
    }
}
