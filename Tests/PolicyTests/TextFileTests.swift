// Files that are written whole, and bytes that are written as digits.

import Foundation
import Testing

@testable import Policy

@Suite struct TextFileTests {
    private func makeFolder() throws -> URL {
        let folder = FileManager.default.temporaryDirectory.appending(
            path: "penstock-text-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        return folder
    }

    @Test func writesInPlaceOfWhatIsThere() throws {
        let folder = try makeFolder()
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

    /// A report that goes to `/dev/stdout`, a FIFO or through a link leaves each of them there.
    @Test func writesIntoWhatIsNoRegularFile() throws {
        let folder = try makeFolder()
        defer { try? FileManager.default.removeItem(at: folder) }
        let file = folder.appending(path: "a.txt").path
        let link = folder.appending(path: "link").path
        try TextFile.write("a longer text", path: file)
        try FileManager.default.createSymbolicLink(atPath: link, withDestinationPath: file)
        try TextFile.write("short", path: link)
        #expect(try FileManager.default.destinationOfSymbolicLink(atPath: link) == file)
        #expect(try TextFile.bytes(path: file, atMost: 100) == Array("short".utf8))
        let device = folder.appending(path: "null").path
        try FileManager.default.createSymbolicLink(
            atPath: device, withDestinationPath: "/dev/null")
        try TextFile.write("short", path: device)
        try TextFile.write("short", path: "/dev/null")
        let type = try FileManager.default.attributesOfItem(atPath: "/dev/null")[.type]
        #expect(type as? FileAttributeType == .typeCharacterSpecial)
    }

    /// Somebody who can write into the folder and foresees the draft's name gains nothing by it.
    @Test func doesNotWriteThroughALinkAtItsDraft() throws {
        let folder = try makeFolder()
        defer { try? FileManager.default.removeItem(at: folder) }
        let path = folder.appending(path: "a.txt").path
        let other = folder.appending(path: "other.txt").path
        try TextFile.write("theirs", path: other)
        try FileManager.default.createSymbolicLink(
            atPath: "\(path).\(getpid()).tmp", withDestinationPath: other)
        try TextFile.write("ours", path: path)
        #expect(try TextFile.bytes(path: path, atMost: 100) == Array("ours".utf8))
        #expect(try TextFile.bytes(path: other, atMost: 100) == Array("theirs".utf8))
    }

    /// The system tells of a full disk when it is written to, if not when it is closed.
    @Test func saysThatADiskIsFull() {
        let failure = #expect(throws: TextFile.Failure.self) {
            try TextFile.write("a", path: "/dev/full")
        }
        #expect(
            failure?.description
                == "/dev/full: error: cannot be written: No space left on device")
    }

    @Test func aFIFOIsReadToItsWritersEndAndNotWaitedForForEver() throws {
        let folder = try makeFolder()
        defer { try? FileManager.default.removeItem(at: folder) }
        let path = folder.appending(path: "fifo").path
        #expect(unsafe mkfifo(path, 0o600) == 0)
        // Nobody writes.
        #expect(throws: TextFile.Reason.self) { try TextFile.bytes(path: path, atMost: 100) }
        let writer = unsafe open(path, O_RDWR)
        #expect(writer >= 0)
        #expect(unsafe write(writer, "text", 4) == 4)
        // The writer neither writes more nor ends.
        let failure = #expect(throws: TextFile.Reason.self) {
            try TextFile.bytes(path: path, atMost: 100)
        }
        #expect(failure?.description == "Connection timed out")
        #expect(unsafe write(writer, "text", 4) == 4)
        #expect(try TextFile.bytes(path: path, atMost: 4) == Array("text".utf8))
        close(writer)
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
