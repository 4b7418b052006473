// A buffer's bytes as a list, for whom they stay with.

extension ByteBuffer {
    /// The readable bytes as a list of their own.
    package var list: [UInt8] { Array(storage[start..<end]) }

    /// The readable bytes as a list, without copying them where they stand at the storage's start; the buffer becomes
    /// empty and has no storage.
    package mutating func takeList() -> [UInt8] {
        let range = start..<end
        var list = giveStorage()
        if range.lowerBound > 0 { return Array(list[range]) }
        list.removeSubrange(range.upperBound...)
        return list
    }
}
