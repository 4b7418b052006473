// What the corpus cannot say about the parser of requests.

import HTTP1
import Testing

@Suite struct RequestParserTests {
    private func bytes(_ text: String) -> [UInt8] { Array(text.utf8) }

    @Test func nothingOfAnUnfinishedHeadIsConsumed() throws {
        let input = bytes("POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabcGET")
        var parser = RequestParser(limits: HeadLimits())
        let end = input.count - 6
        for count in 0..<end {
            let event = try parser.next(in: input.span.extracting(..<count))
            #expect(event == .needMoreData(consumed: 0))
        }
        #expect(try parser.next(in: input.span) == .head(consumed: end))
        let rest = input.span.extracting(end...)
        #expect(try parser.next(in: rest) == .body(consumed: 3, content: 0..<3))
        #expect(try parser.next(in: rest.extracting(3...)) == .end(consumed: 0))
    }

    @Test func oneEventGivesAllThatIsThere() throws {
        let head = bytes("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
        let body = bytes("5\r\nhello\r\n3\r\nab")
        var parser = RequestParser(limits: HeadLimits())
        #expect(try parser.next(in: head.span) == .head(consumed: head.count))
        #expect(try parser.next(in: body.span) == .body(consumed: 10, content: 3..<8))
        let rest = body.span.extracting(10...)
        #expect(try parser.next(in: rest) == .body(consumed: 5, content: 3..<5))
        #expect(try parser.next(in: Span()) == .needMoreData(consumed: 0))
        #expect(try parser.next(in: bytes("c\r").span) == .body(consumed: 1, content: 0..<1))
        #expect(try parser.next(in: bytes("\r").span) == .needMoreData(consumed: 1))
        #expect(try parser.next(in: bytes("\n1").span) == .needMoreData(consumed: 2))
        #expect(try parser.next(in: bytes("0\r").span) == .needMoreData(consumed: 2))
    }

    @Test func fieldsAreFound() throws {
        let input = bytes(
            "GET / HTTP/1.1\r\nHost: a\r\naccept: x\r\nX-Penstock-Reason: r\r\nAccept: y\r\n\r\n")
        var parser = RequestParser(limits: HeadLimits())
        _ = try parser.next(in: input.span)
        let found = parser.head.firstField(.accept)
        let accept = try #require(found)
        #expect(parser.head.bytes[accept.value] == bytes("x")[...])
        let valueCount = parser.head.value(of: accept).count
        #expect(valueCount == 1)
        let nameCount = parser.head.name(of: accept).count
        #expect(nameCount == 6)
        let hasReason = parser.head.firstField(.xPenstockReason) != nil
        #expect(hasReason)
        let hasVia = parser.head.firstField(.via) != nil
        #expect(!hasVia)
        #expect(MemoryLayout<Field>.size <= 16)
    }

    @Test func resetForgets() throws {
        let first = bytes(
            "POST http://b/x?y HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n"
                + "Connection: close\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nA: b\r\n\r\n")
        let second = bytes("GET /z HTTP/1.0\r\n\r\n")
        var parser = RequestParser(limits: HeadLimits())
        let one = Transcript.of(&parser, first) { first.count }
        #expect(one.lines.last == "end")
        #expect(parser.trailers.fields.count == 1)
        parser.reset()
        #expect(parser.trailers.fields.isEmpty)
        let two = Transcript.of(&parser, second) { second.count }
        #expect(two.lines == ["head GET origin 1.0 none", "target /z - -", "end"])
        parser.reset()
        let broken = bytes("GET /\n")
        #expect(Transcript.of(&parser, broken) { 1 }.lines == ["error bareLineFeed"])
        parser.reset()
        #expect(Transcript.of(&parser, second) { 1 }.lines.last == "end")
    }

    @Test func noFieldOfTheHeadBeforeIsLeft() throws {
        var parser = RequestParser(limits: HeadLimits(maxFields: 20))
        for count in [0, 20, 3, 9, 8, 1, 17, 0, 2] {
            let lines = (0..<count).map { "X-\($0 % 2 == 0 ? "even" : "odd7"): \($0)\r\n" }
            let input = bytes("GET / HTTP/1.0\r\n" + lines.joined() + "\r\n")
            // In one piece, and in two.
            for shown in [input.count, input.count / 2] {
                _ = try parser.next(in: input.span.extracting(..<shown))
                #expect(
                    try parser.next(in: input.span)
                        == (shown < input.count
                            ? .head(consumed: input.count) : .end(consumed: 0)))
                let values = parser.head.fields.map { parser.head.bytes[$0.value] }
                #expect(values.map(Array.init) == (0..<count).map { bytes("\($0)") })
                parser.reset()
            }
            #expect(throws: ParseError.emptyFieldName) {
                try parser.next(in: bytes("GET / HTTP/1.0\r\nA: longer than it\r\n:").span)
            }
            #expect(parser.head.fields.isEmpty)
            parser.reset()
        }
    }

    @Test func chunkFramingIsBounded() {
        let head = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
        let padded = "1;" + String(repeating: "e", count: 200) + "\r\nx\r\n"
        let plain = "1\r\nx\r\n"
        for (chunk, count, isRefused) in [
            (padded, 80, false), (padded, 100, true), (plain, 20_000, false),
        ] {
            let input = bytes(head + String(repeating: chunk, count: count) + "0\r\n\r\n")
            for piece in [input.count, 7] {
                var parser = RequestParser(limits: HeadLimits())
                let last = Transcript.of(&parser, input) { piece }.lines.last
                #expect(last == (isRefused ? "error chunkOverheadTooLarge" : "end"))
            }
        }
    }

    @Test func largestChunkDoesNotOverflow() throws {
        let input = bytes(
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
                + "fffffffffffffff\r\nabc")
        var parser = RequestParser(limits: HeadLimits())
        let transcript = Transcript.of(&parser, input) { 5 }
        #expect(transcript.lines.suffix(2) == ["body abc", "more"])
    }

    @Test func bytewiseArrivalIsLinear() throws {
        // Every byte once: 60,000 calls over a growing head would take minutes if each began anew.
        let input = bytes(
            "GET / HTTP/1.1\r\nHost: a\r\nA: " + String(repeating: "v", count: 60_000) + "\r\n\r\n")
        var parser = RequestParser(limits: HeadLimits())
        let started = ContinuousClock.now
        #expect(Transcript.of(&parser, input) { 1 }.lines.last == "end")
        #expect(started.duration(to: .now) < .seconds(20))
    }
}
