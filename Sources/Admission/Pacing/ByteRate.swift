// Bytes a second that many streams share: a token bucket, and a ring of the streams that wait for it. What comes into
// the bucket goes out by steps, one to each stream in turn, so that all of those who want more get the same, whatever
// thread they are served by and however fast their sides are.
//
// A stream is told when its turn comes, by the number of those before it, and asks again then; nobody has to wake it. Who
// asks meanwhile hands out what has come in, also to others, who find it when they ask.
//
// Bounds: a place for each stream that is open, one of which may be in the ring. All that was ever handed out is never
// more than the burst and what has come in since.

/// A rate that streams share.
struct ByteRate: Sendable {
    /// Bytes a second; nil for no bound any more.
    private(set) var perSecond: Int?
    /// What may be handed out now, from 0.
    private var level = 0.0
    private var filledAt: Instant?
    private var places: [Place] = []
    private var freePlaces: [Int] = []
    /// Those that wait, first come first, from `ringStart` on.
    private var ring: [Int] = []
    private var ringStart = 0
    /// Streams that are open.
    private(set) var streamCount = 0

    private struct Place: Sendable {
        /// Handed out and not fetched.
        var bytes = 0
        var isWaiting = false
        /// Where it stands in the ring, counted from the first that ever did.
        var turn = 0
        /// Whether its stream has ended while it stood in the ring.
        var isLeft = false
    }

    /// How many have left the ring's front.
    private var turnsServed = 0

    /// What a stream gets.
    enum Answer: Equatable {
        /// So many bytes may pass, from 1.
        case bytes(Int)
        /// Nothing yet: it is to ask again then.
        case wait(until: Instant)
    }

    /// A rate of `perSecond` bytes with a whole burst saved up.
    init(perSecond: Int) {
        self.perSecond = perSecond
        level = burst
    }

    /// Bytes that can be saved up: what comes in in a tenth of a second, and 64 KiB at least.
    static func burstBytes(_ perSecond: Int) -> Int { max(64 << 10, perSecond / 10) }

    /// Bytes that a stream gets in its turn: what comes in in ten milliseconds, from 4 to 64 KiB.
    static func stepBytes(_ perSecond: Int) -> Int { min(max(4 << 10, perSecond / 100), 64 << 10) }

    // Nobody asks again before a millisecond is over: what came in meanwhile is taken step by step then. And everybody asks
    // after a quarter of a second: those before him may have left, or the rate be another one.
    private static let leastWaitNanoseconds: Int64 = 1_000_000
    private static let mostWaitNanoseconds: Int64 = 250_000_000

    private var burst: Double { Double(ByteRate.burstBytes(perSecond ?? 0)) }

    /// Puts another rate in force; what is saved up stays, up to its burst.
    mutating func reconfigure(perSecond: Int?) {
        guard perSecond != self.perSecond else { return }
        self.perSecond = perSecond
        level = min(level, burst)
        guard perSecond == nil else { return }
        // They find out when they ask again.
        while ringStart < ring.count { leaveRing() }
    }

    /// Whether nobody uses it, and nothing has been used of it.
    mutating func isUnused(now: Instant) -> Bool {
        fill(now)
        return streamCount == 0 && (perSecond == nil || level >= burst)
    }

    // MARK: Streams

    /// A place for a stream, to be closed once.
    mutating func open() -> Int {
        streamCount += 1
        if let place = freePlaces.popLast() {
            places[place] = Place()
            return place
        }
        places.append(Place())
        return places.count - 1
    }

    /// A stream ends, which has fetched `unusedBytes` more than it has used.
    mutating func close(_ place: Int, unusedBytes: Int) {
        streamCount -= 1
        level = min(burst, level + Double(unusedBytes + places[place].bytes))
        places[place].bytes = 0
        if places[place].isWaiting {
            places[place].isLeft = true
        } else {
            freePlaces.append(place)
        }
    }

    /// Gives a stream its next step, or tells when to ask again.
    mutating func take(_ place: Int, now: Instant) -> Answer {
        guard let perSecond else { return .bytes(64 << 10) }
        let step = ByteRate.stepBytes(perSecond)
        fill(now)
        handOut(step)
        if places[place].bytes > 0 {
            let bytes = places[place].bytes
            places[place].bytes = 0
            return .bytes(bytes)
        }
        if !places[place].isWaiting {
            if ringStart == ring.count, level >= Double(step) {
                level -= Double(step)
                return .bytes(step)
            }
            places[place].isWaiting = true
            places[place].turn = turnsServed + ring.count - ringStart
            ring.append(place)
        }
        let steps = places[place].turn - turnsServed + 1
        let missing = max(0, Double(steps) * Double(step) - level)
        let nanoseconds = (missing / Double(perSecond) * 1e9).rounded(.up)
        let most = Double(ByteRate.mostWaitNanoseconds)
        return .wait(
            until: now.advanced(
                byNanoseconds: max(ByteRate.leastWaitNanoseconds, Int64(min(most, nanoseconds)))))
    }

    /// Clocks of several threads may be a moment apart; the latest instant counts.
    private mutating func fill(_ now: Instant) {
        guard let perSecond else { return }
        let seconds = filledAt.map { now.seconds(since: $0) } ?? 0
        guard seconds > 0 || filledAt == nil else { return }
        level = min(burst, level + seconds * Double(perSecond))
        filledAt = now
    }

    private mutating func handOut(_ step: Int) {
        while ringStart < ring.count, level >= Double(step) || places[ring[ringStart]].isLeft {
            let place = ring[ringStart]
            if !places[place].isLeft {
                level -= Double(step)
                places[place].bytes += step
            }
            leaveRing()
        }
    }

    /// The first in the ring leaves it.
    private mutating func leaveRing() {
        let place = ring[ringStart]
        ringStart += 1
        turnsServed += 1
        places[place].isWaiting = false
        if places[place].isLeft { freePlaces.append(place) }
        if ringStart == ring.count || ringStart > 1024 {
            ring.removeFirst(ringStart)
            ringStart = 0
        }
    }
}
