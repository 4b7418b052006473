// Models out of forms with files.

import Testing

@testable import Inference

@Suite struct MultipartReaderTests {
    private static let type = "multipart/form-data; charset=x; boundary=\"a-b'c\""

    private func model(
        _ body: String, _ type: String = MultipartReaderTests.type
    ) -> [Result<String, BodyFault>] {
        let bytes = Array(body.utf8)
        return Corpus.cuts(bytes).map { pieces in
            guard var reader = MultipartReader(contentType: Array(type.utf8).span) else {
                return .failure(.notMultipart)
            }
            do throws(BodyFault) {
                for piece in pieces { try reader.read(piece.span) }
                try reader.finish()
            } catch {
                return .failure(error)
            }
            let name = String(decoding: reader.model, as: UTF8.self)
            if reader.hasModel {
                #expect(String(decoding: bytes[reader.modelRange], as: UTF8.self) == name)
            }
            return .success(name)
        }
    }

    private func part(_ name: String, _ value: String, _ more: String = "") -> String {
        "--a-b'c\r\nContent-Disposition: form-data; name=\"\(name)\"\(more)\r\n\r\n\(value)\r\n"
    }

    private let end = "--a-b'c--\r\n"

    private func all(_ result: Result<String, BodyFault>) -> [Result<String, BodyFault>] {
        [result, result, result]
    }

    @Test func theFieldIsFound() {
        let file = part(
            "file", "RIFF\r\n--a-b'\r\n\r\r\n--a-bx\r\nmodel", "; filename=\"model\"")
        #expect(model(file + part("model", "whisper-1") + end) == all(.success("whisper-1")))
        #expect(model(part("model", "whisper-1") + file + end) == all(.success("whisper-1")))
        #expect(model(file + end) == all(.success("")))
        #expect(model("preamble\r\n" + part("model", "a\u{e9}") + end + "x") == all(.success("aé")))
    }

    @Test func faults() {
        let model = part("model", "a")
        #expect(self.model(model + model + end) == all(.failure(.repeatedModel)))
        #expect(self.model(part("model", "") + end) == all(.failure(.invalidModel)))
        #expect(self.model(part("model", "a\r\nb") + end) == all(.failure(.invalidModel)))
        let long = String(repeating: "x", count: 257)
        #expect(self.model(part("model", long) + end) == all(.failure(.invalidModel)))
        #expect(self.model(model) == all(.failure(.truncated)))
        #expect(self.model("--a-b'cx\r\n") == all(.failure(.notMultipart)))
        let head = "--a-b'c\r\n" + String(repeating: "A: b\r\n", count: 700)
        #expect(self.model(head) == all(.failure(.notMultipart)))
    }

    @Test func typesWithoutABoundaryAreNoForms() {
        for type in [
            "multipart/mixed; boundary=a", "multipart/form-data", "multipart/form-data; boundary=",
            "multipart/form-data; boundary=\(String(repeating: "b", count: 71))",
        ] {
            #expect(model(end, type) == all(.failure(.notMultipart)))
        }
        let form = "--x\r\ncontent-disposition:form-data;name=model\r\n\r\nm\r\n--x--"
        #expect(model(form, "Multipart/Form-Data;BOUNDARY=x; y=z") == all(.success("m")))
    }
}
