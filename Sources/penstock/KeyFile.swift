// A file with one key, for commands that show it to a gateway: on a command line every user of the machine could read it.

internal import Bytes
internal import Reactor

/// Files with keys.
enum KeyFile {
    /// Why a file has none.
    struct Fault: Error {
        /// What is wrong, and what would be right.
        let text: String
    }

    private static let mostBytes = 4096

    /// The key in the file at `path`: one line of visible ASCII.
    static func read(_ path: String) throws -> [UInt8] {
        let file = try DataFile.reading(path)
        var text = ByteBuffer()
        _ = try file.read(into: &text, atMost: mostBytes, from: 0)
        var key: [UInt8] = []
        for index in 0..<text.bytes.count { key.append(text.bytes[index]) }
        while let last = key.last, last == 0x0a || last == 0x0d || last == 0x20 { key.removeLast() }
        guard !key.isEmpty, key.allSatisfy({ $0 > 0x20 && $0 < 0x7f }) else {
            throw Fault(text: "\(path) has no key: one line, without spaces")
        }
        return key
    }
}
