// What a prompt begins with, as hashes: one for each place up to which others may be alike, each made of
// everything before that place. Two prompts that begin alike have their first keys in common.

/// The keys of one prompt, at most 48.
package struct PrefixKeys: Equatable, Sendable {
    /// A place in the prompt.
    package struct Place: Equatable, Sendable {
        /// A hash of everything before it, of the model, and of whatever else a cache is kept apart by.
        package var key: UInt64
        /// Bytes of the prompt before it.
        package var bytes: UInt32
    }

    /// Keys that are kept of one prompt.
    package static var most: Int { 48 }

    /// The places, the shortest beginning first.
    package private(set) var places: [Place] = []
    /// Bytes of the whole prompt, at least those before the last place.
    package private(set) var bytes: UInt32 = 0

    /// A prompt of that many bytes without a place yet.
    package init(bytes: Int = 0) { self.bytes = UInt32(clamping: bytes) }

    /// A prompt that is only known by what it belongs to: all of it counts as known where that was seen.
    package init(belongingTo key: UInt64, bytes: Int) {
        self.init(bytes: max(1, bytes))
        places = [Place(key: key, bytes: self.bytes)]
    }

    /// Notes that the prompt has so many bytes, those behind its last place included.
    package mutating func extend(toBytes count: Int) { bytes = max(bytes, UInt32(clamping: count)) }

    /// Adds a place behind all others; beyond `most` it stands in for the last one.
    package mutating func append(key: UInt64, bytes count: Int) {
        let place = Place(key: key, bytes: UInt32(clamping: count))
        if places.count == Self.most { places.removeLast() }
        places.append(place)
        bytes = max(bytes, place.bytes)
    }
}

/// Which backends know how much of a prompt: the four that know most.
struct PrefixMatch: Sendable {
    /// Backends that are kept of one prompt.
    static var most: Int { 4 }

    /// Bytes of the whole prompt; 0 where there is none, which is known everywhere.
    var bytes: UInt32 = 0
    /// The prompt's shortest beginning.
    var firstKey: UInt64 = 0
    private(set) var count = 0
    private var homes = InlineArray<4, UInt16>(repeating: 0)
    private var known = InlineArray<4, UInt32>(repeating: 0)

    /// Whether there is a prompt.
    var isEmpty: Bool { bytes == 0 }

    /// Adds a backend that knows so much, unless it is there or four are.
    mutating func add(_ backend: UInt16, bytes: UInt32) {
        guard count < Self.most else { return }
        for index in 0..<count where homes[index] == backend { return }
        homes[count] = backend
        known[count] = bytes
        count += 1
    }

    /// Bytes that the backend knows which knows most.
    var mostBytes: UInt32 { count == 0 ? 0 : known[0] }

    /// Whether a backend knows a part of the prompt, and no other one knows more.
    func isHome(_ backend: Int) -> Bool { count > 0 && knownBytes(at: backend) == mostBytes }

    /// Bytes of the prompt that a backend knows.
    func knownBytes(at backend: Int) -> UInt32 {
        for index in 0..<count where Int(homes[index]) == backend { return known[index] }
        return 0
    }
}
