// The scanner against Foundation's parser, on texts made from a grammar and on damaged ones.

import Bytes
import Foundation
import Testing

@testable import Inference

@Suite struct JSONScannerTests {
    private func accepts(_ pieces: [[UInt8]]) -> Bool {
        var scanner = JSONScanner()
        do throws(BodyFault) {
            for piece in pieces {
                var index = 0
                while try scanner.next(in: piece.span, at: &index) != .needMoreData {}
            }
        } catch {
            return false
        }
        return scanner.isComplete
    }

    /// What stands between two things, with or without spaces around it.
    private func makeMark(_ random: inout Random, _ mark: String) -> String {
        [mark, mark, "\(mark) ", " \(mark)", " \(mark)\n"][Int(random.next() % 5)]
    }

    private func makeText(_ random: inout Random, depth: Int) -> String {
        switch random.next() % (depth > 4 ? 5 : 7) {
        case 0: return ["true", "false", "null"][Int(random.next() % 3)]
        case 1:
            return ["0", "-0", "12", "-3.25", "1e5", "2E-7", "0.5e+3", "123456789012345678901"][
                Int(random.next() % 8)]
        case 2, 3, 4: return makeString(&random)
        case 5:
            let items = (0..<random.next() % 4).map { _ in makeText(&random, depth: depth + 1) }
            return "[" + items.joined(separator: makeMark(&random, ",")) + "]"
        default:
            let items = (0..<random.next() % 4).map { _ in
                "\(makeString(&random))\(makeMark(&random, ":"))\(makeText(&random, depth: depth + 1))"
            }
            return "{" + items.joined(separator: makeMark(&random, ",")) + "\t}"
        }
    }

    private func makeString(_ random: inout Random) -> String {
        let parts = [
            "a", "model", "\\n", "\\\"", "\\\\", "\\u00e9", "\\ud83d\\ude00", "ü", "😀", "{", "}",
            String(repeating: "lorem ipsum ", count: 9), ",", ":", "\\/", "\\b\\f\\r\\t",
        ]
        let chosen = (0..<random.next() % 6).map { _ in parts[Int(random.next() % 16)] }
        return "\"\(chosen.joined())\""
    }

    @Test func textsOfTheGrammarAreAccepted() {
        var random = Random(seed: 7)
        for round in 0..<300 {
            let text = "{\"k\":" + makeText(&random, depth: 0) + "}"
            for pieces in Corpus.cuts(Array(text.utf8), seed: UInt64(round)) {
                #expect(accepts(pieces), "round \(round): \(text)")
            }
        }
    }

    /// Foundation takes fragments, a byte order mark and UTF-16 too, none of which are made here.
    @Test func damagedTextsAreJudgedAsFoundationDoes() {
        var random = Random(seed: 11)
        let replacements = Array("{}[]\",:\\0129eE+-.tfn ax".utf8)
        for round in 0..<2_000 {
            var text = Array(("{\"k\":" + makeText(&random, depth: 1) + "}").utf8)
            let place = Int(random.next() % UInt64(text.count))
            switch random.next() % 3 {
            case 0: text.remove(at: place)
            case 1: text[place] = replacements[Int(random.next() % UInt64(replacements.count))]
            default: text.insert(replacements[Int(random.next() % 22)], at: place)
            }
            guard String(validating: text, as: UTF8.self) != nil else { continue }
            let shown = String(decoding: text, as: UTF8.self)
            // Halves of surrogate pairs are left to whoever reads the text, and Foundation takes a
            // comma after the last element.
            if shown.contains("\\u") || shown.contains(/,\s*[}\]]/) { continue }
            let isJSON =
                (try? JSONSerialization.jsonObject(with: Data(text), options: .fragmentsAllowed))
                != nil
            for pieces in Corpus.cuts(text, seed: UInt64(round)) {
                #expect(accepts(pieces) == isJSON, "round \(round): \(shown)")
            }
        }
    }

    @Test func whatIsNotJSONIsRefused() {
        for text in [
            "", "{", "}", "[1,]", "{\"a\":1,}", "{\"a\" 1}", "{a:1}", "{'a':1}", "01", "1.", ".5",
            "1e", "+1", "-", "tru", "nul", "truee", "\"\u{1}\"", "\"\\x\"", "\"\\u12g4\"", "[1 2]",
            "{\"a\":1}{", "{\"a\":1} x", "[1}", "NaN", "\u{feff}{}", "--1", "1e+", "[,1]",
        ] {
            for pieces in Corpus.cuts(Array(text.utf8)) {
                #expect(!accepts(pieces), "\(text)")
            }
        }
    }

    @Test func nestingIsBounded() {
        for (depth, isAccepted) in [(128, true), (129, false)] {
            let text = String(repeating: "[", count: depth) + String(repeating: "]", count: depth)
            for pieces in Corpus.cuts(Array(text.utf8)) { #expect(accepts(pieces) == isAccepted) }
        }
    }

    /// Every byte that may end a text, at every distance from a vector's beginning.
    @Test func everyPlaceOfAMarkIsFound() {
        for length in 0..<140 {
            for mark in [0x22, 0x5c, 0x00, 0x1f] as [UInt8] {
                var bytes = [UInt8](repeating: 0xff, count: 160)
                bytes[length] = mark
                #expect(bytes.span.endOfPlainText(from: 0) == length)
                for index in 0..<length { bytes[index] = UInt8(0x20 + index) == 0x22 ? 0x21 : 0x7e }
                #expect(bytes.span.endOfPlainText(from: 0) == length)
            }
        }
        #expect([UInt8](repeating: 0x20, count: 100).span.endOfPlainText(from: 3) == 100)
    }

    /// Among bytes that are nearly such marks, in words and in vectors.
    @Test(arguments: 1...20 as ClosedRange<UInt64>)
    func marksAreToldFromWhatIsLikeThem(seed: UInt64) {
        var random = Random(seed: seed)
        let like: [UInt8] = [
            0x20, 0x21, 0x23, 0x5b, 0x5d, 0x5e, 0x7e, 0x7f, 0x80, 0x9f, 0xa0, 0xa2, 0xdc, 0xff,
        ]
        let marks: [UInt8] = [0x22, 0x5c, 0x00, 0x02, 0x1f]
        for _ in 0..<500 {
            let bytes = (0..<Int(random.next() % 200)).map { _ in
                random.next() % 40 == 0
                    ? marks[Int(random.next() % 5)] : like[Int(random.next() % 14)]
            }
            let start = Int(random.next() % UInt64(bytes.count + 1))
            let expected = bytes[start...].firstIndex { $0 < 0x20 || $0 == 0x22 || $0 == 0x5c }
            #expect(
                bytes.span.endOfPlainText(from: start) == expected ?? bytes.count,
                "seed \(seed), from \(start): \(bytes)")
        }
    }

    /// An escape at the bound: what does not fit is told.
    @Test(arguments: [254, 255, 256, 257])
    func escapesAtTheBoundAreKeptOrTold(length: Int) throws {
        let escapes: [(String, [UInt8])] = [
            ("\\n", [0x0a]), ("\\u00e9", [0xc3, 0xa9]),
            ("\\ud83d\\ude00", [0xf0, 0x9f, 0x98, 0x80]),
        ]
        for (escape, bytes) in escapes {
            let key = [UInt8](repeating: 0x61, count: length)
            let text = Array("{\"".utf8) + key + Array(escape.utf8) + Array("\":1}".utf8)
            for pieces in Corpus.cuts(text) {
                var scanner = JSONScanner()
                for piece in pieces {
                    var index = 0
                    while try scanner.next(in: piece.span, at: &index) != .needMoreData {}
                }
                #expect(scanner.text.bytes == Array((key + bytes).prefix(256)))
                #expect(scanner.isTextCut == (length + bytes.count > 256))
            }
        }
    }

    /// Keys of any length, cut anywhere: as much is kept as fits, and it is told that there was more.
    @Test(arguments: [0, 1, 7, 8, 31, 33, 255, 256, 257, 600])
    func keysAreKeptUpToTheirBound(length: Int) throws {
        let key = (0..<length).map { UInt8(ascii: "a") + UInt8($0 % 26) }
        let text = Array("{\"".utf8) + key + Array("\":1,\"b\\u0041\\n\":[2,\"x\"],\"c\" :3}".utf8)
        for pieces in Corpus.cuts(text) {
            var scanner = JSONScanner()
            var keys: [[UInt8]] = []
            var cut: [Bool] = []
            for piece in pieces {
                var index = 0
                while true {
                    let event = try scanner.next(in: piece.span, at: &index)
                    if event == .needMoreData { break }
                    guard event == .key else { continue }
                    keys.append(scanner.text.bytes)
                    cut.append(scanner.isTextCut)
                }
            }
            #expect(scanner.isComplete)
            #expect(keys == [Array(key.prefix(256)), Array("bA\n".utf8), Array("c".utf8)])
            #expect(cut == [length > 256, false, false])
        }
    }
}
