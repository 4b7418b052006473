// Every byte value in every kind of place, at offsets on both sides of the eight bytes that the
// scanners take at once. What is allowed is written down here a second time, from the RFCs and not
// as sets of bits.

import HTTP1
import Testing

private let token = Set(
    "!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz".utf8)
private let visible = Set<UInt8>(0x21...0x7e)
private let blank: Set<UInt8> = [0x20, 0x09]
private let fieldValue = visible.union(blank).union(0x80...0xff)
private let hexadecimal = Set("0123456789abcdefABCDEF".utf8)

private func bytes(_ text: String) -> [UInt8] { Array(text.utf8) }

@Suite struct ByteClassTests {
    private let offsets = [0, 1, 2, 6, 7, 8, 9, 14, 15, 16, 17, 23, 24]

    /// Puts every byte at every offset of a run of `filler`, between `before` and `after`, and
    /// compares whether `parser` accepts that with what `allows` says.
    private func check(
        _ before: String, filler: UInt8 = UInt8(ascii: "a"), _ after: String, upTo: Int = 24,
        responses: Bool = false, allows: (_ byte: UInt8, _ offset: Int) -> Bool
    ) {
        for offset in offsets where offset <= upTo {
            let run = [UInt8](repeating: filler, count: offset)
            for byte in UInt8.min...UInt8.max {
                let input = bytes(before) + run + [byte] + bytes(after)
                for piece in [input.count, 1] {
                    let error = self.error(in: input, piece: piece, responses: responses)
                    #expect(
                        (error == nil) == allows(byte, offset),
                        "byte \(byte) at \(offset) behind \(before), pieces of \(piece): \(error ?? "")"
                    )
                }
            }
        }
    }

    private func error(in input: [UInt8], piece: Int, responses: Bool) -> String? {
        let lines: [String]
        if responses {
            var parser = ResponseParser(limits: HeadLimits())
            lines = Transcript.of(&parser, input) { piece }.lines
        } else {
            var parser = RequestParser(limits: HeadLimits())
            lines = Transcript.of(&parser, input) { piece }.lines
        }
        return lines.last.flatMap { $0.hasPrefix("error") ? $0 : nil }
    }

    @Test func methods() {
        check("", "b / HTTP/1.1\r\nHost: a\r\n\r\n") { byte, _ in token.contains(byte) }
    }

    @Test func targets() {
        check("GET /", "bcdefghijk HTTP/1.1\r\nHost: a\r\n\r\n") { byte, _ in
            visible.subtracting(bytes("#")).contains(byte)
        }
    }

    @Test func fieldNames() {
        check("GET / HTTP/1.1\r\nHost: a\r\n", "bcdefghijk: v\r\n\r\n") { byte, offset in
            token.contains(byte) || (byte == UInt8(ascii: ":") && offset > 0)
        }
    }

    @Test func fieldValues() {
        check("GET / HTTP/1.1\r\nHost: a\r\nA: ", "bcdefghijk\r\n\r\n") { byte, _ in
            fieldValue.contains(byte)
        }
    }

    /// Every byte in place of each byte of the version, in both kinds of start line.
    @Test(arguments: [false, true])
    func versions(responses: Bool) {
        let version = bytes("HTTP/1.1")
        for index in version.indices {
            let before = String(decoding: version[..<index], as: UTF8.self)
            let after = String(decoding: version[(index + 1)...], as: UTF8.self)
            check(
                responses ? before : "GET / \(before)",
                after + (responses ? " 200 OK\r\n\r\n" : "\r\nHost: a\r\n\r\n"), upTo: 0,
                responses: responses
            ) { byte, _ in
                byte == version[index] || (index == 7 && byte == UInt8(ascii: "0"))
            }
        }
    }

    /// Every byte in place of each of a status's digits.
    @Test func statuses() {
        let digits = Set("0123456789".utf8)
        check("HTTP/1.1 ", "00 OK\r\n\r\n", upTo: 0, responses: true) { byte, _ in
            bytes("12345").contains(byte)
        }
        check("HTTP/1.1 2", "0 OK\r\n\r\n", upTo: 0, responses: true) { byte, _ in
            digits.contains(byte)
        }
        check("HTTP/1.1 20", " OK\r\n\r\n", upTo: 0, responses: true) { byte, _ in
            digits.contains(byte)
        }
        check("HTTP/1.1 200", "\r\n\r\n", upTo: 0, responses: true) { byte, _ in
            byte == UInt8(ascii: " ")
        }
    }

    @Test func reasonPhrases() {
        check("HTTP/1.1 200 ", "bcdefghijk\r\n\r\n", responses: true) { byte, _ in
            fieldValue.contains(byte)
        }
    }

    @Test func fieldNamesOfResponses() {
        check("HTTP/1.1 200 OK\r\nA: b\r\n", "bcdefghijk: v\r\n\r\n", responses: true) {
            byte, offset in
            token.contains(byte) || (byte == UInt8(ascii: ":") && offset > 0)
        }
    }

    @Test func fieldValuesOfResponses() {
        check("HTTP/1.1 200 OK\r\nA: ", "bcdefghijk\r\n\r\n", responses: true) { byte, _ in
            fieldValue.contains(byte)
        }
    }

    /// A Content-Length is nothing but digits, with blanks around it.
    @Test(arguments: [false, true])
    func contentLengths(responses: Bool) {
        let start = responses ? "HTTP/1.1 200 OK" : "POST / HTTP/1.1\r\nHost: a"
        check(
            start + "\r\nContent-Length: ", filler: UInt8(ascii: "0"), "0\r\n\r\n", upTo: 14,
            responses: responses
        ) { byte, offset in
            Set("0123456789".utf8).contains(byte) || (blank.contains(byte) && offset == 0)
        }
    }

    private let chunkedResponse = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"

    @Test func chunkSizesOfResponses() {
        check(chunkedResponse, filler: UInt8(ascii: "0"), "\r\n", upTo: 14, responses: true) {
            byte, _ in
            hexadecimal.contains(byte)
        }
    }

    /// What stands behind a chunk's content ends its line and nothing else.
    @Test(arguments: [false, true])
    func chunkEnds(responses: Bool) {
        let start = (responses ? chunkedResponse : chunked) + "3\r\nabc"
        check(start, "\n0\r\n\r\n", upTo: 0, responses: responses) { byte, _ in byte == 0x0d }
        check(start + "\r", "0\r\n\r\n", upTo: 0, responses: responses) { byte, _ in byte == 0x0a }
    }

    /// A chunk's content is what its size says, whatever the bytes are.
    @Test(arguments: [false, true])
    func content(responses: Bool) {
        check(
            (responses ? chunkedResponse : chunked) + "19\r\n", String(repeating: "b", count: 24),
            upTo: 0, responses: responses
        ) { _, _ in true }
    }

    @Test func trailerValues() {
        check(chunked + "0\r\nA: ", "bcdefghijk\r\n\r\n") { byte, _ in fieldValue.contains(byte) }
    }

    private let chunked = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"

    @Test func chunkSizes() {
        check(chunked, filler: UInt8(ascii: "0"), "\r\n", upTo: 14) { byte, _ in
            hexadecimal.contains(byte)
        }
    }

    @Test func chunkExtensionNames() {
        check(chunked + "0;", "b\r\n") { byte, offset in
            token.contains(byte) || (blank.contains(byte) && offset == 0)
                || (bytes("=;").contains(byte) && offset > 0)
        }
    }

    @Test func chunkExtensionValues() {
        check(chunked + "0;a=b", "b\r\n") { byte, _ in
            token.contains(byte) || byte == UInt8(ascii: ";")
        }
    }

    @Test func quotedChunkExtensionValues() {
        check(chunked + "0;a=\"", "b\"\r\n") { byte, _ in
            fieldValue.subtracting(bytes("\"")).contains(byte)
        }
    }

    @Test func trailerNames() {
        check(chunked + "0\r\n", "bcdefghijk: v\r\n\r\n") { byte, offset in
            token.contains(byte) || (byte == UInt8(ascii: ":") && offset > 0)
        }
    }

    @Test func hosts() {
        let name = Set("-._~!$&'()*+,;=".utf8).union(token.filter { isLetterOrDigit($0) })
        check("GET / HTTP/1.1\r\nHost: a", "a\r\n\r\n") { byte, _ in name.contains(byte) }
    }

    private func isLetterOrDigit(_ byte: UInt8) -> Bool {
        let character = Character(Unicode.Scalar(byte))
        return character.isLetter || character.isNumber
    }
}
