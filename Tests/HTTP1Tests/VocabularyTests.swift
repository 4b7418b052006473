// Names, methods, errors: each is recognised, documented by a status and a text, and reached by a
// case.

import HTTP1
import Testing

@Suite struct VocabularyTests {
    private func parsed(method: String, field: String) throws -> (Method, FieldName) {
        var parser = RequestParser(limits: HeadLimits())
        let input = Array("\(method) / HTTP/1.0\r\n\(field): 1\r\n\r\n".utf8)
        _ = try parser.next(in: input.span)
        return (parser.head.method, try #require(parser.head.fields.first).known)
    }

    /// Names whose value `1` is refused, and what they are refused with.
    private let refused: [FieldName: ParseError] = [
        .transferEncoding: .transferEncodingInOldVersion, .expect: .unknownExpectation,
    ]

    @Test func everyFieldNameIsRecognisedInAnyCase() throws {
        for name in FieldName.allCases where !name.spelling.isEmpty {
            let spelling = name.spelling
            for variant in [spelling, spelling.lowercased(), spelling.uppercased()] {
                if let error = refused[name] {
                    #expect(throws: error) { try parsed(method: "GET", field: variant) }
                } else {
                    #expect(try parsed(method: "GET", field: variant).1 == name)
                }
            }
        }
        #expect(FieldName.other.spelling.isEmpty)
    }

    @Test func noOtherNameIsRecognised() throws {
        for name in FieldName.allCases where !name.spelling.isEmpty {
            let spelling = Array(name.spelling.utf8)
            for index in spelling.indices {
                var near = spelling
                near[index] = UInt8(ascii: "9")
                let text = String(decoding: near, as: UTF8.self)
                #expect(try parsed(method: "GET", field: text).1 == .other, "\(text)")
            }
            #expect(try parsed(method: "GET", field: name.spelling + "s").1 == .other)
            #expect(try parsed(method: "GET", field: "s" + name.spelling).1 == .other)
        }
    }

    @Test func methods() throws {
        for method in Method.allCases where method != .other && method != .connect {
            #expect(try parsed(method: method.spelling, field: "A").0 == method)
            #expect(try parsed(method: method.spelling.lowercased(), field: "A").0 == .other)
            #expect(try parsed(method: method.spelling + "X", field: "A").0 == .other)
            #expect(try parsed(method: "X" + method.spelling.dropFirst(), field: "A").0 == .other)
        }
        #expect(Method.allCases.filter(\.isSafe) == [.get, .head, .options, .trace])
        let idempotent: [Method] = [.get, .head, .put, .delete, .options, .trace]
        #expect(Method.allCases.filter(\.isIdempotent) == idempotent)
    }

    @Test func everyErrorHasACaseInTheCorpus() throws {
        let cases = try CorpusTests.requests.get() + CorpusTests.responses.get()
        let reached = Set(cases.compactMap(\.expected.last).filter { $0.hasPrefix("error ") })
        for error in ParseError.allCases where error != .chunkOverheadTooLarge {
            #expect(reached.contains("error \(error)"), "no case for \(error)")
        }
    }

    @Test func everyErrorSaysWhatToAnswer() {
        for error in ParseError.allCases {
            #expect([400, 414, 417, 431, 501, 502, 505].contains(error.status))
            #expect(!error.message.description.isEmpty)
        }
        #expect(ParseError.bareLineFeed.status == 400)
        #expect(ParseError.targetTooLong.status == 414)
        #expect(ParseError.unknownExpectation.status == 417)
        #expect(ParseError.headTooLarge.status == 431)
        #expect(ParseError.tooManyFields.status == 431)
        #expect(ParseError.unsupportedTransferEncoding.status == 501)
        #expect(ParseError.truncated.status == 502)
        #expect(ParseError.unsupportedVersion.status == 505)
    }
}
