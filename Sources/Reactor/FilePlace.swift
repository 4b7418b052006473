// Where paths lead. Links are followed also to what is not there yet, because that is where a file would be made.

internal import Glibc

/// What lies at a path, or would be made there.
package enum FilePlace {
    /// Links that are followed one after the other to what is not there; the kernel follows as many.
    private static let mostLinks = 40

    /// The path of the file at `path` without links; of one that is not there, the path at which it would be
    /// made, as far as its folder is there.
    package static func resolved(_ path: String) -> String {
        var path = path
        for _ in 0..<mostLinks {
            if let whole = realPath(path) { return whole }
            guard let target = target(ofLink: path) else { break }
            path = target
        }
        guard let end = path.lastIndex(of: "/"), let folder = realPath(String(path[...end])) else {
            return path
        }
        return (folder == "/" ? "" : folder) + "/\(path[path.index(after: end)...])"
    }

    /// What tells the file at `path` from all others, whatever links and names it has; of one that is not there,
    /// where it would be made.
    package static func identity(_ path: String) -> String {
        var found = stat()
        // The path is lent for the call, which writes the structure whole.
        guard unsafe stat(path, &found) == 0 else { return resolved(path) }
        return "device \(found.st_dev), inode \(found.st_ino)"
    }

    /// Where the link at `path` leads, from its own folder; nil where there is none.
    ///
    /// Links that go round are none either: they are told of before, as such.
    package static func target(ofLink path: String) -> String? {
        var bytes = [UInt8](repeating: 0, count: Int(PATH_MAX))
        // The kernel writes no more bytes than the array has, and says how many.
        let count = unsafe bytes.withUnsafeMutableBytes { all in
            guard let start = all.baseAddress else { return 0 }
            return unsafe readlink(path, start, all.count)
        }
        guard count > 0 else { return nil }
        let target = String(decoding: bytes.prefix(count), as: UTF8.self)
        if target.hasPrefix("/") { return target }
        let folder = path.lastIndex(of: "/").map { path[...$0] } ?? ""
        return "\(folder)\(target)"
    }

    private static func realPath(_ path: String) -> String? {
        // The path is lent for the call, whose result is a text of its own, to be freed here.
        guard let found = unsafe realpath(path, nil) else { return nil }
        defer { unsafe free(found) }
        return unsafe String(cString: found)
    }
}
