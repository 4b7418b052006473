// What stands under `include`: the path of a file, or a folder and which of its files. Wildcards stand in the last part of a
// path alone, so that there is one folder to look through and to watch for what is named.

/// Names a file, or some files of one folder.
struct FilePattern: Equatable, Sendable {
    /// The folder with `/` behind it; empty for the folder that it is looked for in.
    let folder: String
    /// The file's name, in which `*` stands for any characters and `?` for one.
    let name: String

    /// Bytes of the longest.
    private static let mostBytes = 4095

    /// Reads `text`; throws what is wrong with it.
    init(_ text: String) throws(Fault) {
        let wanted = "write one such as pools.d/*.yaml"
        guard !text.isEmpty, !text.utf8.contains(0), text.utf8.count <= FilePattern.mostBytes else {
            throw Fault("\(text.quoted) is not a path", wanted)
        }
        let begin = text.lastIndex(of: "/").map { text.index(after: $0) } ?? text.startIndex
        folder = String(text[..<begin])
        name = String(text[begin...])
        guard !["", ".", ".."].contains(name) else {
            throw Fault("\(text.quoted) is a folder", "name its files, such as \(folder)*.yaml")
        }
        guard !folder.contains(where: { "*?".contains($0) }) else {
            throw Fault(
                "\(text.quoted) has a wildcard in the name of a folder",
                "write `*` and `?` in the last part alone, and a line for each folder")
        }
        guard isPlain || !name.contains(where: { "[{".contains($0) }) else {
            throw Fault(
                "\(text.quoted) has brackets beside a wildcard, which stand for nothing here",
                "write `*` for any characters or `?` for one")
        }
    }

    /// Whether it names one file.
    var isPlain: Bool { !name.contains { "*?".contains($0) } }

    /// The same, where what is relative begins at the folder of the file at `path`.
    func resolved(besides path: String) -> FilePattern {
        FilePattern(folder: KeysFile.resolved(folder, besides: path), name: name)
    }

    private init(folder: String, name: String) {
        self.folder = folder
        self.name = name
    }

    /// Whether a file of that name is meant; as in shells, one that begins with a dot is only where the pattern does.
    ///
    /// What a `*` stands for is found from left to right, with one step back: the time is at most the product of both lengths.
    func matches(_ file: String) -> Bool {
        let pattern = Array(name.unicodeScalars)
        let text = Array(file.unicodeScalars)
        if text.first == ".", pattern.first != "." { return false }
        var at = 0
        var next = 0
        var star: (pattern: Int, text: Int)?
        while next < text.count {
            if at < pattern.count, pattern[at] == "*" {
                star = (at, next)
                at += 1
            } else if at < pattern.count, pattern[at] == "?" || pattern[at] == text[next] {
                at += 1
                next += 1
            } else if let last = star {
                star = (last.pattern, last.text + 1)
                at = last.pattern + 1
                next = last.text + 1
            } else {
                return false
            }
        }
        return pattern[at...].allSatisfy { $0 == "*" }
    }
}
