// What has come over a connection and was not read yet.

/// Received bytes, taken from the front.
struct Inbox {
    private var bytes: [UInt8] = []
    private var start = 0

    /// How many there are.
    var count: Int { bytes.count - start }

    /// The offset behind the next `mark`, which is known not to end among the first `looked` bytes.
    func end(of mark: [UInt8], from looked: Int) -> Int? {
        var index = start + max(0, looked - mark.count)
        while index + mark.count <= bytes.count {
            if bytes[index] == mark[0], bytes[index...].starts(with: mark) {
                return index + mark.count - start
            }
            index += 1
        }
        return nil
    }

    /// Takes `count` bytes, of which there are as many.
    mutating func take(_ count: Int) -> [UInt8] {
        let taken = Array(bytes[start..<(start + count)])
        start += count
        if start == bytes.count {
            bytes.removeAll(keepingCapacity: true)
            start = 0
        }
        return taken
    }

    /// Takes all that there is.
    mutating func takeAll() -> [UInt8] { take(count) }

    /// Adds what came after the rest.
    mutating func append(_ more: some Collection<UInt8>) { bytes += more }

    /// Puts bytes back that belong to what is read next.
    mutating func putBack(_ taken: [UInt8]) {
        bytes = taken + bytes[start...]
        start = 0
    }
}
