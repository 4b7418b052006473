// The server's end of a connection to a simulated backend: one request after another, in HTTP/1.1.

internal import Bytes
internal import Gateway
internal import HTTP1
internal import Reactor

/// A connection of a backend's.
final class BackendConnection: LoopbackConnection {
    private unowned let server: BackendServer
    private var parser = RequestParser(limits: HeadLimits())
    private var body: [UInt8] = []
    /// The request that the engine has; the next one is not read before it is answered.
    private var request: CompletionRequest?
    private var tokensMade = 0
    private var keepsAlive = false

    private static let maxBodyBytes = 64 * 1024

    /// A connection that `server` has accepted.
    init(server: BackendServer, _ reactor: Reactor, _ descriptor: consuming Descriptor) {
        self.server = server
        super.init(reactor: reactor, descriptor: descriptor)
    }

    override func received() {
        do throws(ParseError) {
            while isOpen && request == nil, try parse() {}
        } catch {
            answer(status: error.status, closes: true)
        }
    }

    override func ended() { leave() }

    /// Closes; the engine drops what it still had to do for this client.
    func leave() {
        server.forget(self)
        close()
    }

    /// Takes one step through the input; false when more bytes are needed.
    private func parse() throws(ParseError) -> Bool {
        switch try parser.next(in: input) {
        case .needMoreData(let consumed):
            input.drop(consumed)
            return false
        case .head(let consumed):
            input.drop(consumed)
            if parser.head.expectsContinue { output.append("HTTP/1.1 100 Continue\r\n\r\n") }
            flush()
        case .body(let consumed, let content):
            guard body.count + content.count <= BackendConnection.maxBodyBytes else {
                answer(status: 413, closes: true)
                return false
            }
            BackendConnection.append(content, of: input, to: &body)
            input.drop(consumed)
        case .end(let consumed):
            input.drop(consumed)
            begin()
        }
        return true
    }

    private static func append(
        _ range: Range<Int>, of buffer: borrowing ByteBuffer, to body: inout [UInt8]
    ) {
        for index in range { body.append(buffer.bytes[index]) }
    }

    private func begin() {
        keepsAlive = parser.head.keepAlive
        let isCompletion =
            parser.head.method == .post
            && parser.head.bytes[parser.head.path].elementsEqual("/v1/chat/completions".utf8)
        let asked = CompletionRequest(body: body)
        body.removeAll(keepingCapacity: true)
        parser.reset()
        guard isCompletion else {
            answer(status: 404, closes: !keepsAlive)
            return
        }
        request = asked
        tokensMade = 0
        server.submit(asked, for: self)
    }

    // MARK: Responses

    /// The engine has made a token of this connection's request.
    func made(isLast: Bool) {
        guard let request else { return }
        tokensMade += 1
        if request.isStreamed {
            if tokensMade == 1 { appendStreamHead() }
            appendEvent("{\"choices\":[{\"index\":0,\"delta\":{\"content\":\"word \"}}]}")
            if isLast {
                appendEvent("[DONE]")
                output.appendLastChunk()
            }
        } else if isLast {
            appendWhole()
        }
        flush()
        if isLast { finish() }
    }

    private func finish() {
        request = nil
        if keepsAlive { received() } else { leave() }
    }

    private func appendStreamHead() {
        output.appendStatusLine(status: 200)
        output.append("Content-Type: text/event-stream\r\nCache-Control: no-store\r\n")
        output.appendTransferEncodingChunked()
        output.append(keepsAlive ? "\r\n" : "Connection: close\r\n\r\n")
    }

    private func appendEvent(_ data: String) {
        output.appendChunk("data: \(data)\n\n".utf8.span)
    }

    private func appendWhole() {
        let text = String(repeating: "word ", count: tokensMade)
        let body =
            "{\"object\":\"chat.completion\",\"choices\":[{\"index\":0,\"finish_reason\":\"length\","
            + "\"message\":{\"role\":\"assistant\",\"content\":\"\(text)\"}}],"
            + "\"usage\":{\"completion_tokens\":\(tokensMade)}}\n"
        append(status: 200, body: body, closes: !keepsAlive)
    }

    private func answer(status: Int, closes: Bool) {
        append(status: status, body: "{\"error\":{\"code\":\(status)}}\n", closes: closes)
        flush()
        if closes { leave() }
    }

    private func append(status: Int, body: String, closes: Bool) {
        output.appendStatusLine(status: status)
        output.append("Content-Type: application/json\r\n")
        output.appendContentLength(body.utf8.count)
        output.append(closes ? "Connection: close\r\n\r\n" : "\r\n")
        output.append(body)
    }
}
