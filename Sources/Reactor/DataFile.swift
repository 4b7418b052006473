// A file that is read, or written to, piece by piece, for commands that work on more than memory has room for.
// The calls block: no loop with clients has one.

package import Bytes
internal import CShims
internal import Glibc

/// An open file of data.
package struct DataFile: ~Copyable {
    private let descriptor: Descriptor
    private let path: String

    private init(_ path: String, _ flags: Int32, _ attempt: String) throws(SystemError) {
        // The path is lent for the call.
        let number = unsafe penstock_open(path, flags, 0o666)
        guard number >= 0 else { throw SystemError("\(attempt) \(path)") }
        descriptor = Descriptor(owning: number)
        self.path = path
    }

    /// Opens a file to read it.
    package static func reading(_ path: String) throws(SystemError) -> DataFile {
        try DataFile(path, O_RDONLY, "read")
    }

    /// Opens a file to read and write it, made where there is none; no other process has it like that meanwhile.
    package static func writing(_ path: String) throws(SystemError) -> DataFile {
        let file = try DataFile(path, O_RDWR | O_CREAT, "write")
        guard flock(file.descriptor.rawValue, LOCK_EX | LOCK_NB) == 0 else {
            throw SystemError(
                "write \(path)",
                because: "another process is writing it; wait for its end, or name another file")
        }
        return file
    }

    /// Bytes in it.
    package borrowing func size() throws(SystemError) -> Int {
        let end = lseek(descriptor.rawValue, 0, SEEK_END)
        guard end >= 0 else { throw SystemError("read \(path)") }
        return Int(end)
    }

    /// Reads up to `most` bytes from `offset` on, behind those of `buffer`; how many, 0 at the end.
    package borrowing func read(
        into buffer: inout ByteBuffer, atMost most: Int, from offset: Int
    ) throws(SystemError) -> Int {
        buffer.reserve(most)
        let number = descriptor.rawValue
        var result = 0
        buffer.withFreeStorage(atMost: most) { bytes, free in
            result = unsafe bytes.withUnsafeMutableBytes { storage in
                // The range lies within the storage: ByteBuffer computed it from the storage's own count.
                unsafe pread(
                    number, storage.baseAddress?.advanced(by: free.lowerBound), free.count,
                    off_t(offset))
            }
            return max(0, result)
        }
        guard result >= 0 else { throw SystemError("read \(path)") }
        return result
    }

    /// Writes all of `buffer` at `offset`, and empties it.
    package borrowing func write(
        _ buffer: inout ByteBuffer, at offset: Int
    ) throws(SystemError) {
        var offset = offset
        while !buffer.isEmpty {
            let number = descriptor.rawValue
            let count = unsafe buffer.bytes.withUnsafeBytes { storage in
                // The pointer and the count are those of one live span.
                unsafe pwrite(number, storage.baseAddress, storage.count, off_t(offset))
            }
            guard count > 0 else {
                if count < 0, errno == EINTR { continue }
                throw SystemError("write \(path)")
            }
            buffer.drop(count)
            offset += count
        }
    }

    /// Drops what is behind the first `bytes` bytes.
    package borrowing func truncate(to bytes: Int) throws(SystemError) {
        guard ftruncate(descriptor.rawValue, off_t(bytes)) == 0 else {
            throw SystemError("shorten \(path)")
        }
    }

    /// Has what was written reach the disk.
    package borrowing func synchronize() throws(SystemError) {
        guard fdatasync(descriptor.rawValue) == 0 else { throw SystemError("write \(path)") }
    }
}
