// Requests that are made to ask for the usage of their streams, and streams that are freed from it.

import Foundation
import Testing

@testable import Inference

@Suite struct StreamOptionsTests {
    private func read(_ pieces: [[UInt8]]) throws(BodyFault) -> RequestReader {
        var reader = RequestReader()
        for piece in pieces { try reader.read(piece.span) }
        try reader.finish()
        return reader
    }

    private func edited(_ text: [UInt8], _ edit: TextEdit) -> String {
        let bytes = text[..<edit.range.lowerBound] + edit.bytes + text[edit.range.upperBound...]
        return String(decoding: bytes, as: UTF8.self)
    }

    private static let asked = "\"stream_options\":{\"include_usage\":true},"

    @Test(
        arguments: [
            ("{\"stream\":true}", "{\(asked)\"stream\":true}"),
            (" \n{ \"stream\" : true , \"a\":1} ", " \n{\(asked) \"stream\" : true , \"a\":1} "),
            ("\u{feff}{\"stream\":true}", "\u{feff}{\(asked)\"stream\":true}"),
            (
                "{\"stream\":true,\"stream_options\":{}}",
                "{\"stream\":true,\"stream_options\":{\"include_usage\":true}}"
            ),
            (
                "{\"stream_options\": { } ,\"stream\":true}",
                "{\"stream_options\": {\"include_usage\":true } ,\"stream\":true}"
            ),
            (
                "{\"stream\":true,\"stream_options\":{\"include_usage\" : false}}",
                "{\"stream\":true,\"stream_options\":{\"include_usage\" : true}}"
            ),
            (
                "{\"stream\":true,\"stream_options\":{\"x\":{\"include_usage\":true},\"include_usage\":null}}",
                "{\"stream\":true,\"stream_options\":{\"x\":{\"include_usage\":true},\"include_usage\":true}}"
            ),
            (
                "{\"stream\":true,\"stream_options\":{\"continuous_usage_stats\":true}}",
                "{\"stream\":true,\"stream_options\":{\"include_usage\":true,\"continuous_usage_stats\":true}}"
            ),
            (
                "{\"stream\":true,\"stream_options\":null,\"a\":[{\"stream_options\":{}}]}",
                "{\"stream\":true,\"stream_options\":{\"include_usage\":true},\"a\":[{\"stream_options\":{}}]}"
            ),
            (
                "{\"stream\\u005foptions\":{\"include\\u005fusage\":false},\"stream\":true}",
                "{\"stream\\u005foptions\":{\"include\\u005fusage\":true},\"stream\":true}"
            ),
            ("{\"stream\":false}", nil), ("{\"model\":\"m\"}", nil),
            ("{\"stream\":true,\"stream_options\":{\"include_usage\":true}}", nil),
            ("{\"stream\":true,\"stream_options\":[]}", nil),
            ("{\"stream\":true,\"stream_options\":\"x\"}", nil),
            ("{\"stream\":true,\"stream_options\":3}", nil),
            ("{\"stream\":true,\"stream_options\":false}", nil),
            ("{\"stream\":true,\"stream_options\":{\"include_usage\":1}}", nil),
        ] as [(String, String?)])
    func theRequestAsks(_ text: String, _ expected: String?) throws {
        let bytes = Array(text.utf8)
        for pieces in Corpus.cuts(bytes) {
            let edit = try read(pieces).usageEdit
            #expect(edit.map { edited(bytes, $0) } == expected)
            #expect(
                edit.map(\.growth) == expected.map { $0.utf8.count - bytes.count })
        }
    }

    /// What is there stays, to the byte, and what results asks for usage, once.
    @Test func whatResultsIsTheSameAndAsks() throws {
        let options = [
            "", "\"stream_options\":null,", "\"stream_options\":{},",
            "\"stream_options\":{\"include_usage\":false},",
            "\"stream_options\":{\"b\":[1,{\"c\":2}],\"include_usage\":false,\"d\":\"}\"},",
        ]
        for option in options {
            let text = "{\"model\":\"m\",\(option)\"messages\":[{\"a\":\"\\\"{\"}],\"stream\":true}"
            let bytes = Array(text.utf8)
            let edit = try #require(try read([bytes]).usageEdit)
            let result = edited(bytes, edit)
            let object = try #require(
                try JSONSerialization.jsonObject(with: Data(result.utf8)) as? [String: Any])
            let asked = object["stream_options"] as? [String: Any]
            #expect(asked?["include_usage"] as? Bool == true)
            #expect(object["model"] as? String == "m" && object["stream"] as? Bool == true)
            #expect(try read([Array(result.utf8)]).usageEdit == nil)
        }
    }

    @Test func whatIsSaidTwiceIsRefused() {
        for text in [
            "{\"stream_options\":{},\"stream_options\":{}}",
            "{\"stream_options\":{\"include_usage\":false,\"include_usage\":true}}",
        ] {
            #expect(throws: BodyFault.repeatedField) { try read([Array(text.utf8)]) }
        }
        #expect(throws: BodyFault.ambiguousField) {
            try read([Array("{\"Stream_Options\":{}}".utf8)])
        }
    }

    // MARK: Streams

    private static let content =
        "data: {\"choices\":[{\"delta\":{\"content\":\"x\"}}],\"usage\":null}\n\n"
    private static let both =
        "data: {\"choices\":[{\"delta\":{}}],\"usage\":{\"prompt_tokens\":3}}\n\n"
    private static let usage =
        "data: {\"id\":\"c\",\"choices\":[],\"usage\":{\"prompt_tokens\":3,\"details\":{\"a\":[1]}}}\n\n"
    private static let filtered = "data: {\"choices\":[],\"prompt_filter_results\":[{\"a\":1}]}\n\n"
    private static let null = "data: {\"choices\":[],\"usage\":null}\n\n"
    private static let done = "data: [DONE]\n\n"

    private func passed(_ text: String, piece: Int) -> String {
        var filter = UsageFilter()
        var passed: [UInt8] = []
        var rest = Array(text.utf8)[...]
        while !rest.isEmpty {
            let next = Array(rest.prefix(piece))
            rest = rest.dropFirst(piece)
            filter.read(next.span)
            passed += filter.passed
        }
        filter.finish()
        return String(decoding: passed + filter.passed, as: UTF8.self)
    }

    @Test(arguments: [
        content + usage + done, usage, content + usage, content + both + usage + done,
        filtered + content + null + usage + done, ": ping\n\n" + content + usage + done,
        content + done, "event: x\nid: 3\n" + content + usage + done, content + usage + content,
        "data: {\"usage\":{\"prompt_tokens\":1},\"choices\":[ ]}\n\n",
        "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":1}\n\n", "data: nonsense\n\n",
        "data: {\"x\":{\"choices\":[],\"usage\":{}}}\n\n", content + "data: {\"choices\":[",
        "data: {\"usage\":{\"a\":{\"b\":1}},\"choices\":[[]]}\n\n",
    ])
    func onlyUsageIsTakenOut(text: String) {
        let others = ["data: {\"usage\":{\"prompt_tokens\":1},\"choices\":[ ]}\n\n"]
        var expected = text.replacing(Self.usage, with: "")
        for other in others { expected = expected.replacing(other, with: "") }
        for ending in ["\n", "\r\n", "\r"] {
            let stream = text.replacing("\n", with: ending)
            let wanted = expected.replacing("\n", with: ending)
            for piece in 1...stream.utf8.count {
                let got = passed(stream, piece: piece)
                #expect(got == wanted, "pieces of \(piece)")
                if got != wanted { return }
            }
        }
    }

    @Test func nothingWaitsThatIsComplete() {
        var filter = UsageFilter()
        for (text, expected) in [
            (Self.content, Self.content), (": ping\n\n", ": ping\n\n"), (Self.usage, ""),
            (Self.content + "data: {", Self.content), ("}\n\n", "data: {}\n\n"),
        ] {
            let bytes = Array(text.utf8)
            filter.read(bytes.span)
            #expect(String(decoding: filter.passed, as: UTF8.self) == expected)
        }
    }

    @Test func aLongEventIsNotHeld() {
        let long =
            "data: {\"choices\":[],\"a\":\"\(String(repeating: "x", count: 50_000))\",\"usage\":{}}\n\n"
        var filter = UsageFilter()
        let bytes = Array(long.utf8)
        let begin = Array(bytes[..<20_000])
        let rest = Array(bytes[20_000...])
        filter.read(begin.span)
        #expect(filter.passed.count == 20_000)
        filter.read(rest.span)
        #expect(filter.passed.count == bytes.count - 20_000)
        let last = Array((Self.usage + Self.done).utf8)
        filter.read(last.span)
        #expect(String(decoding: filter.passed, as: UTF8.self) == Self.done)
    }
}
