// Lines of bulk requests, and what is wrong with those that are none.

import Testing

@testable import Bulk

@Suite struct BulkLineTests {
    private struct Read: Equatable {
        var customID: String?
        var target: String
        var body: String
    }

    private func read(_ text: String, target: String = "") -> Result<Read, BulkFault> {
        let bytes = Array(text.utf8)
        var customID: [UInt8]?
        do throws(BulkFault) {
            let line = try BulkLine(bytes.span, target: Array(target.utf8), customID: &customID)
            return .success(
                Read(
                    customID: line.customID.map { String(decoding: $0, as: UTF8.self) },
                    target: String(decoding: line.target, as: UTF8.self),
                    body: String(decoding: bytes[line.body], as: UTF8.self)))
        } catch {
            return .failure(error)
        }
    }

    @Test func linesOfBatchesSayAll() {
        #expect(
            read(
                "{\"custom_id\":\"r\\u00317 \\\"é\",\"method\":\"POST\",\"url\":\"\\/v1/e?a=b\", \"body\" : "
                    + "{\"model\":\"m\",\"input\":[\"}\",{\"stream\":true}],\"stream\":false} }")
                == .success(
                    Read(
                        customID: "r\\u00317 \\\"é", target: "/v1/e?a=b",
                        body:
                            "{\"model\":\"m\",\"input\":[\"}\",{\"stream\":true}],\"stream\":false}"
                    )))
        // Neither name nor method have to be said, and what is not known is passed over.
        #expect(
            read("{\"body\":{},\"url\":\"/x\",\"metadata\":{\"stream\":true,\"url\":3}}")
                == .success(Read(customID: nil, target: "/x", body: "{}")))
    }

    @Test func bodiesAloneWillDoWhereThePathIsKnown() {
        #expect(
            read(" {\"model\":\"m\",\"stream\":null} ", target: "/v1/e")
                == .success(
                    Read(customID: nil, target: "", body: "{\"model\":\"m\",\"stream\":null}")))
        // A body may have fields of these names.
        #expect(
            read("{\"body\":{\"a\":1}}", target: "/v1/e")
                == .success(Read(customID: nil, target: "", body: "{\"body\":{\"a\":1}}")))
        #expect(
            read("{\"custom_id\":\"a\",\"body\":{\"a\":1}}", target: "/v1/e")
                == .success(Read(customID: "a", target: "", body: "{\"a\":1}")))
        #expect(
            read("{\"custom_id\":\"a\",\"url\":\"/v1/e\",\"body\":{}}", target: "/v1/e")
                == .success(Read(customID: "a", target: "", body: "{}")))
    }

    @Test(arguments: [
        ("", BulkFault.notJSON), ("{", .notJSON), ("{\"a\":1}}", .notJSON), ("nonsense", .notJSON),
        ("{\"url\":\"/x\",\"body\":{}} {}", .notJSON),
        (String(repeating: "[", count: 200), .notAnObject), ("[]", .notAnObject),
        ("7 ", .notAnObject), ("7", .notJSON), ("\"a\"", .notAnObject), ("null", .notAnObject),
        ("{\"custom_id\":7,\"url\":\"/x\",\"body\":{}}", .invalidCustomID),
        ("{\"custom_id\":null,\"url\":\"/x\",\"body\":{}}", .invalidCustomID),
        ("{\"custom_id\":{},\"url\":\"/x\",\"body\":{}}", .invalidCustomID),
        ("{\"method\":\"GET\",\"url\":\"/x\",\"body\":{}}", .invalidMethod),
        ("{\"method\":[],\"url\":\"/x\",\"body\":{}}", .invalidMethod),
        ("{\"body\":{}}", .invalidURL), ("{\"url\":\"\",\"body\":{}}", .invalidURL),
        ("{\"url\":\"v1\",\"body\":{}}", .invalidURL),
        ("{\"url\":\"//h/v1\",\"body\":{}}", .invalidURL),
        ("{\"url\":\"http://h/v1\",\"body\":{}}", .invalidURL),
        ("{\"url\":\"/a b\",\"body\":{}}", .invalidURL),
        ("{\"url\":\"/a\\r\\nX: y\",\"body\":{}}", .invalidURL),
        ("{\"url\":\"/a#b\",\"body\":{}}", .invalidURL), ("{\"url\":7,\"body\":{}}", .invalidURL),
        ("{\"url\":{},\"body\":{}}", .invalidURL), ("{\"url\":\"/x\"}", .invalidBody),
        ("{\"url\":\"/x\",\"body\":[]}", .invalidBody),
        ("{\"url\":\"/x\",\"body\":\"a\"}", .invalidBody),
        ("{\"url\":\"/x\",\"body\":{},\"body\":{}}", .repeatedField),
        ("{\"url\":\"/x\",\"url\":\"/y\",\"body\":{}}", .repeatedField),
        ("{\"url\":\"/x\",\"body\":{\"stream\":true}}", .streamed),
        ("{\"url\":\"/x\",\"body\":{\"stream\":false,\"stream\":1}}", .streamed),
        ("{\"url\":\"/x\",\"body\":{\"stream\":{}}}", .streamed),
    ])
    func othersFail(_ line: String, _ fault: BulkFault) {
        #expect(read(line) == .failure(fault))
    }

    @Test func whatTheRequestSaysHolds() {
        #expect(
            read("{\"custom_id\":\"a\",\"url\":\"/v1/x\",\"body\":{}}", target: "/v1/e")
                == .failure(.invalidURL))
        #expect(read("{\"model\":\"m\",\"stream\":true}", target: "/v1/e") == .failure(.streamed))
        #expect(read("{\"model\":\"m\",\"stream\":[]}", target: "/v1/e") == .failure(.streamed))
    }

    @Test func aNameIsKnownOfLinesThatFailBehindIt() {
        let line = Array("{\"custom_id\":\"a\",\"url\":7}".utf8)
        var customID: [UInt8]?
        #expect(throws: BulkFault.invalidURL) {
            try BulkLine(line.span, target: [], customID: &customID)
        }
        #expect(customID == Array("a".utf8))
        let long = String(repeating: "n", count: 257)
        #expect(
            read("{\"custom_id\":\"\(long)\",\"url\":\"/x\",\"body\":{}}")
                == .failure(.invalidCustomID))
        let broken = Array("{\"custom_id\":\"".utf8) + [0xff] + Array("\"}".utf8)
        #expect(throws: BulkFault.invalidCustomID) {
            try BulkLine(broken.span, target: [], customID: &customID)
        }
    }

    @Test func everyFaultHasWords() {
        let codes = Set(BulkFault.allCases.map(\.code))
        #expect(codes.count == BulkFault.allCases.count)
        for fault in BulkFault.allCases {
            #expect(!fault.message.contains { "\"\\\n".contains($0) })
            #expect(fault.message.hasSuffix("."))
        }
    }
}
