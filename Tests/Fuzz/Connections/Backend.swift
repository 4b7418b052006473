// A backend's connection as the gateway opened it: a check of what came, and answers to it.

import FuzzSupport
import HTTP1

@testable import Bytes
@testable import Reactor
@testable import TestSupport

/// One connection to a backend.
final class Backend {
    /// Its end; nil where nobody was dialling, which inputs that were found before count as one too.
    let peer: Peer?
    private var parser = RequestParser(limits: HeadLimits(maxHeadBytes: 1 << 17, maxFields: 300))
    private var consumed = 0
    /// The paths of the requests whose heads have come, in order.
    private var paths: [String] = []
    private var methods: [Method] = []
    private var answered = 0
    private var isTunnel = false
    /// Whether bytes were sent that the input made up.
    private var isWild = false

    init(_ peer: Peer?) { self.peer = peer }

    /// Sends any bytes.
    func send(_ bytes: [UInt8]) {
        isWild = true
        sendAnyway(bytes)
    }

    /// Whether the gateway has closed meanwhile is its own affair.
    private func sendAnyway(_ bytes: [UInt8]) { try? peer?.send(bytes) }

    /// Reads all that came so far: valid requests.
    func check() {
        guard let written = peer?.stream.written, !isTunnel else { return }
        do throws(ParseError) {
            while true {
                switch try parser.next(in: written.span.extracting(consumed...)) {
                case .needMoreData(let count):
                    consumed += count
                    return
                case .head(let count):
                    consumed += count
                    paths.append(
                        String(decoding: parser.head.bytes[parser.head.path], as: UTF8.self))
                    methods.append(parser.head.method)
                    require(parser.head.form == .origin || parser.head.form == .asterisk, "a form")
                    require(
                        parser.head.method != .connect && parser.head.method != .trace, "a method")
                    if parser.head.asksForWebSocket {
                        isTunnel = true
                        return
                    }
                case .body(let count, _):
                    consumed += count
                case .end(let count):
                    consumed += count
                    parser.reset()
                }
            }
        } catch {
            require(false, "a backend got nonsense: \(error)")
        }
    }

    /// Answers the oldest request that has no answer, if there is one, with its own path as the body.
    func answer(_ kind: UInt8) {
        check()
        guard answered < paths.count, !isWild else { return }
        let text = String(paths[answered].dropFirst())
        let size = text.utf8.count
        let isHead = methods[answered] == .head
        let body = isHead ? "" : text
        let chunk = isHead ? "" : "\(String(size, radix: 16))\r\n\(text)\r\n0\r\n\r\n"
        let kinds = [
            "HTTP/1.1 200 OK\r\nContent-Length: \(size)\r\n\r\n\(body)",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\(size == 0 ? "" : chunk)",
            "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: \(size)\r\n\r\n\(body)",
            "HTTP/1.1 503 Busy\r\nContent-Length: \(size)\r\nConnection: close\r\n\r\n\(body)",
            "HTTP/1.1 204 Nothing\r\n\r\n",
            "HTTP/1.1 101 Switch\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                + "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n\(text)",
            "HTTP/1.0 200 Until the end\r\n\r\n\(text)",
            "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
                + (isHead
                    ? "" : "\(String(size + 8, radix: 16))\r\ndata: \(text)\n\n\r\n0\r\n\r\n"),
            // An event that does not end, and a head that has no event.
            "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
                + (isHead ? "" : "6\r\ndata: \r\n"),
            "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n",
        ]
        answered += 1
        sendAnyway(Array(kinds[Int(kind) % kinds.count].utf8))
    }
}
