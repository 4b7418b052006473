// What the gateway writes itself, byte by byte.

import Bytes
import HTTP1
import Testing

@Suite struct HeadWriterTests {
    private func written(_ write: (inout ByteBuffer) -> Void) -> String {
        var buffer = ByteBuffer()
        write(&buffer)
        return escaped(contents(of: buffer))
    }

    @Test func fields() {
        let name = Array("X-Name".utf8)
        let value = Array("some value".utf8)
        #expect(
            written { $0.appendField(name: name.span, value: value.span) }
                == "X-Name: some value\\r\\n")
        #expect(
            written { $0.appendField(name: name.span, value: Span()) } == "X-Name: \\r\\n")
        #expect(written { $0.appendField(.retryAfter, "3") } == "Retry-After: 3\\r\\n")
        #expect(
            written { $0.appendField(.xRequestID, value.span) } == "X-Request-ID: some value\\r\\n")
        #expect(written { $0.appendContentLength(0) } == "Content-Length: 0\\r\\n")
        #expect(written { $0.appendContentLength(1234) } == "Content-Length: 1234\\r\\n")
        #expect(
            written { $0.appendTransferEncodingChunked() } == "Transfer-Encoding: chunked\\r\\n")
    }

    /// Whatever a value holds, a field stays one line with nothing in it that a line may not have.
    @Test func noByteOfAValueCanInjectALine() {
        let name = Array("X-Name".utf8)
        for byte in UInt8.min...UInt8.max {
            for offset in [0, 1, 7, 8, 9, 15, 16, 40] {
                let run = [UInt8](repeating: 0x61, count: offset)
                let value = run + [byte] + Array("tail".utf8)
                let allowed = byte == 0x09 || (byte >= 0x20 && byte != 0x7f)
                let expected = escaped(run + [allowed ? byte : 0x20] + Array("tail".utf8))
                #expect(
                    written { $0.appendField(name: name.span, value: value.span) }
                        == "X-Name: \(expected)\\r\\n")
                #expect(written { $0.appendFieldText(value.span) } == expected)
                #expect(
                    written { $0.appendStatusLine(status: 200, reasonPhrase: value.span) }
                        == "HTTP/1.1 200 \(expected)\\r\\n")
            }
        }
    }

    /// Names, methods and targets come from parsers alone; one that is none ends the process rather
    /// than the message.
    @Test func namesThatWouldSplitALineAreNotWritten() async {
        await #expect(processExitsWith: .failure) {
            var buffer = ByteBuffer()
            buffer.appendField(name: Array("A: b\r\nC".utf8).span, value: Span())
        }
        await #expect(processExitsWith: .failure) {
            var buffer = ByteBuffer()
            buffer.appendRequestLine(
                method: Array("GET".utf8).span, target: Array("/a HTTP/1.1\r\nX: ".utf8).span)
        }
        await #expect(processExitsWith: .failure) {
            var buffer = ByteBuffer()
            buffer.appendRequestLine(
                method: Array("GET /".utf8).span, target: Array("/".utf8).span)
        }
    }

    @Test func startLines() {
        let method = Array("PATCH".utf8)
        let target = Array("/a?b".utf8)
        let reason = Array("Fine".utf8)
        #expect(
            written { $0.appendRequestLine(method: method.span, target: target.span) }
                == "PATCH /a?b HTTP/1.1\\r\\n")
        #expect(written { $0.appendStatusLine(status: 200) } == "HTTP/1.1 200 OK\\r\\n")
        #expect(
            written { $0.appendStatusLine(status: 503) } == "HTTP/1.1 503 Service Unavailable\\r\\n"
        )
        #expect(
            written { $0.appendStatusLine(status: 429) } == "HTTP/1.1 429 Too Many Requests\\r\\n")
        #expect(written { $0.appendStatusLine(status: 299) } == "HTTP/1.1 299 \\r\\n")
        #expect(
            written { $0.appendStatusLine(status: 200, reasonPhrase: reason.span) }
                == "HTTP/1.1 200 Fine\\r\\n")
    }

    @Test func everyStatusLineCanBeRead() throws {
        for status in 200...599 {
            var buffer = ByteBuffer()
            buffer.appendStatusLine(status: status)
            buffer.appendContentLength(0)
            buffer.appendLineEnd()
            var parser = ResponseParser(limits: HeadLimits())
            let event = try parser.next(in: buffer.bytes)
            #expect(event == .head(consumed: buffer.count))
            #expect(parser.head.status == status)
        }
    }

    @Test func chunks() {
        #expect(written { $0.appendChunkHead(1) } == "1\\r\\n")
        #expect(written { $0.appendChunkHead(0xbeef) } == "beef\\r\\n")
        #expect(written { $0.appendChunkEnd() } == "\\r\\n")
        #expect(written { $0.appendLastChunk() } == "0\\r\\n\\r\\n")
    }

    @Test func trailersAreWrittenBehindTheLastChunk() throws {
        let input = Array(
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nA:b\r\nC: \t d \r\n\r\n"
                .utf8)
        var parser = RequestParser(limits: HeadLimits())
        #expect(Transcript.of(&parser, input) { input.count }.lines.last == "end")
        var buffer = ByteBuffer()
        buffer.appendLastChunk(trailers: parser.trailers)
        #expect(escaped(contents(of: buffer)) == "0\\r\\nA: b\\r\\nC: d\\r\\n\\r\\n")
        buffer.removeAll()
        buffer.appendLastChunk(trailers: FieldSection())
        #expect(escaped(contents(of: buffer)) == "0\\r\\n\\r\\n")
    }

    @Test func impossibleChunksAndStatusesTrap() async {
        await #expect(processExitsWith: .failure) {
            var buffer = ByteBuffer()
            buffer.appendChunkHead(0)
        }
        await #expect(processExitsWith: .failure) {
            var buffer = ByteBuffer()
            buffer.appendStatusLine(status: 99)
        }
    }
}
