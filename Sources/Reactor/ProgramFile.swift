// Which file this process is the program of, as it was called: what lies there later is another version, perhaps, and the
// kernel's own link would lead to the one that was replaced.

internal import CShims
internal import Glibc
internal import Policy

/// The file of the program that runs.
package enum ProgramFile {
    /// Its path, to be asked for at the start, before the folder changes; nil where it cannot be found.
    package static func path() -> String? {
        guard let name = ProcessArguments.words.first, !name.isEmpty else { return nil }
        if name.contains("/") { return absolute(name) }
        let folders = ProcessEnvironment.variable("PATH") ?? "/usr/local/bin:/usr/bin:/bin"
        for folder in folders.split(separator: ":", omittingEmptySubsequences: false) {
            let path = "\(folder.isEmpty ? "." : folder)/\(name)"
            // The path is lent for the call.
            if unsafe access(path, X_OK) == 0 { return absolute(path) }
        }
        return nil
    }

    /// `path` from the root on, if the folder of the process can be told.
    package static func absolute(_ path: String) -> String? {
        if path.hasPrefix("/") { return path }
        // The C library allocates the text, which is copied at once.
        guard let folder = unsafe getcwd(nil, 0) else { return nil }
        defer { unsafe free(folder) }
        return unsafe "\(String(cString: folder))/\(path)"
    }
}
