// Whole files: policies and keys that are read, and texts that commands write for people to read.
//
// Paths are lent to C for one call each, and bytes for the call that moves them, of which there are
// as many as it is told.

import CShims
import Glibc

/// Reads and writes files whole.
package enum TextFile {
    /// Why a file could not be written.
    package struct Failure: Error, CustomStringConvertible {
        /// The file and the system's reason.
        package let description: String
    }

    /// The system's reason for a failed call.
    struct Reason: Error, CustomStringConvertible {
        let code: Int32

        /// The C library returns a text for every number, which lasts until this thread asks again.
        var description: String { unsafe String(cString: strerror(code)) }
    }

    /// What the file at `path` holds, or its first `limit` bytes if there are more.
    static func bytes(path: String, atMost limit: Int) throws(Reason) -> [UInt8] {
        let descriptor = unsafe penstock_open(path, O_RDONLY, 0)
        guard descriptor >= 0 else { throw Reason(code: errno) }
        defer { _ = close(descriptor) }
        var failure: Reason?
        // Pages that no byte is read into take no memory.
        let bytes = unsafe [UInt8](unsafeUninitializedCapacity: limit) { storage, count in
            while count < limit {
                let added = unsafe read(
                    descriptor, storage.baseAddress?.advanced(by: count), limit - count)
                if added < 0 { failure = Reason(code: errno) }
                if added <= 0 { return }
                count += added
            }
        }
        if let failure { throw failure }
        return bytes
    }

    /// Puts `text` in place of what the file at `path` holds, whole or not at all.
    package static func write(_ text: String, path: String) throws(Failure) {
        // Of this process alone; what an earlier one of that number left behind is of no use.
        let draft = "\(path).\(getpid()).tmp"
        do throws(Reason) {
            try fill(draft, with: Array(text.utf8))
            guard unsafe rename(draft, path) == 0 else { throw Reason(code: errno) }
        } catch {
            _ = unsafe unlink(draft)
            throw Failure(description: "\(path): error: cannot be written: \(error)")
        }
    }

    private static func fill(_ path: String, with bytes: [UInt8]) throws(Reason) {
        let descriptor = unsafe penstock_open(path, O_WRONLY | O_CREAT | O_TRUNC, 0o666)
        guard descriptor >= 0 else { throw Reason(code: errno) }
        defer { _ = close(descriptor) }
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = unsafe rest.withUnsafeBytes {
                unsafe Glibc.write(descriptor, $0.baseAddress, $0.count)
            }
            guard count >= 0 else { throw Reason(code: errno) }
            rest = rest.dropFirst(count)
        }
    }
}
