// The token of those who may change something through the admin listener. It is read when the policy is, and is no
// part of what the policy says: nothing writes it down.

internal import Admission

/// What the admin listener asks of who wants to change something.
package struct AdminToken: Equatable, Sendable {
    /// The file that holds it, as the policy names it.
    package var file: String
    /// The token, visible ASCII characters; empty until the file is read.
    package var bytes: [UInt8] = []

    /// A token that is in `file`.
    package init(file: String) { self.file = file }

    /// Characters of a token: so many are not guessed, and more are a mistake.
    static let lengths = 16...1024

    /// Reads the token of `policy`, which stands at `path`; returns what is wrong with it.
    static func fill(_ policy: inout Policy, besides path: String) -> [Diagnostic] {
        guard let token = policy.adminToken else { return [] }
        let file = KeysFile.resolved(token.file, besides: path)
        do throws(PolicyError) {
            let text = try PolicyLoader.contents(
                of: file, maxBytes: 2 * lengths.upperBound, subject: "admin token")
            policy.adminToken?.bytes = try read(text, file: file)
            return []
        } catch {
            return error.diagnostics
        }
    }

    /// The token in `text`, white space around it apart; what is wrong never shows what it says.
    static func read(_ text: String, file: String) throws(PolicyError) -> [UInt8] {
        let isSpace: (UInt8) -> Bool = { $0 == 0x20 || $0 == 0x09 || $0 == 0x0a || $0 == 0x0d }
        var bytes = Array(text.utf8.drop(while: isSpace))
        while let last = bytes.last, isSpace(last) { bytes.removeLast() }
        guard lengths.contains(bytes.count), bytes.allSatisfy({ (0x21...0x7e).contains($0) }) else {
            var reading = Reading(file: file)
            reading.subject = "admin token"
            let fault = Fault(
                "is not one word of \(lengths.lowerBound) to \(lengths.upperBound) visible ASCII characters",
                "write one with `openssl rand -hex 32`")
            reading.report(fault, path: "", at: Position(line: 1, column: 1))
            throw PolicyError(reading.diagnostics)
        }
        return bytes
    }

    /// Whether `offered` is the token, found out in the same time wherever they differ.
    package func isEqual(to offered: Span<UInt8>) -> Bool {
        guard !bytes.isEmpty, offered.count == bytes.count else { return false }
        var difference: UInt8 = 0
        for index in offered.indices { difference |= offered[index] ^ bytes[index] }
        return difference == 0
    }
}
