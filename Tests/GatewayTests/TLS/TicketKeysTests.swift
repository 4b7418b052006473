// Keys of tickets are replaced in time, and open for as long as is said.

import Admission
import Testing

@testable import Reactor

@Suite struct TicketKeysTests {
    private static let rotation: Int64 = 100

    private func name(_ key: [UInt8]?) -> [UInt8] { Array(key?.prefix(16) ?? []) }

    @Test func aKeyLastsForItsTimeAndOpensForTwoMore() throws {
        let keys = TicketKeys()
        var all: [[UInt8]] = []
        for turn in 0..<5 {
            let start = Int64(turn) * Self.rotation
            let key = try #require(
                keys.current(rotation: Self.rotation, now: Instant(nanoseconds: start)))
            #expect(key.count == 80)
            let later = Instant(nanoseconds: start + Self.rotation - 1)
            #expect(keys.current(rotation: Self.rotation, now: later) == key)
            all.append(key)
        }
        #expect(Set(all).count == 5)
        #expect(keys.key(named: name(all[4]))?.isNewest == true)
        #expect(keys.key(named: name(all[3]))?.isNewest == false)
        #expect(keys.key(named: name(all[2]))?.key == all[2])
        #expect(keys.key(named: name(all[1])) == nil)
        #expect(keys.key(named: [UInt8](repeating: 0, count: 16)) == nil)
    }

    @Test func aKeyThatNobodyReplacedIsAsOldAsItIs() throws {
        let keys = TicketKeys()
        let first = try #require(
            keys.current(rotation: Self.rotation, now: Instant(nanoseconds: 0)))
        // It would have been replaced twice.
        _ = keys.current(rotation: Self.rotation, now: Instant(nanoseconds: 2 * Self.rotation))
        #expect(keys.key(named: name(first))?.isNewest == false)
        _ = keys.current(rotation: Self.rotation, now: Instant(nanoseconds: 10 * Self.rotation))
        #expect(keys.key(named: name(first)) == nil)
    }
}
