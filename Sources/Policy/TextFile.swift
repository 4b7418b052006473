// Files that commands write for people to read.

import Foundation

/// Writes texts to files.
package enum TextFile {
    /// Why a file could not be written.
    package struct Failure: Error, CustomStringConvertible {
        /// The file and the system's reason.
        package let description: String
    }

    /// Puts `text` in place of what the file at `path` holds, whole or not at all.
    package static func write(_ text: String, path: String) throws(Failure) {
        do {
            try Data(text.utf8).write(to: URL(filePath: path), options: .atomic)
        } catch {
            throw Failure(
                description: "\(path): error: cannot be written: \(error.localizedDescription)")
        }
    }
}
