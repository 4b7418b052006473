// When backends are asked the next time, by their checks or for what their agents say. One backend is asked one
// question at a time: where an answer takes longer than the interval, the next question waits for it. A tenth of the
// interval is left to chance, so that questions to many backends, and of several gateways, do not come in step.

internal import Admission
internal import Policy

/// A backend that is asked now and then.
protocol AskedBackend {
    /// Its pool's name.
    var pool: String { get }
    /// The backend.
    var address: BackendAddress { get }
}

/// The backends of all pools that are asked, and the questions under way.
struct BackendTimetable<Backend: AskedBackend, Question> {
    /// A backend of a pool.
    struct Key: Hashable {
        let pool: String
        let address: BackendAddress

        fileprivate init(_ backend: Backend) {
            pool = backend.pool
            address = backend.address
        }
    }

    /// A backend, and what it is asked.
    struct Entry {
        var backend: Backend
        /// When the next question is due.
        fileprivate var nextAt: Instant
        /// The one under way.
        var question: Question?
    }

    /// The part of the interval that is left to chance.
    private static var jitter: Double { 0.1 }

    private var entries: [Key: Entry] = [:]
    private var random: SplitMix64

    init(seed: UInt64) { random = SplitMix64(seed: seed) }

    /// The backend that is asked under a key; nil where it is asked no more.
    func backend(_ key: Key) -> Backend? { entries[key]?.backend }

    /// Follows the policy in force, under which new backends are due at once.
    ///
    /// It gives those that are asked no more, with what was under way.
    mutating func follow(_ backends: [Backend], now: Instant) -> [Entry] {
        let former = entries
        entries = [:]
        for backend in backends {
            let key = Key(backend)
            var entry = former[key] ?? Entry(backend: backend, nextAt: now)
            entry.backend = backend
            entries[key] = entry
        }
        return former.filter { entries[$0.key] == nil }.map(\.value)
    }

    /// Asks nobody any more, and gives the questions that were under way.
    mutating func removeAll() -> [Question] {
        defer { entries = [:] }
        return entries.values.compactMap(\.question)
    }

    /// Whom a question is due for.
    func due(_ now: Instant) -> [Key] {
        entries.filter { $0.value.question == nil && $0.value.nextAt <= now }.map(\.key)
    }

    /// When the next question is due; nil while none is, or all wait for an answer.
    var nextAt: Instant? { entries.values.filter { $0.question == nil }.map(\.nextAt).min() }

    /// A question is asked now, and the next one an interval later.
    mutating func schedule(_ key: Key, every interval: Duration, now: Instant) {
        let nanoseconds = Double(interval.wholeNanoseconds)
        let factor = 1 + Self.jitter * (random.nextUnit() - 0.5)
        entries[key]?.nextAt = now.advanced(byNanoseconds: Int64(nanoseconds * factor))
    }

    /// What is under way for a backend; nil for nothing.
    mutating func set(_ question: Question?, for key: Key) { entries[key]?.question = question }
}
