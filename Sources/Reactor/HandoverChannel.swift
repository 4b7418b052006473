// What two processes of one gateway say to each other while the newer takes over: lines, and a file in memory with what
// the older one knows. Neither waits for the other in a loop that serves.

internal import Bytes
internal import CShims
internal import Glibc

/// A connection between two processes that says lines.
package final class HandoverChannel: StreamConnection {
    /// Called with each line, without its end; and with nil once when the other process has gone.
    package var heard: (String?) -> Void = { _ in }

    /// Bytes of a line at most; whoever says longer ones is no gateway.
    private static let mostBytes = 64 * 1024

    /// Speaks over the descriptor `number`, which is this object's own from now on, in `reactor`; nil where the kernel
    /// watches no more.
    package init?(owning number: Int32, in reactor: Reactor) {
        super.init(reactor: reactor)
        guard penstock_adopt(number) == 0 else { return nil }
        open(.plain(Descriptor(owning: number)))
        guard start() else {
            close()
            return nil
        }
    }

    /// Says a line, as soon as the other one takes it.
    ///
    /// Where as much as fits into memory waits already, it is left out: each line says what is so now.
    package func say(_ line: String) {
        guard isOpen, output.count < HandoverChannel.mostBytes else { return }
        prepareOutput()
        output.append(line + "\n")
        flush()
    }

    /// Reads what has come while nobody listened.
    package func begin() { advance() }

    package override func ready(_ readiness: Readiness) {
        if note(readiness) { advance() }
    }

    private func advance() {
        flush()
        while isOpen, fill(highBytes: HandoverChannel.mostBytes) > 0 { tell() }
        if isOpen, inputEnded || isBroken || input.count >= HandoverChannel.mostBytes {
            close()
            heard(nil)
        }
    }

    /// Tells of the lines that are there as a whole.
    private func tell() {
        while isOpen {
            guard let line = HandoverChannel.line(of: input) else { return }
            input.drop(line.count + 1)
            heard(String(decoding: line, as: UTF8.self))
        }
    }

    private static func line(of input: borrowing ByteBuffer) -> [UInt8]? {
        let bytes = input.bytes
        for index in bytes.indices where bytes[index] == 0x0a {
            var line: [UInt8] = []
            for place in 0..<index { line.append(bytes[place]) }
            return line
        }
        return nil
    }

    /// Closes the other process's end here.
    package static func close(_ other: Int32) { _ = Descriptor(owning: other) }

    /// Two ends of a new connection, of which one is for another process; throws when the process is out of
    /// descriptors.
    package static func pair() throws(SystemError) -> (own: Int32, other: Int32) {
        var ends: (Int32, Int32) = (-1, -1)
        let kind = Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue)
        // Two numbers are written, into a pair of them.
        let code = unsafe withUnsafeMutablePointer(to: &ends) { pair in
            unsafe pair.withMemoryRebound(to: Int32.self, capacity: 2) { ends in
                unsafe socketpair(AF_UNIX, kind, 0, ends)
            }
        }
        guard code == 0 else { throw SystemError("connect two processes") }
        return (ends.0, ends.1)
    }
}

/// A file in memory, which a process that is started can read.
package struct HandoverFile: ~Copyable {
    private let descriptor: Descriptor

    /// A file that holds `text`; throws when there is no memory or descriptor for it.
    package init(_ text: String) throws(SystemError) {
        let number = penstock_memory_file()
        descriptor = Descriptor(owning: number)
        guard number >= 0 else { throw SystemError("make a file in memory") }
        let bytes = Array(text.utf8)
        var done = 0
        while done < bytes.count {
            // As many bytes as are left.
            let count = unsafe bytes.withUnsafeBytes { storage in
                unsafe pwrite(
                    number, storage.baseAddress?.advanced(by: done), storage.count - done, done)
            }
            guard count > 0 else { throw SystemError("write a file in memory") }
            done += count
        }
    }

    /// Its number.
    package var number: Int32 { descriptor.rawValue }

    /// What the file `number` holds, which is closed then.
    package static func read(_ number: Int32) -> String {
        let descriptor = Descriptor(owning: number)
        var bytes: [UInt8] = []
        var piece = [UInt8](repeating: 0, count: 65_536)
        while bytes.count < mostBytes {
            // As many bytes as there is room for.
            let count = unsafe piece.withUnsafeMutableBytes { storage in
                unsafe pread(descriptor.rawValue, storage.baseAddress, storage.count, bytes.count)
            }
            guard count > 0 else { break }
            bytes += piece[..<count]
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// Bytes that are read at most: limits of as many backends as are kept, and keys of all listeners.
    private static let mostBytes = 8 << 20
}
