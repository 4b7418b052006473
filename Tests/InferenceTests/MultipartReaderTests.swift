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

    /// What some parsers of forms read as `model`, and others do not, decides nothing: it is refused.
    @Test(arguments: [
        "form-data; name=\"MODEL\"", "form-data; name=\"mod\\el\"", "form-data; name=\"mod%65l\"",
        "form-data; name*=utf-8''model", "form-data; name*0=\"mo\"; name*1=\"del\"",
        "form-data; name=\"x\"; name=\"model\"", "form-data; name=\"model\"; name=\"x\"",
        "form-data; name=\"model\"; filename=\"\"", "form-data; filename=\"a\"; name=\"model\"",
        "form-data; name=\" model\"", "form-data; name=\"model[]\"",
        "form-data; name=\"=?utf-8?q?model?=\"", "form-data; name = \"model\"",
        "form-data; name=\"model", "form-data; name=", "form-data; =model",
        "form-data; name=\"x\" name=\"model\"", "form-data; name=\"x\"\r\n ; name=\"model\"",
        "form-data; name=\"x\"\r\nContent-Disposition: form-data; name=\"model\"",
        "form-data; name=\"x\"\r\nContent-Disposition : form-data; name=\"model\"",
        "form-data; name=\"x\"\nContent-Disposition: form-data; name=\"model\"",
    ])
    func namesThatParsersReadInDifferentWaysAreRefused(_ disposition: String) {
        let part = "--a-b'c\r\nContent-Disposition: \(disposition)\r\n\r\nbig\r\n"
        for result in model(self.part("model", "small") + part + end) {
            switch result {
            case .failure(.ambiguousField), .failure(.notMultipart): break
            default: Issue.record("\(result)")
            }
        }
    }

    /// What clients write is read as before.
    @Test(arguments: [
        "form-data; name=\"file\"; filename=\"a \\\"b\\\".wav\"",
        "form-data; name=\"file\"; filename=\"50%.wav\"; filename*=UTF-8''50%25.wav",
        "form-data; name=\"prompt\"", "form-data;name=file;filename=model",
        "form-data; name=\"timestamp_granularities[]\"", "form-data; name=\"pr\u{e9}nom\";",
        "FORM-DATA; Name=\"x\"; FileName=\"y\"; size=5", "attachment",
    ])
    func otherFieldsPass(_ disposition: String) {
        let part = "--a-b'c\r\nContent-Disposition: \(disposition)\r\n\r\nx\r\n"
        #expect(model(part + self.part("model", "small") + end) == all(.success("small")))
    }

    @Test(arguments: [
        "multipart/form-data; boundary=x; boundary=y", "multipart/form-data; boundary=\"x\\y\"",
        "multipart/form-data; boundary*=utf-8''x", "multipart/form-data; a=\"; boundary=x",
        "multipart/form-data; boundary = x",
    ])
    func aBoundaryThatParsersReadInDifferentWaysIsNone(_ type: String) {
        #expect(MultipartReader(contentType: Array(type.utf8).span) == nil)
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
