// Lines of results, as they are written and as a client reads them.

import Bytes
import Testing

@testable import Bulk

@Suite struct BulkResultTests {
    private func text(_ result: BulkResult, doneBelow: Int) -> String {
        var output = ByteBuffer()
        result.append(doneBelow: doneBelow, to: &output)
        return output.text
    }

    private func answer(_ line: String) -> BulkAnswer? { BulkAnswer(Array(line.utf8).span) }

    private func bytes(_ text: String) -> [UInt8] { Array(text.utf8) }

    @Test func responsesStandInOneLine() {
        let result = BulkResult(
            index: 17, customID: bytes("r\\u0031"), requestID: bytes("abc"),
            .response(status: 200, body: bytes("{\r\n \"a\": [1,\n2]\n}\n")))
        let line = text(result, doneBelow: 15)
        #expect(
            line == """
                {"id":"batch_req_abc","custom_id":"r\\u0031","index":17,"response":{"status_code":200,\
                "request_id":"abc","body":{ "a": [1,2]}},"error":null,"done_below":15}

                """)
        #expect(answer(line) == .result(index: 17, status: 200, doneBelow: 15))
        #expect(result.isCompleted)
    }

    @Test func whatIsNoJSONIsAText() {
        for (body, written) in [
            ("Not\nJSON \"", "\"Not\\nJSON \\\"\""), ("", "null"), ("{\"a\":1", "\"{\\\"a\\\":1\""),
            ("{} {}", "\"{} {}\""),
        ] {
            let result = BulkResult(
                index: 0, customID: nil, .response(status: 500, body: bytes(body)))
            let line = text(result, doneBelow: 1)
            #expect(
                line
                    == "{\"id\":\"batch_req_0\",\"custom_id\":\"0\",\"index\":0,\"response\":{\"status_code\":500,"
                    + "\"request_id\":\"\",\"body\":\(written)},\"error\":null,\"done_below\":1}\n")
            #expect(!result.isCompleted)
            #expect(answer(line) == .result(index: 0, status: 500, doneBelow: 1))
        }
        let broken = BulkResult(
            index: 0, customID: nil, .response(status: 200, body: [0x22, 0xff, 0x22]))
        #expect(text(broken, doneBelow: 1).contains("\"body\":\"\\\"\u{fffd}\\\"\"}"))
    }

    @Test func failuresSayWhy() {
        let fault = BulkFault.notJSON
        let result = BulkResult(
            index: 3, customID: nil, .failure(code: fault.code, message: fault.message))
        let line = text(result, doneBelow: 4)
        #expect(
            line == """
                {"id":"batch_req_3","custom_id":"3","index":3,"response":null,"error":{"code":"invalid_json",\
                "message":"The line is not valid JSON."},"done_below":4}

                """)
        #expect(answer(line) == .result(index: 3, status: nil, doneBelow: 4))
    }

    @Test func theEndSaysWhereToGoOn() {
        var window = BulkWindow(first: 2)
        _ = window.begin()
        _ = window.begin()
        window.finish(2, isCompleted: true)
        window.finish(3, isCompleted: false)
        for code in [nil, "draining"] {
            let end = BulkEnd(window, code: code)
            var output = ByteBuffer()
            end.append(message: "Come again.", to: &output)
            let suffix = code.map { ",\"code\":\"\($0)\",\"message\":\"Come again.\"" } ?? ""
            #expect(
                output.text == """
                    {"object":"bulk.end","total":2,"completed":1,"failed":1,"done_below":4\(suffix)}

                    """)
            #expect(answer(output.text) == .end(end))
        }
    }

    @Test(arguments: [
        "", " ", "[]", "7", "{}", "{\"index\":\"7\"}", "{\"index\":-1}", "{\"index\":1",
        "{\"index\":1.5}",
        "{\"a\":{\"index\":1}}",
    ])
    func othersAreNoAnswers(_ line: String) { #expect(answer(line) == nil) }

    @Test func namesWithinBodiesMeanNothing() {
        #expect(
            answer(
                "{\"response\":{\"body\":{\"status_code\":7,\"index\":8},\"status_code\":200,\"index\":9},"
                    + "\"x\":{\"status_code\":3,\"object\":\"bulk.end\"},\"index\":4}")
                == .result(index: 4, status: 200, doneBelow: nil))
    }
}

extension ByteBuffer {
    /// What can be read, as text.
    var text: String {
        var copied: [UInt8] = []
        for index in 0..<bytes.count { copied.append(bytes[index]) }
        return String(decoding: copied, as: UTF8.self)
    }
}
