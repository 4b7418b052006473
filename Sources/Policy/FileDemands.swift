// What a file has to be, besides readable: one that holds a secret must be closed to everybody, wherever a policy names
// it. Who owns it and which group has it is the operator's matter: systemd's credentials are root's, Kubernetes gives a
// volume's files to a group.

import Glibc

/// What is asked of a file before it is read.
package struct FileDemands: Sendable {
    /// What everybody, neither its owner nor of its group, must not be allowed, as permission bits.
    private let forbidden: UInt32
    /// Whether it must be a regular file, as something that is found by a pattern.
    private let isRegular: Bool

    /// Nothing.
    package static let none = FileDemands(forbidden: 0, isRegular: false)
    /// It holds a secret: a token, a private key, a field's value.
    ///
    /// Everybody may do nothing with it.
    package static let secret = FileDemands(forbidden: 0o007, isRegular: false)
    /// It holds digests of keys, from which nobody gets a key: everybody may read it, and must not write to it.
    package static let digests = FileDemands(forbidden: 0o002, isRegular: false)
    /// It is a regular file, at whose end somebody comes.
    package static let regular = FileDemands(forbidden: 0, isRegular: true)

    /// Why a file with these bits (`st_mode`, inode(7)) is not taken; nil where it is.
    ///
    /// Devices and folders have bits that say something else.
    func refusal(mode: UInt32) -> TextFile.Refusal? {
        let kind = mode & S_IFMT
        if isRegular, kind != S_IFREG {
            return TextFile.Refusal(
                problem: "it is \(FileDemands.name(of: kind))", remedy: "name a regular file")
        }
        let excess = mode & forbidden
        guard excess != 0, kind == S_IFREG || kind == S_IFIFO else { return nil }
        let digits = String(mode & 0o777, radix: 8)
        let shown = String(repeating: "0", count: 4 - digits.count) + digits
        let deeds = [(0o004, "read"), (0o002, "write to"), (0o001, "execute")].filter {
            excess & $0.0 != 0
        }.map(\.1)
        return TextFile.Refusal(
            problem: "everybody may \(deeds.joined(separator: " and ")) it (mode \(shown))",
            remedy: "take that away with `chmod o-\(forbidden == 0o002 ? "w" : "rwx")`, "
                + "in a volume of Kubernetes with `defaultMode: 0440`")
    }

    private static func name(of kind: UInt32) -> String {
        switch kind {
        case S_IFDIR: "a folder"
        case S_IFIFO: "a FIFO"
        case S_IFSOCK: "a socket"
        default: "a device"
        }
    }
}
