// Which pool of a split a request goes to: shares, what a change of them moves, and that the order of the file has no part.

import Admission
import Testing

@testable import Gateway
@testable import Policy

@Suite struct RouteSplitTests {
    private static let names = ["chat", "canary", "third"]

    private static func split(_ shares: [(pool: Int, share: Double)]) -> RouteSplit {
        var route = Route(path: .prefix(""), pool: shares[0].pool)
        route.split = shares.map { pool, share in
            var part = Route.Part()
            part.pool = pool
            part.share = share
            return part
        }
        return RouteSplit(route, names: names)
    }

    /// The pools that `keys` go to.
    private static func pools(_ split: RouteSplit, _ keys: [UInt64]) -> [Int] {
        keys.map { key in split.part(for: key).map(split.pool) ?? -1 }
    }

    private static func keys(_ count: Int, seed: UInt64) -> [UInt64] {
        var random = SplitMix64(seed: seed)
        return (0..<count).map { _ in random.next() }
    }

    @Test(arguments: [
        [95.0, 5.0], [1, 1], [0.1, 99.9], [60, 30, 10], [0.001, 0.002, 0.001], [1_000_000, 1],
    ]) func sharesAreThoseThatAreSaid(shares: [Double]) {
        let count = 20_000
        let split = Self.split(shares.enumerated().map { ($0.offset, $0.element) })
        for seed in 1...3 as ClosedRange<UInt64> {
            let pools = Self.pools(split, Self.keys(count, seed: seed))
            for (index, share) in shares.enumerated() {
                let wanted = share / shares.reduce(0, +)
                let found = pools.count { $0 == index }
                let deviation = (Double(count) * wanted * (1 - wanted)).squareRoot()
                #expect(
                    abs(Double(found) - Double(count) * wanted) <= 5 * deviation + 1,
                    "seed \(seed), pool \(index): \(found) of \(count), share \(wanted)")
            }
        }
    }

    /// Keys that differ by little, as tenants' numbers do, are spread as well as others.
    @Test func keysInARowAreSpread() {
        let split = Self.split([(0, 9), (1, 1)])
        let found = Self.pools(split, Array(0..<20_000)).count { $0 == 1 }
        #expect(abs(found - 2_000) <= 213)
    }

    @Test func aChangeMovesOnlyWhatItMust() {
        let keys = Self.keys(20_000, seed: 4)
        let before = Self.pools(Self.split([(0, 90), (1, 5), (2, 5)]), keys)
        let after = Self.pools(Self.split([(0, 90), (1, 15), (2, 5)]), keys)
        var moved = 0
        for (former, next) in zip(before, after) where former != next {
            moved += 1
            // All that moves goes to the one that grows.
            #expect(next == 1)
        }
        // It has .05 of all before and 15 of 110 after.
        let wanted = 20_000 * (15.0 / 110 - 0.05)
        #expect(abs(Double(moved) - wanted) < 5 * wanted.squareRoot())
    }

    @Test func theOrderOfTheFileDoesNotMatter() {
        let keys = Self.keys(2_000, seed: 5)
        #expect(
            Self.pools(Self.split([(0, 3), (1, 2), (2, 1)]), keys)
                == Self.pools(Self.split([(2, 1), (0, 3), (1, 2)]), keys))
    }

    /// The numbers are part of what several gateways agree on, of different versions, too.
    @Test func theHashIsForEver() {
        let split = Self.split([(0, 1), (1, 1)])
        let hashes = (0..<16).map { RouteSplit.hashKey.hash(Array("tenant-\($0)".utf8).span) }
        #expect(Self.pools(split, hashes).map(String.init).joined() == "0111000101110000")
    }

    @Test func noShareIsNoRequestAndTheNextBestFollows() {
        let split = Self.split([(0, 0), (1, 1), (2, 3)])
        for key in Self.keys(500, seed: 6) {
            guard let first = split.part(for: key) else {
                Issue.record("two have shares")
                continue
            }
            let next = split.part(for: key, besides: 1 << UInt32(first))
            #expect(Set([first, next]) == [1, 2])
            #expect(split.part(for: key, besides: 0b110) == nil)
        }
    }
}
