// The repository's own Swift files, as the tidy tests read them.

import Foundation

/// One Swift source file.
struct SourceFile {
    /// Its path from the repository's root.
    let path: String
    let lines: [Substring]

    /// The module it belongs to: the second part of its path.
    var module: String { String(path.split(separator: "/")[1]) }

    /// Lines without comments and the contents of string literals, so that words in texts are no
    /// code.
    var code: [String] { lines.map(SourceFile.withoutTexts) }

    private static func withoutTexts(_ line: Substring) -> String {
        var result = ""
        var isInText = false
        var previous: Character = " "
        for character in line {
            if !isInText, character == "/", previous == "/" { return String(result.dropLast()) }
            if character == "\"", previous != "\\" { isInText.toggle() }
            if !isInText { result.append(character) }
            previous = previous == "\\" && character == "\\" ? " " : character
        }
        return result
    }
}

/// The files below Sources and Tests.
enum SourceTree {
    static let root = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

    /// All Swift files below `folder` ("Sources" or "Tests"), in the order of their paths.
    static func files(in folder: String) -> [SourceFile] {
        let base = root.appendingPathComponent(folder)
        guard let walk = FileManager.default.enumerator(atPath: base.path) else { return [] }
        return walk.compactMap { $0 as? String }.filter { $0.hasSuffix(".swift") }.sorted().map {
            let text =
                (try? String(contentsOf: base.appendingPathComponent($0), encoding: .utf8)) ?? ""
            return SourceFile(
                path: "\(folder)/\($0)",
                lines: text.split(separator: "\n", omittingEmptySubsequences: false))
        }
    }
}
