// How many requests a lane may have under way: twice as many as are being worked on, so that whoever gets room finds
// one waiting, and the window grows by itself to what the backends take; and no more than there is room to keep the
// answers of. Pure.

internal import Admission

/// The demand of a lane.
struct LaneWindow {
    private let settings: LaneSettings
    /// Requests that were submitted and have not ended.
    private(set) var openCount = 0
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
    func demand(runningCount: Int) -> Int {
        let window = min(
            max(2 * runningCount, settings.window.lowerBound), settings.window.upperBound)
        let left = Double(settings.mostHeldBytes - heldBytes)
        let kept = min(Int(max(0, left) / max(1, typicalBytes)), settings.window.upperBound)
        // One at least, if nothing else is there: a long answer is none of a lane's fault.
        let least = openCount == 0 && heldBytes == 0 ? 1 : 0
        return max(least, min(window, kept) - openCount)
    }

    /// A request was submitted.
    mutating func submitted() { openCount += 1 }

    /// A request has ended with that many bytes, which its source has from now on.
    mutating func ended(bytes: Int) {
        openCount -= 1
        heldBytes += bytes
        typicalBytes += (Double(bytes) - typicalBytes) / 16
    }

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
