// Endless bytes that are cheap to make and to check: pseudo-random ones, repeated with a prime period, so that bytes that are
// lost, doubled or moved show.

import Foundation

@testable import TestSupport

/// A stream of bytes that each side can make for itself.
enum Pattern {
    static let period = 1_000_003

    /// Two periods, so that a period can be had from any place.
    private static let ring: [UInt8] = {
        var state: UInt64 = 42
        let one = (0..<period).map { _ -> UInt8 in
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return UInt8(truncatingIfNeeded: state >> 56)
        }
        return one + one
    }()

    /// `count` bytes from place `offset` on, at most a period.
    static func bytes(at offset: Int, count: Int) -> ArraySlice<UInt8> {
        let start = offset % period
        return ring[start..<(start + count)]
    }

    /// Whether `bytes` are those at place `offset`.
    static func matches(_ bytes: ArraySlice<UInt8>, at offset: Int) -> Bool {
        var rest = bytes
        var place = offset
        while !rest.isEmpty {
            let count = min(rest.count, period)
            let isSame = unsafe rest.prefix(count).withUnsafeBytes { got in
                unsafe self.bytes(at: place, count: count).withUnsafeBytes { wanted in
                    guard let got = got.baseAddress, let wanted = wanted.baseAddress else {
                        return false
                    }
                    // Both hold `count` bytes.
                    return unsafe memcmp(got, wanted, count) == 0
                }
            }
            if !isSame { return false }
            rest = rest.dropFirst(count)
            place += count
        }
        return true
    }
}

extension Wire {
    /// Sends `count` bytes of the pattern.
    func sendPattern(_ count: Int, within seconds: Double = 30) throws {
        var sent = 0
        while sent < count {
            let size = min(count - sent, 1 << 19)
            try send(Array(Pattern.bytes(at: sent, count: size)), within: seconds)
            sent += size
        }
    }

    /// Reads `count` bytes and returns whether they are the pattern's; `pause` is called after each read.
    func readPattern(_ count: Int, _ pause: (Int) throws -> Void = { _ in }) throws -> Bool {
        var got = 0
        while got < count {
            let more = try receive()
            if more.isEmpty { throw WireError.ended("\(got) of \(count) bytes") }
            let mine = more.prefix(count - got)
            guard Pattern.matches(mine, at: got) else { return false }
            got += mine.count
            if mine.count < more.count { putBack(Array(more.dropFirst(mine.count))) }
            try pause(got)
        }
        return true
    }
}
