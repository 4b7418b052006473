// The places in a prompt up to which others may be alike: the ends of its messages, and within long texts places
// that lie the further apart the further back they are.
//
// A conversation that goes on has its earlier prompt's end among the last of its messages' ends, whatever was
// left out before; prompts that begin alike have the first message's end, and the places within texts, in common.

/// The places of one prompt, of which at most `most` are kept.
struct PromptPlaces: Sendable {
    /// What comes before a place.
    struct Place: Equatable, Sendable {
        /// Its hash.
        var hash: UInt64
        /// Its bytes.
        var bytes: Int
    }

    /// Places that are kept at all.
    static let most = 46
    /// Ends of messages that are kept beside those that lie far enough apart.
    private static let lastEnds = 8
    /// Bytes from one place within a text to the next, as long as a quarter of what comes before is less.
    private static let leastStep = 256

    /// Places far enough apart, and the first message's end.
    private var spread: [Place] = []
    private var ends: [Place] = []
    private var nextEnd = 0
    private var lastBytes = -1
    /// From how many bytes on the next one lies far enough.
    private(set) var nextBytes = leastStep

    /// No place, of a prompt that begins.
    init() {}

    /// Forgets everything but the storage.
    mutating func reset() {
        spread.removeAll(keepingCapacity: true)
        ends.removeAll(keepingCapacity: true)
        nextEnd = 0
        lastBytes = -1
        nextBytes = PromptPlaces.leastStep
    }

    /// Notes a place within a text, which lies far enough behind the last one.
    mutating func note(_ place: Place) {
        lastBytes = place.bytes
        if spread.count < PromptPlaces.most - PromptPlaces.lastEnds { spread.append(place) }
        nextBytes = place.bytes + max(PromptPlaces.leastStep, place.bytes / 4)
    }

    /// Notes the end of a message, or of the prompt, which may be the same.
    mutating func noteEnd(_ place: Place) {
        guard place.bytes > lastBytes else { return }
        lastBytes = place.bytes
        if ends.isEmpty && spread.isEmpty || place.bytes >= nextBytes {
            note(place)
        } else if ends.count < PromptPlaces.lastEnds {
            ends.append(place)
        } else {
            ends[nextEnd] = place
            nextEnd = (nextEnd + 1) % PromptPlaces.lastEnds
        }
    }

    /// Calls `body` with all places, the shortest beginning first.
    func forEach(_ body: (Place) -> Void) {
        var next = 0
        for offset in ends.indices {
            let end = ends[(nextEnd + offset) % ends.count]
            while next < spread.count, spread[next].bytes < end.bytes {
                body(spread[next])
                next += 1
            }
            body(end)
        }
        while next < spread.count {
            body(spread[next])
            next += 1
        }
    }
}
