// The lines that are sent: read piece by piece, and again from any line, without reading all that is before it.

internal import Bulk
internal import Bytes
internal import Reactor

/// The file of lines.
final class BulkInput {
    private let file: DataFile
    let size: Int
    /// Where the next byte is read.
    private(set) var offset = 0
    private var counter = BulkLineCounter()
    /// Where every so many lines begin; the first begins the file.
    private var places = [0]
    /// Lines of the file, once its end was seen.
    private(set) var lines: Int?

    /// Lines between two places that are known; 8 bytes each.
    private static let linesBetween = 1024
    /// Bytes that are read at once.
    static let pieceBytes = 64 * 1024

    init(_ path: String) throws(SystemError) {
        file = try DataFile.reading(path)
        size = try file.size()
    }

    /// Lines of the file, as far as can be told from those that were seen.
    var estimatedLines: Int {
        guard counter.count > 0, offset > 0 else { return 0 }
        return Int(Double(counter.count) / Double(offset) * Double(size))
    }

    /// Has the line `index` come next.
    func rewind(to index: Int) throws(SystemError) {
        let place = min(index / BulkInput.linesBetween, places.count - 1)
        offset = places[place]
        counter = BulkLineCounter(count: place * BulkInput.linesBetween)
        var piece = ByteBuffer()
        while counter.count < index {
            piece.removeAll()
            guard try read(into: &piece, to: index) > 0 else { return }
        }
    }

    /// Appends the next piece to `buffer`; how many bytes, 0 at the end.
    func read(into buffer: inout ByteBuffer, to line: Int = .max) throws(SystemError) -> Int {
        let before = buffer.count
        let count = try file.read(into: &buffer, atMost: BulkInput.pieceBytes, from: offset)
        guard count > 0 else {
            counter.finish()
            lines = counter.count
            return 0
        }
        let piece = buffer.bytes.extracting(before..<(before + count))
        var index = 0
        while index < piece.count, counter.count < line {
            let next = places.count * BulkInput.linesBetween
            index = piece.passed(by: &counter, from: index, to: min(next, line))
            if counter.count == next { places.append(offset + index) }
        }
        offset += index
        return index
    }
}

extension Span<UInt8> {
    /// Passes over these bytes with `counter`.
    fileprivate func passed(by counter: inout BulkLineCounter, from index: Int, to lines: Int)
        -> Int
    {
        counter.pass(self, from: index, to: lines)
    }
}
