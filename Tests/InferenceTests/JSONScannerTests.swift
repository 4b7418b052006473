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

    private func makeText(_ random: inout Random, depth: Int) -> String {
        switch random.next() % (depth > 4 ? 5 : 7) {
        case 0: return ["true", "false", "null"][Int(random.next() % 3)]
        case 1:
            return ["0", "-0", "12", "-3.25", "1e5", "2E-7", "0.5e+3", "123456789012345678901"][
                Int(random.next() % 8)]
        case 2, 3, 4: return makeString(&random)
        case 5:
            let items = (0..<random.next() % 4).map { _ in makeText(&random, depth: depth + 1) }
            return "[" + items.joined(separator: " ,") + "]"
        default:
            let items = (0..<random.next() % 4).map { _ in
                "\(makeString(&random)):\n\(makeText(&random, depth: depth + 1))"
            }
            return "{" + items.joined(separator: ", ") + "\t}"
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
}
