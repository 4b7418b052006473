// Lines in pieces of bytes, however they are cut.

import Testing

@testable import Bulk

@Suite struct BulkLineReaderTests {
    private static let most = 8

    /// What is found of `text` in pieces of so many bytes.
    private func lines(_ text: String, pieces: Int, most: Int = most) -> [String] {
        var reader = BulkLineReader(maxLineBytes: most)
        var found: [String] = []
        func note(_ event: BulkLineReader.Event) -> Bool {
            switch event {
            case .needMoreData: return false
            case .line: found.append(String(decoding: reader.line, as: UTF8.self))
            case .tooLong: found.append("too long")
            }
            #expect(reader.heldBytes == 0)
            return true
        }
        let bytes = Array(text.utf8)
        var start = 0
        while start < bytes.count {
            let piece = Array(bytes[start..<min(start + pieces, bytes.count)])
            var index = 0
            while note(reader.next(in: piece.span, at: &index)) {}
            #expect(index == piece.count)
            #expect(reader.heldBytes <= most + 1)
            start += piece.count
        }
        _ = note(reader.finish())
        let behind = reader.finish()
        #expect(behind == .needMoreData)
        return found
    }

    @Test(arguments: [
        ("", []), ("\n", []), ("\r\n \n\t\r\n", []), ("a", ["a"]), ("a\n", ["a"]),
        ("a\r\n", ["a"]), ("a\n\nb\r\n\r\nc", ["a", "b", "c"]), ("a\rb\n", ["a\rb"]),
        ("a\r", ["a"]), ("a\r\r\n", ["a\r"]),
        ("12345678\n12345678\r\n12345678", ["12345678", "12345678", "12345678"]),
        ("123456789\nb\n", ["too long", "b"]), ("123456789\r\nb", ["too long", "b"]),
        ("0123456789012345678901234567890\nb\n", ["too long", "b"]),
        ("a\n123456789", ["a", "too long"]),
        ("  a\n", ["  a"]),
    ])
    func linesAreFound(_ text: String, _ expected: [String]) {
        for pieces in 1...max(1, text.utf8.count) {
            #expect(lines(text, pieces: pieces) == expected, "in pieces of \(pieces)")
        }
    }

    @Test func manyLinesOfAnyLengthAreFound() {
        let seed = UInt64.random(in: 1 ... .max)
        var state = seed
        func draw(_ count: Int) -> Int {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int(state >> 33) % count
        }
        for _ in 0..<200 {
            let all = (0..<draw(20)).map { _ in String(repeating: "x", count: 1 + draw(100)) }
            let text = all.map { $0 + (draw(2) == 0 ? "\n" : "\r\n") }.joined()
            let expected = all.map { $0.count > 60 ? "too long" : $0 }
            #expect(
                lines(text, pieces: 1 + draw(90), most: 60) == expected, "seed \(seed)")
        }
    }
}
