// Which backends have seen which beginnings of prompts. A table of fixed size in sets of eight rows: a key
// may stand in any row of its set, and takes that of the key that was seen longest ago when all are taken.
//
// Each backend has a clock that counts the bytes that were new to it. What a backend was sent is taken to be
// in its cache until as many new bytes have gone there as the cache holds.

/// A bounded memory of beginnings.
struct PrefixIndex: Sendable {
    private static let rowsPerSet = 8

    private struct Row: Sendable {
        var key: UInt64 = 0
        /// When it was last looked for or written; 0 for a free row.
        var seen: UInt32 = 0
        /// Backends that were sent it, in the order in which they came, and their clocks then.
        var count: UInt8 = 0
        var backends = InlineArray<4, UInt16>(repeating: 0)
        var stamps = InlineArray<4, UInt32>(repeating: 0)
    }

    /// One backend's cache.
    private struct Cache: Sendable {
        /// Bytes that were new to it.
        var clock: UInt64 = 0
        var capacityBytes = 0.0

        /// The clock in the unit of stamps.
        var stamp: UInt32 { UInt32(truncatingIfNeeded: clock >> 10) }
        /// Whether what was written at that stamp is taken to be there still.
        func isFresh(_ written: UInt32) -> Bool {
            Double(stamp &- written) * 1024 <= capacityBytes
        }
    }

    private var rows: [Row] = []
    private var caches: [Cache] = []
    private var time: UInt32 = 0
    /// What rows are found by beside keys, which anybody can work out: nobody can fill the set of another's.
    private var salt: UInt64 = 0
    /// Rows that are taken.
    private(set) var count = 0

    /// Makes room for so many keys, whose rows `salt` scatters, and forgets everything.
    mutating func reset(entries: Int, salt: UInt64) {
        self.salt = salt
        var size = Self.rowsPerSet
        while size < entries { size *= 2 }
        rows = entries == 0 ? [] : Array(repeating: Row(), count: size)
        caches = []
        time = 0
        count = 0
    }

    /// Rows that there are.
    var capacity: Int { rows.count }

    /// Knows a backend of that cache size from now on, of which nothing was seen.
    mutating func add(_ backend: Int, capacityBytes: Double) {
        while caches.count <= backend { caches.append(Cache()) }
        caches[backend].capacityBytes = capacityBytes
        forget(backend)
    }

    /// Forgets what a backend was sent.
    mutating func forget(_ backend: Int) {
        caches[backend].clock += UInt64(caches[backend].capacityBytes) + 4096
    }

    /// Bytes that a backend's cache is taken to hold.
    func capacityBytes(of backend: Int) -> Double { caches[backend].capacityBytes }

    /// Takes a backend's cache for as large as that.
    mutating func setCapacity(of backend: Int, bytes: Double) {
        caches[backend].capacityBytes = bytes
    }

    /// The backends that know most of a prompt.
    mutating func match(_ keys: PrefixKeys) -> PrefixMatch {
        var match = PrefixMatch()
        guard let first = keys.places.first else { return match }
        match.bytes = keys.bytes
        match.firstKey = first.key
        for place in keys.places.reversed() where match.count < PrefixMatch.most {
            guard let row = find(place.key) else { continue }
            rows[row].seen = tick()
            for index in 0..<Int(rows[row].count) {
                let backend = rows[row].backends[index]
                if caches[Int(backend)].isFresh(rows[row].stamps[index]) {
                    match.add(backend, bytes: place.bytes)
                }
            }
        }
        return match
    }

    /// A backend is sent a prompt, and will have answered so many bytes.
    mutating func record(_ keys: PrefixKeys, at backend: Int, answerBytes: Int) {
        var before: UInt32 = 0
        for place in keys.places {
            let row = find(place.key) ?? take(place.key)
            rows[row].seen = tick()
            let isNew = write(backend, in: row)
            if isNew { caches[backend].clock += UInt64(max(place.bytes, before) - before) }
            before = max(place.bytes, before)
        }
        caches[backend].clock += UInt64(max(keys.bytes, before) - before)
        caches[backend].clock += UInt64(max(0, answerBytes))
    }

    /// Notes that a backend has a row's beginning; whether it had it not.
    private mutating func write(_ backend: Int, in row: Int) -> Bool {
        let stamp = caches[backend].stamp
        var oldest = 0
        var oldestAge: Double = -1
        for index in 0..<Int(rows[row].count) {
            let written = rows[row].stamps[index]
            let other = Int(rows[row].backends[index])
            if other == backend {
                rows[row].stamps[index] = stamp
                return !caches[backend].isFresh(written)
            }
            let age = Double(caches[other].stamp &- written) / max(1, caches[other].capacityBytes)
            if age > oldestAge { (oldest, oldestAge) = (index, age) }
        }
        if Int(rows[row].count) < PrefixMatch.most {
            oldest = Int(rows[row].count)
            rows[row].count += 1
        }
        rows[row].backends[oldest] = UInt16(backend)
        rows[row].stamps[oldest] = stamp
        return true
    }

    private mutating func tick() -> UInt32 {
        // It takes days to come round, and then what was seen last may go first, once.
        time = time == .max ? 1 : time + 1
        return time
    }

    private func firstRow(of key: UInt64) -> Int {
        let scattered = SplitMix64.mix(key ^ salt)
        return Int(truncatingIfNeeded: scattered & UInt64(rows.count / Self.rowsPerSet - 1))
            * Self.rowsPerSet
    }

    private func find(_ key: UInt64) -> Int? {
        let first = firstRow(of: key)
        for row in first..<first + Self.rowsPerSet
        where rows[row].key == key && rows[row].seen != 0 { return row }
        return nil
    }

    /// A row for a key that has none.
    private mutating func take(_ key: UInt64) -> Int {
        let first = firstRow(of: key)
        var oldest = first
        for row in first..<first + Self.rowsPerSet where rows[row].seen < rows[oldest].seen {
            oldest = row
        }
        if rows[oldest].seen == 0 { count += 1 }
        rows[oldest] = Row()
        rows[oldest].key = key
        return oldest
    }
}
