// Every case of the corpus three ways: whole, byte by byte, and with the next message behind it.

import HTTP1
import Testing

private let nextRequest = Array("GET /next HTTP/1.1\r\nHost: next\r\n\r\n".utf8)
private let nextResponse = Array("HTTP/1.1 204 Next\r\n\r\n".utf8)

@Suite struct CorpusTests {
    static let requests = Result { try CorpusCase.load(prefix: "request-") }
    static let responses = Result { try CorpusCase.load(prefix: "response-") }

    @Test func corpusIsThere() throws {
        let requests = try CorpusTests.requests.get()
        let responses = try CorpusTests.responses.get()
        #expect(requests.count >= 400)
        #expect(responses.count >= 120)
        #expect(Set(requests.map(\.description)).count == requests.count, "two cases of one name")
        #expect(Set(responses.map(\.description)).count == responses.count, "two cases of one name")
    }

    @Test func requests() throws {
        for one in try CorpusTests.requests.get() {
            for way in Way.allCases {
                var parser = RequestParser(limits: one.limits)
                var input = one.input
                if way == .followed { input += nextRequest }
                if way == .followed && one.expected.last == "more" { continue }
                let transcript = Transcript.of(&parser, input, piece: way.piece(input.count))
                check(transcript, one, way)
                guard way == .followed, transcript.lines.last == "end" else { continue }
                if one.limits != HeadLimits() { continue }
                parser.reset()
                let isFresh = parser.isBetweenMessages
                #expect(isFresh)
                let rest = Array(input[transcript.consumed...])
                let next = Transcript.of(&parser, rest, piece: way.piece(rest.count))
                #expect(
                    next.lines == [
                        "head GET origin 1.1 none keep-alive", "target /next - next",
                        "field Host: next", "end",
                    ], "\(one), the request behind it")
            }
        }
    }

    /// A parser that has read another head before, a longer one, reads each case as a new one does.
    @Test func requestsBehindALongOne() throws {
        let handshake =
            "GET /chat HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            + String(repeating: "X-Long: \(String(repeating: "x", count: 300))\r\n", count: 30)
            + "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
        let before = Array(handshake.utf8)
        for one in try CorpusTests.requests.get() where one.limits == HeadLimits() {
            for piece in [one.input.count, 1] {
                var parser = RequestParser(limits: one.limits)
                let first = Transcript.of(&parser, before, piece: { before.count })
                #expect(first.lines.last == "end")
                parser.reset()
                let transcript = Transcript.of(&parser, one.input, piece: { piece })
                #expect(transcript.lines == one.expected, "\(one), in pieces of \(piece)")
            }
        }
    }

    @Test func responses() throws {
        for one in try CorpusTests.responses.get() {
            for way in Way.allCases {
                var parser = ResponseParser(limits: one.limits)
                parser.begin(
                    requestMethod: one.method, mayBecomeWebSocket: one.mayBecomeWebSocket)
                var input = one.input
                if way == .followed && (one.closes || one.expected.last == "more") { continue }
                if way == .followed { input += nextResponse }
                let transcript = Transcript.of(
                    &parser, input, closes: one.closes, piece: way.piece(input.count))
                check(transcript, one, way)
                guard way == .followed, transcript.lines.last == "end" else { continue }
                if one.limits != HeadLimits() { continue }
                parser.begin(requestMethod: .get)
                let isFresh = parser.isBetweenMessages
                #expect(isFresh)
                let rest = Array(input[transcript.consumed...])
                let next = Transcript.of(&parser, rest, piece: way.piece(rest.count))
                #expect(
                    next.lines == ["head 204 1.1 none keep-alive reason=Next", "end"],
                    "\(one), the answer behind it")
            }
        }
    }

    private func check(_ transcript: Transcript, _ one: CorpusCase, _ way: Way) {
        #expect(transcript.lines == one.expected, "\(one), \(way)")
        if transcript.lines.last == "end" {
            #expect(transcript.consumed == one.input.count, "\(one), \(way): consumed")
        }
        if way == .byByte, let shown = transcript.shownAtError {
            #expect(shown == one.input.count, "\(one): not refused at the byte that is wrong")
        }
    }
}

private enum Way: CaseIterable {
    case whole, byByte, followed

    func piece(_ count: Int) -> Transcript.Piece {
        switch self {
        case .whole, .followed: { count }
        case .byByte: { 1 }
        }
    }
}
