// What backends say of themselves in heads: whole, in parts, and as broken or hostile ones write it.

import HTTP1
import Testing

@testable import Admission
@testable import Gateway

@Suite struct SignalFieldTests {
    private let now = Instant(nanoseconds: 5_000_000_000)

    /// What a response with those field lines says.
    private func read(_ lines: String...) throws -> SignalField.Reading {
        try read(bytes: lines.map { Array($0.utf8) })
    }

    private func read(bytes lines: [[UInt8]]) throws -> SignalField.Reading {
        var parser = ResponseParser(limits: HeadLimits(maxHeadBytes: 1 << 16, maxFields: 100))
        parser.begin(requestMethod: .get)
        var head = Array("HTTP/1.1 200 OK\r\n".utf8)
        for line in lines { head += line + Array("\r\n".utf8) }
        head += Array("Content-Length: 0\r\n\r\n".utf8)
        _ = try parser.next(in: head.span)
        return SignalField.read(parser.head, now: now)
    }

    private func said(_ value: String) throws -> BackendSignal? {
        if case .said(let signal) = try read("Penstock-Signal: \(value)") { signal } else { nil }
    }

    private func end(_ seconds: Double) -> Instant {
        now.advanced(byNanoseconds: Int64(seconds * 1e9))
    }

    @Test func aWholeOne() throws {
        let signal = try #require(try said("state=drain, limit=30, share=0.5, ttl=20"))
        #expect(signal.order == .drain)
        #expect(!signal.isDown)
        #expect(signal.ceiling == 30)
        #expect(signal.share == 0.5)
        #expect(signal.end == end(20))
    }

    @Test func eachPartAlone() throws {
        #expect(try said("state=ready")?.state == .ready)
        #expect(try said("state=drain")?.state == .drain)
        #expect(try said("state=maint")?.state == .maint)
        #expect(try said("state=down")?.state == .down)
        #expect(try said("limit=7")?.ceiling == 7)
        #expect(try said("limit=0")?.state == .drain)
        #expect(try said("share=1")?.state == .ready)
        #expect(try said("share=0.125")?.share == 0.125)
        #expect(try said("limit=7")?.end == end(10))
        #expect(try said("limit=7, ttl=0.5")?.end == end(0.5))
        #expect(try said("ttl=0, state=drain")?.end == now)
    }

    @Test(arguments: [
        "limit=3, mood=good", "limit=3, a, b;c=1", "limit=3;because=\"a, b\"",
        "x=\"limit=9, \\\"\", limit=3", "x=(1 \"a\" c;d=?1), limit=3", "x=:YWJj:,limit=3",
        "x=@1700000000, y=?0, limit=3", "x=%\"f%c3%bc\", limit=3", "x=-1.5, limit=3",
        "limit=9, limit=3", "x=*/*;q=0.5,\tlimit=3 ", "x=(), limit=3",
    ])
    func whatIsNotKnownIsPassedOver(_ value: String) throws {
        #expect(try said(value)?.ceiling == 3, "\(value)")
    }

    @Test(arguments: [
        "limit=-1", "limit=1.5", "limit=many", "limit", "limit=\"3\"", "limit=1234567890123456",
        "share=1.1", "share=-0.1", "share=half", "share=.5", "share=1.", "share=0.1234",
        "share=1e-1", "ttl=-1", "ttl=soon", "state=up", "state=\"drain\"", "state", "state=Drain",
        "state=drain,", ",state=drain", "state=drain,,limit=3", "state=drain limit=3",
        "State=drain",
        "limit=3, x=", "limit=3, x=\"a", "limit=3, x=\"\\n\"", "limit=3, x=(1",
        "limit=3, x=(1\"a\")",
        "limit=3, x=:a", "limit=3, x=:\u{e4}:", "limit=3, x=@a", "limit=3, x=?2", "limit=3;", "{}",
        "limit=3, x=1.", "limit=3 ;", "\"", "=", "limit=nan", "share=inf", "(limit=3)",
    ])
    func whatIsNoDictionaryIsIgnoredAsAWhole(_ value: String) throws {
        #expect(try read("Penstock-Signal: \(value)") == .unreadable, "\(value)")
    }

    @Test func linesAreOneDictionary() throws {
        let reading = try read("penstock-signal: limit=3", "Penstock-Signal: limit=4, ttl=1")
        guard case .said(let signal) = reading else {
            Issue.record("\(reading)")
            return
        }
        #expect(signal.ceiling == 4)
        #expect(signal.end == end(1))
        #expect(try read("Penstock-Signal: limit=3", "Penstock-Signal: ???") == .unreadable)
    }

    @Test func nothingIsSaid() throws {
        #expect(try read("Content-Type: text/plain") == .absent)
        #expect(try read("Penstock-Signal:") == .absent)
        #expect(try read("Penstock_Signal: state=drain") == .absent)
        #expect(try read("X-Penstock-Signal: state=drain") == .absent)
    }

    @Test func aDegradedOneGetsHalf() throws {
        guard case .said(let signal) = try read("x-envoy-degraded: 1") else {
            Issue.record("it says nothing")
            return
        }
        #expect(signal.share == 0.5)
        #expect(signal.state == .limited)
        #expect(signal.end == end(10))
        guard
            case .said(let both) = try read(
                "X-Envoy-Degraded:", "Penstock-Signal: share=0.25, ttl=3")
        else {
            Issue.record("it says nothing")
            return
        }
        #expect(both.share == 0.25)
        #expect(both.end == end(3))
    }

    @Test func aLongOneIsNotRead() throws {
        let filler = String(repeating: "a=1, ", count: 200)
        #expect(try said("\(filler)limit=3")?.ceiling == 3)
        #expect(try read("Penstock-Signal: \(filler)bcdefghi=1, limit=3, ttl=1") == .unreadable)
        #expect(
            try read("Penstock-Signal: \(filler)b", "Penstock-Signal: \(filler)c") == .unreadable)
        #expect(try said("limit=3, ttl=999999999999999")?.end ?? now > end(3600))
    }

    /// Bytes of all kinds, near to what is meant and far from it.
    @Test func garbageIsTakenForNothing() throws {
        let seed: UInt64 = 20261
        var random = SplitMix64(seed: seed)
        let pieces = [
            "state=", "limit=", "share=", "ttl=", "drain", "maint", "0.5", "30", ",", " ", "\t",
            "\"",
            "\\", "(", ")", ":", ";", "?1", "@", "-", "%\"", "=", "\u{80}", "*", "9999999999999999",
        ].map { Array($0.utf8) }
        var readable = 0
        for _ in 0..<20_000 {
            var value: [UInt8] = []
            for _ in 0...random.next(below: 12) {
                if random.next(below: 8) == 0 {
                    let byte = UInt8(0x21 + random.next(below: 0xdf))
                    if byte != 0x7f { value.append(byte) }
                } else {
                    value += pieces[random.next(below: pieces.count)]
                }
            }
            let reading = try read(bytes: [Array("Penstock-Signal: ".utf8) + value])
            guard case .said(let signal) = reading else { continue }
            readable += 1
            #expect((0...1).contains(signal.share), "seed \(seed)")
            #expect(signal.ceiling ?? 0 >= 0, "seed \(seed)")
            #expect(signal.end >= now, "seed \(seed)")
        }
        #expect(readable > 10)
    }
}
