// Models and sizes out of request bodies, and what is wrong with those that are refused.

import Testing

@testable import Inference

@Suite struct RequestReaderTests {
    private func read(_ pieces: [[UInt8]]) throws(BodyFault) -> RequestReader {
        var reader = RequestReader()
        for piece in pieces { try reader.read(piece.span) }
        try reader.finish()
        return reader
    }

    private func fault(_ pieces: [[UInt8]]) -> BodyFault? {
        do throws(BodyFault) {
            _ = try read(pieces)
            return nil
        } catch {
            return error
        }
    }

    @Test(
        arguments: [
            ("openai-chat", "meta-llama/Llama-3.1-8B", true, 128, 2),
            ("ollama-generate", "llama3.2", false, 64, 1),
            ("tgi-generate", "", nil, 20, 1), ("sglang-generate", "", true, 96, 1),
            ("anthropic-message", "claude", nil, 1_024, 1),
        ] as [(String, String, Bool?, Int, Int)])
    func fixtures(
        _ name: String, _ model: String, _ streams: Bool?, _ maxTokens: Int, _ choices: Int
    ) throws {
        let bytes = try Corpus.bytes("Requests/\(name).json")
        for pieces in Corpus.cuts(bytes) {
            let reader = try read(pieces)
            #expect(String(decoding: reader.model, as: UTF8.self) == model)
            #expect(reader.streams == streams)
            #expect(reader.maxTokens == maxTokens)
            #expect(reader.choices == choices)
            if reader.hasModel {
                let raw = String(decoding: bytes[reader.modelRange], as: UTF8.self)
                #expect(raw == model || raw == "clau\\u0064e")
                #expect(bytes[reader.modelRange.upperBound] == UInt8(ascii: "\""))
            }
            #expect(fault(pieces + [Array("{}".utf8)]) == .notJSON)
        }
        for end in 0..<bytes.count - 1 {
            #expect(fault([Array(bytes[..<end])]) == .truncated, "cut at \(end)")
        }
    }

    /// A byte order mark says nothing, and the name is found behind it.
    @Test func aByteOrderMarkIsPassedOver() throws {
        let bytes = Array("\u{feff} {\"model\":\"m\",\"x\":{\"MODEL\":1,\"Stream\":2}}".utf8)
        for pieces in Corpus.cuts(bytes) {
            var reader = RequestReader()
            for piece in pieces { try reader.read(piece.span) }
            try reader.finish()
            #expect(String(decoding: bytes[reader.modelRange], as: UTF8.self) == "m")
        }
    }

    @Test(
        arguments: [
            ("{\"model\":\"a\",\"model\":\"a\"}", .repeatedModel),
            ("{\"model\":\"a\",\"x\":[{}],\"mod\\u0065l\":\"b\"}", .repeatedModel),
            ("{\"model\":\"a\",\"MODEL\":\"b\"}", .ambiguousField),
            ("{\"Model\":\"a\"}", .ambiguousField),
            ("{\"Stream\":true}", .ambiguousField), ("{\"\u{17f}tream\":true}", .ambiguousField),
            ("{\"max_to\u{212a}ens\":1}", .ambiguousField),
            ("{\"max_to\\u212aens\":1}", .ambiguousField), ("{\"N\":1}", .ambiguousField),
            ("{\"OPTIONS\":{}}", .ambiguousField),
            ("{\"stream\":true,\"stream\":false}", .repeatedField),
            ("{\"max_tokens\":1,\"max_tokens\":9}", .repeatedField),
            ("\u{feff}\u{feff}{}", .notJSON), ("\u{fec0}{}", .notJSON),
            ("{\"model\":3}", .invalidModel), ("{\"model\":null}", .invalidModel),
            ("{\"model\":{}}", .invalidModel), ("{\"model\":[\"a\"]}", .invalidModel),
            ("{\"model\":\"\"}", .invalidModel), ("{\"model\":\"a\\nb\"}", .invalidModel),
            ("[{\"model\":\"a\"}]", .notAnObject), ("\"model\"", .notAnObject),
            ("model=a&b", .notJSON), ("", .truncated),
        ] as [(String, BodyFault)])
    func faults(_ text: String, _ expected: BodyFault) {
        for pieces in Corpus.cuts(Array(text.utf8)) { #expect(fault(pieces) == expected) }
    }

    @Test func namesAreBounded() throws {
        for (length, isAccepted) in [(256, true), (257, false)] {
            let text = "{\"model\":\"\(String(repeating: "x", count: length))\"}"
            for pieces in Corpus.cuts(Array(text.utf8)) {
                #expect(fault(pieces) == (isAccepted ? nil : .invalidModel))
            }
        }
    }

    @Test func theModelIsKnownBeforeTheBodyHasEnded() throws {
        var reader = RequestReader()
        try reader.read(Array("{\"model\":\"a\",\"messages\":[".utf8).span)
        #expect(reader.hasModel)
        #expect(throws: BodyFault.truncated) { try reader.finish() }
        reader.reset()
        #expect(!reader.hasModel)
        try reader.read(Array("{\"model\":\"b\"}".utf8).span)
        #expect(reader.model == Array("b".utf8))
    }
}
