// Files that hold secrets, whoever may read them, and files that have to be files.

import Foundation
import Testing

@testable import Policy

@Suite struct FileDemandsTests {
    private func withFile(mode: Int, _ body: (String) throws -> Void) throws {
        let path = NSTemporaryDirectory() + "/penstock-secret-\(UUID().uuidString)"
        try Data("0123456789abcdef\n".utf8).write(to: URL(filePath: path))
        defer { try? FileManager.default.removeItem(atPath: path) }
        try FileManager.default.setAttributes([.posixPermissions: mode], ofItemAtPath: path)
        try body(path)
    }

    private func refusal(_ path: String, _ demands: FileDemands) -> String? {
        do throws(TextFile.Reason) {
            _ = try TextFile.bytes(path: path, atMost: 100, being: demands)
            return nil
        } catch {
            return error.description
        }
    }

    /// Every mode there is: what everybody may do decides, and nothing else.
    @Test func everybodyDecides() throws {
        for mode in 0...0o777 where mode & 0o400 != 0 {
            try withFile(mode: mode) { path in
                #expect((refusal(path, .secret) != nil) == (mode & 7 != 0), "\(mode)")
                #expect((refusal(path, .digests) != nil) == (mode & 2 != 0), "\(mode)")
                #expect(refusal(path, .none) == nil && refusal(path, .regular) == nil)
            }
        }
    }

    @Test func theFaultSaysWhatToDoAndNotTheSecret() throws {
        try withFile(mode: 0o646) { path in
            let error = #expect(throws: PolicyError.self) {
                let form = SecretFile.Form(
                    subject: "secret", lengths: 1...100, fault: Fault("is none", "write one"))
                _ = try SecretFile.read(path: path, form)
            }
            #expect(
                error?.description
                    == "\(path):1:1: error: secret: cannot be used: everybody may read and write to it "
                    + "(mode 0646); take that away with `chmod o-rwx`, in a volume of Kubernetes with "
                    + "`defaultMode: 0440`")
        }
        try withFile(mode: 0o646) { path in
            let form = SecretFile.Form(
                subject: "secret", lengths: 1...100, fault: Fault("is none", "write one"))
            try FileManager.default.setAttributes([.posixPermissions: 0o440], ofItemAtPath: path)
            #expect(try SecretFile.read(path: path, form) == Array("0123456789abcdef".utf8))
        }
    }

    /// A link's own mode says nothing, and what is no file is none.
    @Test func whatIsAtTheEndOfALinkCounts() throws {
        try withFile(mode: 0o640) { path in
            let link = path + ".link"
            try FileManager.default.createSymbolicLink(atPath: link, withDestinationPath: path)
            defer { try? FileManager.default.removeItem(atPath: link) }
            #expect(refusal(link, .secret) == nil && refusal(link, .regular) == nil)
            let fifo = path + ".fifo"
            #expect(unsafe mkfifo(fifo, 0o644) == 0)
            defer { try? FileManager.default.removeItem(atPath: fifo) }
            #expect(refusal(fifo, .secret) == "everybody may read it (mode 0644)")
            #expect(refusal(fifo, .regular) == "it is a FIFO")
        }
        #expect(refusal(NSTemporaryDirectory(), .regular) == "it is a folder")
        #expect(refusal(NSTemporaryDirectory(), .secret) == "Is a directory")
        #expect(refusal("/dev/null", .regular) == "it is a device")
        #expect(refusal("/dev/null", .secret) == nil)
    }

    /// Spaces within, where a secret may have them; never a control character, which could end a line.
    @Test func secretsAreOneLineOfText() {
        let fault = Fault("is none", "write one")
        let word = SecretFile.Form(subject: "secret", lengths: 3...9, fault: fault)
        var line = word
        line.hasSpaces = true
        func isTaken(_ text: String, _ form: SecretFile.Form) -> Bool {
            (try? SecretFile.read(text: text, file: "f", form)) != nil
        }
        #expect(isTaken("abc", word) && isTaken(" abc\r\n", word) && !isTaken("ab c", word))
        #expect(isTaken("ab c\n", line) && isTaken("ab\tc", line))
        for text in ["ab\nc", "ab\rc", "ab\u{0}c", "ab\u{7f}c", "ab\u{e9}c", "ab", "0123456789"] {
            #expect(!isTaken(text, word) && !isTaken(text, line), "\(text.escaped)")
        }
    }
}
