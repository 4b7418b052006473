// The answers that have come: appended line by line, and read once at the beginning.

internal import Bulk
internal import Bytes
internal import Reactor

/// The file of answers.
final class BulkOutput {
    private let file: DataFile
    private let path: String
    private(set) var journal = BulkJournal()
    private var offset = 0
    /// What is to be written.
    private var pending = ByteBuffer()

    private static let mostLineBytes = 1 << 30
    private static let writtenBytes = 256 * 1024

    /// Opens the file, reads what it has, and cuts a line off that is not whole.
    init(_ path: String) throws {
        self.path = path
        file = try DataFile.writing(path)
        var reader = BulkLineReader(maxLineBytes: BulkOutput.mostLineBytes)
        var piece = ByteBuffer()
        var read = 0
        while try file.read(into: &piece, atMost: BulkInput.pieceBytes, from: read) > 0 {
            var index = 0
            while true {
                let event = reader.next(in: piece.bytes, at: &index)
                if event == .needMoreData { break }
                guard event == .line,
                    case .result(let line, let status, _) = BulkAnswer(reader.line.span)
                else {
                    throw BulkFailure(
                        text:
                            "\(path) has lines that are no answers of the bulk lane; name another file"
                    )
                }
                _ = journal.note(line, status: status)
                offset = read + index
            }
            read += piece.count
            piece.removeAll()
        }
        guard !journal.isForeign else {
            throw BulkFailure(
                text:
                    "\(path) has answers to other lines than those that it lacks; name another file"
            )
        }
        if try file.size() > offset { try file.truncate(to: offset) }
    }

    /// Takes a line of the gateway's; the last one where it is that.
    func take(_ line: Span<UInt8>) throws -> BulkEnd? {
        switch BulkAnswer(line) {
        case .end(let end): return end
        case .result(let index, let status, _):
            guard journal.note(index, status: status) else { return nil }
            pending.append(line)
            pending.append(0x0a)
            if pending.count >= BulkOutput.writtenBytes { try flush() }
            return nil
        case nil:
            throw BulkFailure(
                text: "the gateway's answer is none of a bulk lane; check the URL and its path")
        }
    }

    /// Has what came reach the file.
    func flush() throws(SystemError) {
        let count = pending.count
        guard count > 0 else { return }
        try file.write(&pending, at: offset)
        offset += count
    }

    /// Has the file reach the disk.
    func close() {
        try? flush()
        try? file.synchronize()
    }
}
