// The files that a policy is made of: its own, and those that it includes.

/// Where a policy was read from.
package struct PolicySources: Equatable, Sendable {
    /// The policy's own file, as the operator named it.
    package let file: String
    /// What stands under `include`.
    var patterns: [FilePattern] = []
    /// The files that were found by that, in the order in which they count.
    package internal(set) var included: [String] = []
    /// SHA-256 of what all of them held, one after the other, in hexadecimal digits; empty where nothing was read from files.
    package internal(set) var digest = ""

    /// Files that a policy may include.
    package static let mostFiles = 1000
    /// Bytes of all that a policy includes.
    static let mostBytes = 8 << 20

    /// A policy in `file` that includes what is in `included`.
    package init(file: String, included: [String] = []) {
        self.file = file
        self.included = included
    }

    /// All files, the policy's own first.
    package var all: [String] { [file] + included }

    /// The same policy where its own file is called `file`, with the files that are there now; what is in the way counts for
    /// nothing.
    package func now(at file: String) -> PolicySources {
        var sources = PolicySources(file: file)
        sources.patterns = patterns
        var seen: Set<String> = []
        for pattern in patterns {
            let found = (try? PolicySources.paths(of: pattern.resolved(besides: file))) ?? []
            sources.included += found.filter { seen.insert(FilePath.plain($0)).inserted }
        }
        return sources
    }

    /// The files that are included by their names, where the policy's own is called `file`; nothing is looked up.
    package func named(at file: String) -> [String] {
        patterns.filter(\.isPlain).map { pattern in
            let place = pattern.resolved(besides: file)
            return place.folder + place.name
        }
    }

    /// The folders with files that are included by a pattern, likewise.
    package func folders(at file: String) -> [String] {
        patterns.filter { !$0.isPlain }.map { pattern in
            let folder = pattern.resolved(besides: file).folder
            return folder.isEmpty ? "." : folder
        }
    }

    /// The files that `pattern` leads to; a folder that is not there has none.
    static func paths(of pattern: FilePattern) throws(TextFile.Reason) -> [String] {
        if pattern.isPlain { return [pattern.folder + pattern.name] }
        do throws(TextFile.Reason) {
            let folder = pattern.folder.isEmpty ? "." : pattern.folder
            return try FolderListing.names(in: folder, atMost: mostFiles + 1) {
                pattern.matches($0)
            }.map { pattern.folder + $0 }
        } catch {
            if error.isMissing { return [] }
            throw error
        }
    }
}
