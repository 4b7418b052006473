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

    /// So many characters are not guessed, and more are a mistake.
    private static let form = SecretFile.Form(
        subject: "admin token", lengths: 16...1024,
        fault: Fault(
            "is not one word of 16 to 1024 visible ASCII characters",
            "write one with `openssl rand -hex 32`"))

    /// Reads the token of `policy`, which stands at `path`; returns what is wrong with it.
    static func fill(_ policy: inout Policy, besides path: String) -> [Diagnostic] {
        guard let token = policy.adminToken else { return [] }
        do throws(PolicyError) {
            let file = KeysFile.resolved(token.file, besides: path)
            policy.adminToken?.bytes = try SecretFile.read(path: file, form)
            return []
        } catch {
            return error.diagnostics
        }
    }

    /// The token in `text`, white space around it apart; what is wrong never shows what it says.
    static func read(_ text: String, file: String) throws(PolicyError) -> [UInt8] {
        try SecretFile.read(text: text, file: file, form)
    }

    /// Whether `offered` is the token, found out in the same time wherever they differ.
    package func isEqual(to offered: Span<UInt8>) -> Bool {
        guard !bytes.isEmpty, offered.count == bytes.count else { return false }
        var difference: UInt8 = 0
        for index in offered.indices { difference |= offered[index] ^ bytes[index] }
        return difference == 0
    }
}
