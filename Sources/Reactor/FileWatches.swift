// Files that others write anew: the folders of all of them are watched, for a file that is replaced takes its own watch with
// it.

/// Watches the folders of some files.
package final class FileWatches {
    private let reactor: Reactor
    private let changed: () -> Void
    private var folders: [String: DirectoryWatch] = [:]
    /// By folder; nil for whatever is in there.
    private var names: [String: Set<String>?] = [:]

    /// The link that Kubernetes renames when it changes the files of a volume.
    private static let volumeLink = "..data"

    /// Watches nothing yet; calls `changed`, in `reactor`, when something may have become of a file.
    package init(in reactor: Reactor, changed: @escaping () -> Void) {
        self.reactor = reactor
        self.changed = changed
    }

    /// Whether all folders are watched that should be.
    package var isWatchingAll: Bool {
        folders.count == names.count && folders.values.allSatisfy(\.isWatching)
    }

    /// Watches the folders of `files`, absolute paths, and `whole` ones for whatever comes into them, and no others; what is
    /// watched already stays so.
    package func follow(_ files: [String], folders whole: [String] = []) {
        var named: [String: Set<String>] = [:]
        for file in files {
            let end = file.lastIndex(of: "/") ?? file.startIndex
            let folder = end == file.startIndex ? "/" : String(file[..<end])
            named[folder, default: [FileWatches.volumeLink]].insert(
                String(file[end...].dropFirst()))
        }
        var wanted = named.mapValues { Set<String>?.some($0) }
        for folder in whole { wanted.updateValue(nil, forKey: FileWatches.plain(folder)) }
        for (folder, watch) in folders where wanted[folder] != names[folder] || !watch.isWatching {
            watch.stop()
            folders[folder] = nil
        }
        names = wanted
        for (folder, names) in wanted where folders[folder] == nil {
            folders[folder] = try? DirectoryWatch(
                folder, names: names.map { Array($0) }, in: reactor, changed: changed)
        }
    }

    /// A folder's path without the `/` at its end.
    private static func plain(_ folder: String) -> String {
        folder.count > 1 && folder.last == "/" ? String(folder.dropLast()) : folder
    }

    /// Watches no more.
    package func stop() {
        for watch in folders.values { watch.stop() }
        folders = [:]
        names = [:]
    }
}
