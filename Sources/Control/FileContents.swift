// What files hold, to see whether that has changed: times say nothing of files behind links, and are written anew for what is
// the same.

internal import Policy

/// What some files held at one time.
struct FileContents: Equatable, Sendable {
    /// What was found in a file.
    private struct Content: Equatable {
        /// Nothing for a file that could not be read.
        var bytes: [UInt8] = []
        /// Whether it was closed to everybody, as files with secrets have to be.
        var isClosed = true

        init(of file: String) {
            do throws(TextFile.Reason) {
                bytes = try TextFile.bytes(path: file, atMost: mostBytes, being: .secret)
            } catch {
                guard error.refusal != nil else { return }
                isClosed = false
                bytes = (try? TextFile.bytes(path: file, atMost: mostBytes)) ?? []
            }
        }
    }

    private var contents: [String: Content] = [:]
    /// The digest of all that the policy's files hold together, some of which may not have been there before.
    var policyDigest: String?

    /// Bytes that are looked at of each.
    private static let mostBytes = 32 << 20

    /// What `files` hold now.
    init(of files: [String]) { add(files) }

    /// What further files hold now.
    mutating func add(_ files: [String]) {
        for file in files where contents[file] == nil { contents[file] = Content(of: file) }
    }

    /// Takes `files`, which are known, for those of the policy, in that order.
    mutating func notePolicy(of files: [String]) {
        policyDigest = TextDigest.hexadecimal(of: files.flatMap { contents[$0]?.bytes ?? [] })
    }

    /// Whether files that both know hold something else, or the policy's files do together.
    func differs(from other: FileContents) -> Bool {
        if let policyDigest, let before = other.policyDigest, policyDigest != before { return true }
        return contents.contains { file, content in
            guard let before = other.contents[file] else { return false }
            return before != content
        }
    }
}
