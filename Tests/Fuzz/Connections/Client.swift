// A client of the gateway under test: what it sent, and a check of what it got.

import FuzzSupport
import HTTP1

@testable import Bytes
@testable import Reactor
@testable import TestSupport

/// One client's connection.
final class Client {
    let peer: ClientPeer
    private let number: Int
    private let secret: UInt64
    /// Methods of the well-formed requests that were sent whole, in order.
    private var methods: [Method] = []
    /// Whether only well-formed requests were sent, one behind the other.
    private var isPlain = true
    /// Whether the client has ended its side or dropped the connection.
    var hasLeft: Bool { stream.isPeerClosed }
    private var stream: MemoryStream { peer.stream }

    init(_ peer: ClientPeer, number: Int, secret: UInt64) {
        self.peer = peer
        self.number = number
        self.secret = secret
    }

    /// What marks the client's `index`th request and its answer; no input can guess it.
    private func marker(_ index: Int) -> String {
        var mixed = secret &+ UInt64(number) &* 1_000_003 &+ UInt64(index)
        mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
        return "M\(String(mixed, radix: 16))n\(number)r\(index)z"
    }

    /// Sends any bytes.
    func send(_ bytes: [UInt8]) {
        isPlain = false
        sendAnyway(bytes)
    }

    /// Whether the gateway has closed meanwhile is its own affair.
    private func sendAnyway(_ bytes: [UInt8]) { try? peer.send(bytes) }

    /// Sends a well-formed request of one of several kinds.
    func sendRequest(_ kind: UInt8) {
        let mark = marker(methods.count)
        let kinds: [(Method, String, String)] = [
            (.get, "", ""),
            (.post, "Content-Length: \(mark.utf8.count)\r\n", mark),
            (
                .put, "Transfer-Encoding: chunked\r\n",
                "\(String(mark.utf8.count, radix: 16))\r\n\(mark)\r\n0\r\n\r\n"
            ),
            (.head, "", ""),
            (.options, "Expect: 100-continue\r\nContent-Length: 1\r\n", "x"),
            (
                .get,
                "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
                    + "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n", ""
            ),
            (
                .post, "Content-Length: 9000\r\n",
                String(repeating: "b", count: 9000 - mark.utf8.count) + mark
            ),
        ]
        let index = Int(kind) % (kinds.count + 2)
        let (method, fields, body) =
            index < kinds.count ? kinds[index] : streamed(mark, inChunks: index > kinds.count)
        if !stream.isPeerClosed { methods.append(method) }
        let path = index < kinds.count ? mark : "v1/\(mark)"
        sendAnyway(
            Array("\(method.spelling) /\(path) HTTP/1.1\r\nHost: h\r\n\(fields)\r\n\(body)".utf8))
    }

    /// A request for a stream, which is kept alive by comments while it waits.
    private func streamed(_ mark: String, inChunks: Bool) -> (Method, String, String) {
        let text = "{\"model\":\"\(mark)\",\"stream\":true}"
        let type = "Content-Type: application/json\r\n"
        guard inChunks else {
            return (.post, "\(type)Content-Length: \(text.utf8.count)\r\n", text)
        }
        let half = text.utf8.count / 2
        let pieces = [text.prefix(half), text.dropFirst(half)].map { piece in
            "\(String(piece.utf8.count, radix: 16))\r\n\(piece)\r\n"
        }
        return (.post, "\(type)Transfer-Encoding: chunked\r\n", pieces.joined() + "0\r\n\r\n")
    }

    /// Reads all that came so far: valid answers, each to its own request.
    func check() {
        if stream.output.count == checkedBytes { return }
        checkedBytes = stream.output.count
        var rest = stream.written[...]
        var answers = 0
        while !rest.isEmpty {
            var parser = ResponseParser(limits: HeadLimits(maxHeadBytes: 1 << 17, maxFields: 300))
            let method = answers < methods.count && isPlain ? methods[answers] : nil
            guard let method else {
                // Whoever sends anything gets answers whose methods only the gateway knows.
                require(!isPlain, "an answer that nobody asked for")
                return
            }
            parser.begin(requestMethod: method, mayBecomeWebSocket: true)
            let message = Array(rest)
            let record = MessageRecord.of(&parser, message) { message.count }
            require(record.error == nil, "a client got nonsense: \(record.error.debugDescription)")
            checkMarkers(record, answers)
            if parser.head.isSwitch { return }
            guard record.isComplete else { return }
            answers += 1
            rest = rest.dropFirst(record.consumed)
        }
        require(answers <= methods.count || !isPlain, "more answers than requests")
        answered = answers
    }

    /// Whatever this client sent, it got nothing that is marked as another one's.
    func checkForeign(_ others: [Client]) {
        let text = String(decoding: stream.written, as: UTF8.self)
        guard text.contains("z") else { return }
        for other in others where other !== self {
            for index in other.methods.indices {
                require(!text.contains(other.marker(index)), "another client's bytes")
            }
        }
    }

    private(set) var answered = 0
    private var checkedBytes = 0

    /// Whether everything was answered, or the connection has ended.
    var isSettled: Bool { stream.hasEnded || hasLeft || !isPlain || answered == methods.count }

    private func checkMarkers(_ record: MessageRecord, _ index: Int) {
        let text = String(decoding: record.body, as: UTF8.self)
        guard text.contains("M"), let start = text.firstIndex(of: "M"),
            let end = text[start...].firstIndex(of: "z")
        else { return }
        let found = String(text[start...end])
        let isMarker = found.contains("n") && found.contains("r") && found.utf8.count > 16
        require(!isMarker || found == marker(index), "another request's bytes: \(found)")
    }
}
