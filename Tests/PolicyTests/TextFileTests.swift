// Files that are written whole, and bytes that are written as digits.

import Foundation
import Testing

@testable import Policy

@Suite struct TextFileTests {
    @Test func writesInPlaceOfWhatIsThere() throws {
        let folder = FileManager.default.temporaryDirectory.appending(
            path: "penstock-text-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let path = folder.appending(path: "a.txt").path
        let long = String(repeating: "ä", count: 1 << 20)
        for text in [long, "short", ""] {
            try TextFile.write(text, path: path)
            #expect(try TextFile.bytes(path: path, atMost: 1 << 22) == Array(text.utf8))
        }
        try TextFile.write("short", path: path)
        #expect(try TextFile.bytes(path: path, atMost: 3) == Array("sho".utf8))
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == ["a.txt"])
    }

    @Test func saysWhyAFileCannotBeWritten() {
        let path = "/nonexistent-folder/a.txt"
        let failure = #expect(throws: TextFile.Failure.self) {
            try TextFile.write("a", path: path)
        }
        #expect(
            failure?.description
                == "\(path): error: cannot be written: No such file or directory")
    }

    @Test func percentEncodingIsDecodedWholeOrNotAtAll() {
        #expect("/run/a%2fb%2Fc%C3%A4".percentDecoded == "/run/a/b/cä")
        #expect("".percentDecoded == "")
        for text in ["%", "%2", "a%2g", "%+1", "%ff", "%%20"] {
            #expect(text.percentDecoded == nil, "\(text)")
        }
    }
}
