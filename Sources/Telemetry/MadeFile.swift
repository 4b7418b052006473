// A file that was made for a log which may never be written: a reload that fails leaves none behind.

import CShims
import Glibc

/// An empty file that this process has made.
struct MadeFile: Sendable {
    private let path: String
    private let device: dev_t
    private let inode: ino_t

    /// The file at `path` that was just made and is open as `descriptor`; nil where it is no ordinary one.
    init?(path: String, descriptor: Int32) {
        var status = stat()
        // The structure is written whole, by a descriptor that is open.
        guard unsafe fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
            return nil
        }
        // Where a link leads to a file that was not there, that file goes and the link stays. The path is lent
        // for the call, whose result is a text of its own, to be freed here.
        guard let found = unsafe realpath(path, nil) else { return nil }
        defer { unsafe free(found) }
        self.path = unsafe String(cString: found)
        device = status.st_dev
        inode = status.st_ino
    }

    /// Removes it, unless something was written to it or another one is there by now; to be called while it is
    /// open.
    func remove() {
        var status = stat()
        // The path is lent to both calls, and the structure is written whole.
        guard unsafe lstat(path, &status) == 0, status.st_dev == device, status.st_ino == inode,
            status.st_size == 0
        else { return }
        _ = unsafe unlink(path)
    }
}
