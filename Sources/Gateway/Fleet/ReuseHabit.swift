// Whether it is worth keeping a backend's connections. Some servers end them right after a response
// without having said so: what is sent on one then is lost more often than not.

internal import Admission

/// What became of a backend's idle connections.
///
/// When half of the latest were ended soon after their responses, connections are not kept for a
/// while. Then one is, without being used: if it is still there after a second, all are again.
struct ReuseHabit {
    /// Latest idle connections, the newest in the lowest bit; set for one that was ended soon.
    private var endings: UInt16 = 0
    /// How many of them there are.
    private var known = 0
    /// Whether connections are not used again at present.
    private(set) var isOff = false
    private var pauseNanoseconds = ReuseHabit.firstPauseNanoseconds
    private var triesAt = Instant(nanoseconds: 0)

    /// An end after so long says nothing about the response before.
    private static let soonNanoseconds: Int64 = 100_000_000
    /// A connection that is kept to see what becomes of it has lasted after this time.
    private static let lastingNanoseconds: Int64 = 1_000_000_000
    private static let firstPauseNanoseconds: Int64 = 5_000_000_000
    private static let longestPauseNanoseconds: Int64 = 60_000_000_000
    /// So few say nothing yet.
    private static let fewest = 8

    /// Whether any of the latest connections was ended soon: the next one is looked at before it is
    /// used.
    var isDoubtful: Bool { endings != 0 }

    /// A connection was used again, and served.
    mutating func lasted() { note(false) }

    /// A connection was found at its end that had been idle for so long; whether connections are not
    /// kept from now on.
    mutating func ended(afterResting nanoseconds: Int64, now: Instant) -> Bool {
        guard nanoseconds < ReuseHabit.soonNanoseconds else {
            resume()
            return false
        }
        if isOff {
            pauseNanoseconds = min(2 * pauseNanoseconds, ReuseHabit.longestPauseNanoseconds)
            triesAt = now.advanced(byNanoseconds: pauseNanoseconds)
            return false
        }
        note(true)
        guard known >= ReuseHabit.fewest, 2 * endings.nonzeroBitCount >= known else { return false }
        isOff = true
        triesAt = now.advanced(byNanoseconds: pauseNanoseconds)
        return true
    }

    /// Whether a connection is to be kept, though none is used, to see what becomes of it.
    mutating func beginsTrial(now: Instant) -> Bool {
        guard isOff, now >= triesAt else { return false }
        triesAt = now.advanced(byNanoseconds: pauseNanoseconds)
        return true
    }

    /// Whether a connection that has been idle for so long was not ended for its response.
    func hasLasted(_ nanoseconds: Int64) -> Bool { nanoseconds >= ReuseHabit.lastingNanoseconds }

    /// Connections are used again, if they were not.
    mutating func resume() {
        guard isOff else { return }
        self = ReuseHabit()
    }

    private mutating func note(_ isEnding: Bool) {
        endings = endings &<< 1 | (isEnding ? 1 : 0)
        if known < UInt16.bitWidth { known &+= 1 }
    }
}
