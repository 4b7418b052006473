// Messages with the same key, one after the other, across partitions too. How many there are is bounded by the windows
// that they stand in. Pure.

/// Who has to wait for whom.
struct KeyOrder {
    /// Those that wait for the one of the key that is under way.
    private var waiting: [[UInt8]: [Int]] = [:]

    /// Whether the message `id` may begin; otherwise it waits until those before it have ended.
    mutating func begin(_ id: Int, key: [UInt8]) -> Bool {
        if waiting[key] == nil {
            waiting[key] = []
            return true
        }
        waiting[key]?.append(id)
        return false
    }

    /// The one under way has ended; the one that begins now.
    mutating func end(key: [UInt8]) -> Int? {
        guard var rest = waiting[key] else { return nil }
        guard !rest.isEmpty else {
            waiting[key] = nil
            return nil
        }
        let next = rest.removeFirst()
        waiting[key] = rest
        return next
    }

    /// Those that `isGone` names wait no more.
    mutating func forget(_ isGone: (Int) -> Bool) {
        for key in Array(waiting.keys) { waiting[key]?.removeAll(where: isGone) }
    }
}
