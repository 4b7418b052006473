import Testing

@testable import Admission

@Suite struct SplitMix64Tests {
    /// The first outputs for seed 1234567, from the authors' C program
    /// (prng.di.unimi.it/splitmix64.c).
    @Test func itIsTheGeneratorItSaysItIs() {
        var random = SplitMix64(seed: 1_234_567)
        #expect(random.next() == 6_457_827_717_110_365_317)
        #expect(random.next() == 3_203_168_211_198_807_973)
        #expect(random.next() == 9_817_491_932_198_370_423)
    }

    @Test func itsRangesHold() {
        var random = SplitMix64(seed: 5)
        var counts = [Int](repeating: 0, count: 7)
        for _ in 0..<7000 {
            counts[random.next(below: 7)] += 1
            let unit = random.nextUnit()
            #expect(unit >= 0 && unit < 1)
        }
        for count in counts { #expect((850...1150).contains(count), "\(counts)") }
    }
}
