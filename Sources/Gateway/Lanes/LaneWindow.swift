// How many requests a lane may have under way: twice as many as are being worked on, so that whoever gets room finds
// one waiting, and the window grows by itself to what the backends take; and no more than there is room to keep the
// answers of. Pure.

internal import Admission

/// The demand of a lane.
struct LaneWindow {
    private let settings: LaneSettings
    /// Requests that were submitted and have not ended.
    private(set) var openCount = 0
    /// Of these, requests that wait for pools without backends, and the bytes of their bodies.
    private(set) var setAsideCount = 0
    private var setAsideBytes = 0
    /// Bytes of answers that their source has not passed on.
    private(set) var heldBytes = 0
    /// What an answer has, about; what small ones have before the first.
    private var typicalBytes = 16_384.0
    /// When something is started again after there was no room for what waits.
    private(set) var resumesAt = Instant(nanoseconds: .min / 2)
    private var pauseNanoseconds = LaneWindow.leastPause

    private static let leastPause: Int64 = 50_000_000
    private static let mostPause: Int64 = 1_000_000_000

    init(_ settings: LaneSettings) { self.settings = settings }

    /// How many more may be submitted, where so many are being worked on.
    ///
    /// `stranded` are the bytes of the bodies of others, which wait where there is no backend: as far as there is room, they
    /// are set aside, too.
    func demand(runningCount: Int, stranded: [Int] = []) -> Int {
        var aside = (count: setAsideCount, bytes: setAsideBytes)
        for bytes in stranded {
            guard mayBeSetAside(bytes: bytes, beside: aside) else { break }
            aside = (aside.count + 1, aside.bytes + bytes)
        }
        let window = min(
            max(2 * runningCount, settings.window.lowerBound), settings.window.upperBound)
        // One at least, if nothing else is there: a long answer is none of a lane's fault.
        let least = openCount == aside.count && heldBytes == 0 ? 1 : 0
        return max(least, min(window - (openCount - aside.count), keptCount - openCount))
    }

    private func mayBeSetAside(bytes: Int, beside aside: (count: Int, bytes: Int)) -> Bool {
        aside.count < min(settings.mostSetAside, keptCount / 2)
            && aside.bytes + bytes <= settings.mostSetAsideBytes
    }

    /// How many answers there is room to keep of.
    private var keptCount: Int {
        let left = Double(settings.mostHeldBytes - heldBytes)
        return min(Int(max(0, left) / max(1, typicalBytes)), settings.window.upperBound)
    }

    /// Whether a request with that many bytes may wait by itself for its pool's backends, so that others have its place.
    ///
    /// It keeps its place in the room for answers, of which these take no more than half.
    mutating func setAside(bytes: Int) -> Bool {
        guard mayBeSetAside(bytes: bytes, beside: (setAsideCount, setAsideBytes)) else {
            return false
        }
        setAsideCount += 1
        setAsideBytes += bytes
        return true
    }

    /// A request that was set aside is sent again, or never will be.
    mutating func broughtBack(bytes: Int) {
        setAsideCount -= 1
        setAsideBytes -= bytes
    }

    /// A request was submitted.
    mutating func submitted() { openCount += 1 }

    /// A request has ended with that many bytes, which its source has from now on.
    mutating func ended(bytes: Int) {
        openCount -= 1
        heldBytes += bytes
        typicalBytes += (Double(bytes) - typicalBytes) / 16
    }

    /// So many requests have ended without an answer that anybody waits for.
    mutating func cancelled(_ count: Int) { openCount -= count }

    /// Its source has passed on that many bytes.
    mutating func released(bytes: Int) {
        precondition(bytes <= heldBytes, "more bytes are released than were given")
        heldBytes -= bytes
    }

    /// There was no room for a request at `now`, not even to wait.
    mutating func foundNoRoom(now: Instant, atLeastNanoseconds least: Int64 = 0) {
        if now < resumesAt { return }
        resumesAt = now.advanced(byNanoseconds: max(pauseNanoseconds, least))
        pauseNanoseconds = min(2 * pauseNanoseconds, LaneWindow.mostPause)
    }

    /// There was.
    mutating func foundRoom() { pauseNanoseconds = LaneWindow.leastPause }
}
