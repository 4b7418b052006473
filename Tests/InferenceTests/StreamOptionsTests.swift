// Requests that are made to ask for the usage of their streams; `UsageFilterTests` has the streams.

import Foundation
import Testing

@testable import Inference

@Suite struct StreamOptionsTests {
    private func read(
        _ pieces: [[UInt8]], isStrict: Bool = true
    ) throws(BodyFault) -> RequestReader {
        var reader = RequestReader(isStrict: isStrict)
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

    /// Engines differ in what they take for true and what they refuse, so all of it is said in plain words.
    @Test(arguments: [
        "[]", "[{\"include_usage\":true}]", "\"x\"", "3", "false", "null", "true", "-0.5e+3",
        "{\"include_usage\":0}", "{\"include_usage\":1}", "{\"include_usage\":\"true\"}",
        "{\"include_usage\":\"no\"}", "{\"include_usage\":[true]}",
        "{\"include_usage\":{\"include_usage\":true}}", "{\"a\":[],\"include_usage\":2.5}",
    ])
    func whateverIsSaidIsReplaced(_ options: String) throws {
        let plain = "{\"include_usage\":true}"
        for (before, after) in [("", ",\"stream\":true"), ("\"stream\":true,", "")] {
            let text = "{\(before)\"stream_options\":\(options)\(after)}"
            let bytes = Array(text.utf8)
            for pieces in Corpus.cuts(bytes) {
                let edit = try #require(try read(pieces).usageEdit)
                let result = edited(bytes, edit)
                let begin =
                    options.hasPrefix("{\"a\"") ? "{\"a\":[],\"include_usage\":true}" : plain
                #expect(result == "{\(before)\"stream_options\":\(begin)\(after)}")
            }
        }
    }

    /// Who asked in a way that lenient servers take for asking gets what it asked for.
    @Test(arguments: [
        ("true", true), ("1", true), ("1.0", true), ("\"yes\"", true), ("\"TRUE\"", true),
        ("\"1\"", true), ("false", false), ("null", false), ("0", false), ("0.0", false),
        ("-0", false), ("0e5", false), ("\"off\"", false), ("2", false), ("\"maybe\"", false),
        ("\"\"", false), ("[]", false), ("{}", false),
    ])
    func whoAsksIsTold(_ value: String, _ isAsking: Bool) throws {
        let bytes = Array("{\"stream_options\":{\"include_usage\":\(value)},\"stream\":1}".utf8)
        for pieces in Corpus.cuts(bytes) {
            let reader = try read(pieces)
            #expect(reader.asksForUsage == isAsking)
            #expect((reader.usageEdit == nil) == (value == "true"))
        }
    }

    /// pydantic's lax mode: what a server may take for true is asked for, what it takes for false is not.
    @Test(
        arguments: [
            ("true", true, true), ("1", true, true), ("1.0", true, true), ("10e-1", true, true),
            ("\"true\"", true, true), ("\"True\"", true, true), ("\"t\"", true, true),
            ("\"Y\"", true, true), ("\"yes\"", true, true), ("\"on\"", true, true),
            ("\"1\"", true, true), ("\"\\u0074rue\"", true, true), ("false", false, false),
            ("null", false, false), ("0", false, false), ("-0", false, false),
            ("0.00", false, false), ("0e9", false, false), ("\"false\"", false, false),
            ("\"F\"", false, false), ("\"no\"", false, false), ("\"N\"", false, false),
            ("\"off\"", false, false), ("\"0\"", false, false), ("2", nil, true), ("-1", nil, true),
            ("\"\"", nil, true), ("\" true\"", nil, true), ("[]", nil, true), ("{}", nil, true),
            ("0.01", true, true),
        ] as [(String, Bool?, Bool)])
    func whatAStreamIs(_ value: String, _ streams: Bool?, _ isEdited: Bool) throws {
        let bytes = Array("{\"stream\":\(value),\"messages\":[1]}".utf8)
        for pieces in Corpus.cuts(bytes) {
            let reader = try read(pieces)
            #expect(reader.streams == streams)
            #expect((reader.usageEdit != nil) == isEdited)
        }
    }

    /// What only looks reads what is said twice as Python, C++ and Go do, and refuses no more than it must.
    @Test(
        arguments: [
            (
                "{\"stream\":false,\"stream\":true}",
                "{\(asked)\"stream\":false,\"stream\":true}"
            ),
            ("{\"stream\":true,\"stream\":false}", nil),
            (
                "{\"stream_options\":{\"include_usage\":true},\"stream\":true,\"stream_options\":null}",
                "{\"stream_options\":{\"include_usage\":true},\"stream\":true,\"stream_options\":{\"include_usage\":true}}"
            ),
            (
                "{\"stream_options\":[],\"stream_options\":{\"a\":1},\"stream\":true}",
                "{\"stream_options\":[],\"stream_options\":{\"include_usage\":true,\"a\":1},\"stream\":true}"
            ),
            (
                "{\"stream\":true,\"stream_options\":{\"include_usage\":true,\"include_usage\":false}}",
                "{\"stream\":true,\"stream_options\":{\"include_usage\":true,\"include_usage\":true}}"
            ),
            (
                "{\"stream_options\":{},\"stream_options\":{\"include_usage\":true},\"stream\":true}",
                nil
            ),
            (
                "{\"model\":5,\"MODEL\":\"a\",\"model\":\"b\",\"N\":1,\"n\":1,\"n\":2,\"stream\":true}",
                "{\(asked)\"model\":5,\"MODEL\":\"a\",\"model\":\"b\",\"N\":1,\"n\":1,\"n\":2,\"stream\":true}"
            ),
        ] as [(String, String?)])
    func theLastCountsForWhoOnlyLooks(_ text: String, _ expected: String?) throws {
        let bytes = Array(text.utf8)
        for pieces in Corpus.cuts(bytes) {
            let reader = try read(pieces, isStrict: false)
            #expect(reader.usageEdit.map { edited(bytes, $0) } == expected)
        }
        #expect(throws: BodyFault.self) { try read([bytes]) }
    }

    /// What is no JSON, and is read all the same by some server.
    @Test(
        arguments: [
            "{\"a\":NaN,\"b\":[Infinity,-Infinity,NaN],\"stream\":true,\"c\":-Infinity}",
            "{\"stream\":NaN,\"stream\":Infinity,\"stream\":true}",
            "{\"stream\":true}}", "{\"stream\":true}{\"stream\":false}",
            "{\"stream\":true} nonsense",
            "{\"a\":DEEP,\"stream\":true}", "{\"stream\":true,\"a\":{\"b\":[DEEP,{\"stream\":1}]}}",
        ], [127, 128, 129, 1_000])
    func whatSomeServerReadsIsRead(_ template: String, depth: Int) throws {
        let deep =
            String(repeating: "[{\"]\\\"\":", count: depth / 2) + "\"[\\\\\""
            + String(repeating: "}]", count: depth / 2)
        let bytes = Array(template.replacing("DEEP", with: deep).utf8)
        var cuts = Corpus.cuts(bytes)
        if cuts.count > 40 { cuts = Array(cuts.prefix(20)) + Array(cuts.suffix(20)) }
        for pieces in cuts {
            let edit = try #require(try read(pieces, isStrict: false).usageEdit)
            #expect(edited(bytes, edit).contains(Self.asked))
        }
        if depth == 1_000 { #expect(throws: BodyFault.self) { try read([bytes]) } }
    }

    @Test(arguments: [
        "{\"stream\":true,\"a\":Nan}", "{\"stream\":true,\"a\":Infinit}",
        "{\"stream\":true,\"a\":-NaN}",
        "{\"stream\":true,\"a\":+Infinity}", "{\"stream\":true", "[{\"stream\":true}]", "true",
        "{\"stream\":true,}", "{\"stream\":true,\"a\":InfinityX}",
    ])
    func whatNoServerReadsIsAFault(_ text: String) {
        #expect(throws: BodyFault.self) { try read([Array(text.utf8)], isStrict: false) }
    }

    @Test func whoOnlyLooksHasToKnowOfStreams() throws {
        for text in ["{\"Stream\":true}", "{\"stream\":true,\"STREAM_OPTIONS\":{}}"] {
            #expect(throws: BodyFault.ambiguousField) {
                try read([Array(text.utf8)], isStrict: false)
            }
        }
        let text =
            "{\"model\":\"a\",\"model\":\"b\",\"n\":3,\"n\":2,\"max_tokens\":1,\"max_tokens\":9}"
        let reader = try read([Array(text.utf8)], isStrict: false)
        #expect(String(decoding: reader.model, as: UTF8.self) == "b")
        #expect(reader.choices == 2 && reader.maxTokens == 9)
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
}
