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

    /// The system's reason for a failed call, or why a file is not taken that could be read.
    package struct Reason: Error, CustomStringConvertible {
        /// The call's errno; EPERM where the file is not taken.
        package let code: Int32
        /// Why it is not taken; nil where a call has failed.
        package private(set) var refusal: Refusal?

        /// Whether there is nothing at the path.
        var isMissing: Bool { code == ENOENT }

        init(code: Int32) { self.code = code }

        init(_ refusal: Refusal) {
            code = EPERM
            self.refusal = refusal
        }

        /// The C library returns a text for every number, which lasts until this thread asks again.
        package var description: String {
            refusal?.problem ?? (unsafe String(cString: strerror(code)))
        }
    }

    /// Why a file is not taken.
    package struct Refusal: Equatable, Sendable {
        /// What is wrong with it.
        package let problem: String
        /// What would be right.
        package let remedy: String
    }

    /// How long whoever writes into a FIFO may take, in milliseconds: the caller has other things to do.
    private static let patienceMilliseconds = 2_000

    /// What the file at `path` holds, or its first `limit` bytes if there are more; it is not taken unless it is as
    /// `demands` say.
    ///
    /// It may be a FIFO, which shells make of a command's output: then somebody has to write into it.
    package static func bytes(
        path: String, atMost limit: Int, being demands: FileDemands = .none
    ) throws(Reason) -> [UInt8] {
        // Opening a FIFO without a writer would block for as long as there is none.
        let descriptor = unsafe penstock_open(path, O_RDONLY | O_NONBLOCK, 0)
        guard descriptor >= 0 else { throw Reason(code: errno) }
        defer { _ = close(descriptor) }
        // Asked of what is open: what lies at the path may be another file by now.
        var state = stat()
        guard unsafe fstat(descriptor, &state) == 0 else { throw Reason(code: errno) }
        if let refusal = demands.refusal(mode: state.st_mode) { throw Reason(refusal) }
        var failure: Reason?
        let end = milliseconds + patienceMilliseconds
        // Pages that no byte is read into take no memory.
        let bytes = unsafe [UInt8](unsafeUninitializedCapacity: limit) { storage, count in
            while count < limit {
                failure = waitUntilReadable(descriptor, until: end)
                if failure != nil { return }
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

    /// Whether there is anything at `path`.
    static func exists(path: String) -> Bool { unsafe access(path, F_OK) == 0 }

    /// Whether a folder has an entry at `path`, be it a link that leads nowhere.
    static func isEntry(path: String) -> Bool {
        var found = stat()
        return unsafe lstat(path, &found) == 0
    }

    /// Waits until there is something to read, or the end; the reason why there is neither.
    private static func waitUntilReadable(_ descriptor: Int32, until end: Int) -> Reason? {
        var wanted = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        let found = unsafe poll(&wanted, 1, Int32(max(0, end - milliseconds)))
        if found > 0 { return nil }
        return Reason(code: found == 0 ? ETIMEDOUT : errno)
    }

    /// Milliseconds since some moment in the past, whatever the wall clock does.
    private static var milliseconds: Int {
        var now = timespec()
        unsafe clock_gettime(CLOCK_MONOTONIC, &now)
        return now.tv_sec * 1_000 + now.tv_nsec / 1_000_000
    }

    /// Puts `text` in place of what the regular file at `path` holds, whole or not at all.
    ///
    /// What else is there (a device, a FIFO, a link) stays what it is, and is written into.
    package static func write(_ text: String, path: String) throws(Failure) {
        let bytes = Array(text.utf8)
        do throws(Reason) {
            if isReplaceable(path) {
                try replace(path, with: bytes)
            } else {
                try fill(path, with: bytes, O_TRUNC)
            }
        } catch {
            throw Failure(description: "\(path): error: cannot be written: \(error)")
        }
    }

    private static func isReplaceable(_ path: String) -> Bool {
        var found = stat()
        guard unsafe lstat(path, &found) == 0 else { return true }
        return found.st_mode & S_IFMT == S_IFREG
    }

    private static func replace(_ path: String, with bytes: [UInt8]) throws(Reason) {
        let draft = "\(path).\(getpid()).tmp"
        // Of this process alone; what an earlier one of that number left behind is of no use, and
        // nothing is followed or written into that somebody else may have put there.
        _ = unsafe unlink(draft)
        do throws(Reason) {
            try fill(draft, with: bytes, O_CREAT | O_EXCL | O_NOFOLLOW)
            guard unsafe rename(draft, path) == 0 else { throw Reason(code: errno) }
        } catch {
            _ = unsafe unlink(draft)
            throw error
        }
    }

    private static func fill(_ path: String, with bytes: [UInt8], _ flags: Int32) throws(Reason) {
        let descriptor = unsafe penstock_open(path, O_WRONLY | flags, 0o666)
        guard descriptor >= 0 else { throw Reason(code: errno) }
        do throws(Reason) {
            try write(bytes, to: descriptor)
        } catch {
            _ = close(descriptor)
            throw error
        }
        // A file system may say only now that there is no room.
        guard close(descriptor) == 0 else { throw Reason(code: errno) }
    }

    private static func write(_ bytes: [UInt8], to descriptor: Int32) throws(Reason) {
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

extension TextFile.Reason {
    /// The fault of a file that has to be read; `name` is what stands before it.
    func fault(of name: String = "") -> Fault {
        refusal.map { Fault("\(name)cannot be used: \($0.problem)", $0.remedy) }
            ?? Fault("\(name)cannot be read: \(description)", "name a file that is readable")
    }
}
