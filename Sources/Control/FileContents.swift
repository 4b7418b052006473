// What files hold, to see whether that has changed: times say nothing of files behind links, and are written anew for what is
// the same.

internal import Policy

/// What some files held at one time.
struct FileContents: Equatable, Sendable {
    /// By path; nothing for a file that could not be read.
    private var texts: [String: [UInt8]] = [:]

    /// Bytes that are looked at of each.
    private static let mostBytes = 32 << 20

    /// What `files` hold now.
    init(of files: [String]) { add(files) }

    /// What further files hold now.
    mutating func add(_ files: [String]) {
        for file in files where texts[file] == nil {
            texts[file] = (try? TextFile.bytes(path: file, atMost: FileContents.mostBytes)) ?? []
        }
    }

    /// Whether files that both know hold something else.
    func differs(from other: FileContents) -> Bool {
        texts.contains { file, text in
            guard let before = other.texts[file] else { return false }
            return before != text
        }
    }
}
