// The limits that were found, as they are kept over a restart (`state` of a policy): a list in JSON, of which each
// element is a backend's. It is read once, at the start, and a start is all that it is good for: a limit that is read
// is approached from below, or taken over from a process that still has it in force, and whatever is measured of the backend counts from then on.

internal import Admission

/// Limits that were found, by the names of their pools and backends.
package struct LearntLimits: Equatable, Sendable {
    /// The limit of one backend.
    package struct Entry: Equatable, Sendable {
        /// The pool's name in the policy.
        package var pool: String
        /// The backend's URL.
        package var backend: String
        /// The limit that was found, 1..100,000.
        package var limit: Double
        /// When it was last found to be so, in seconds since 1970.
        package var foundAt: Int
    }

    /// Entries that are kept at most; the oldest give way.
    package static let mostEntries = 4_096
    /// Seconds after which an entry says nothing any more: seven days.
    package static let longestSeconds = 7 * 24 * 3_600

    /// Pool by pool, in each backend by backend.
    package private(set) var entries: [Entry] = []

    /// Since when limits have to be found to be in force at a process that hands them over, in seconds since 1970; nil where none
    /// does.
    ///
    /// It is no part of the file.
    package var inForceSince: Int?

    private static let subject = "state file"

    /// None at all.
    package init() {}

    /// The limits of a pool by its backends' URLs.
    package func limits(ofPool name: String) -> [String: Double] {
        var limits: [String: Double] = [:]
        for entry in entries where entry.pool == name { limits[entry.backend] = entry.limit }
        return limits
    }

    /// The URLs of a pool's backends whose limits are in force elsewhere.
    package func backendsInForce(ofPool name: String) -> Set<String> {
        guard let inForceSince else { return [] }
        return Set(
            entries.filter { $0.pool == name && $0.foundAt >= inForceSince }.map(\.backend))
    }

    /// Takes in what was found at `now`, in seconds since 1970, and lets go of what is too old or too much; what
    /// nothing new is known of stays as it is.
    package mutating func take(_ found: [(pool: String, limits: [String: Double])], now: Int) {
        var byName: [String: Entry] = [:]
        for entry in entries where Self.isFresh(entry, now: now) {
            byName[Self.name(entry)] = entry
        }
        for (pool, limits) in found {
            for (backend, limit) in limits where Self.limits.contains(limit) {
                // A tenth of a request is more than is known of it, and as much as moves all the time.
                let entry = Entry(
                    pool: pool, backend: backend, limit: (10 * limit).rounded() / 10, foundAt: now)
                byName[Self.name(entry)] = entry
            }
        }
        let latest = byName.values.sorted {
            ($1.foundAt, $0.pool, $0.backend) < ($0.foundAt, $1.pool, $1.backend)
        }
        entries = latest.prefix(Self.mostEntries).sorted {
            ($0.pool, $0.backend) < ($1.pool, $1.backend)
        }
    }

    private static func isFresh(_ entry: Entry, now: Int) -> Bool {
        // One of the future was written under another clock.
        entry.foundAt <= now && now - entry.foundAt <= longestSeconds
    }

    private static func name(_ entry: Entry) -> String { "\(entry.pool)\n\(entry.backend)" }

    // MARK: The file

    private static let limits = 1.0...100_000

    private static let section = Section<Entry>(
        blank: Entry(pool: "", backend: "", limit: 1, foundAt: 0),
        keys: [
            Key("pool", \.pool, name, required: true, "The pool's name."),
            Key("backend", \.backend, name, required: true, "The backend's URL."),
            Key("limit", \.limit, .number(limits), required: true, "The limit that was found."),
            Key(
                "found_at", \.foundAt, .integer(0...Int(Int32.max) * 1_000), required: true,
                "When, in seconds since 1970."),
        ])

    private static let name = Kind<String>.text(
        "a name", pattern: "^.+$",
        parse: { (text) throws(Fault) in
            guard !text.isEmpty, text.utf8.count <= 1_024 else {
                throw Fault("is empty or too long", "write one of 1 to 1024 bytes")
            }
            return text
        }, write: { $0 })

    private static let list = Kind<[Entry]>.list(
        of: section.kind(), blank: section.blank, counts: 0...mostEntries, identity: nil)

    /// The file's text, with a line break at its end.
    package var text: String { (Self.list.write(entries)?.json ?? "[]") + "\n" }

    /// What is in the file at `path`; none where there is no file.
    ///
    /// What is too old at `now`, in seconds since 1970, is left out. Throws what is wrong with it.
    package static func read(path: String, now: Int) throws(PolicyError) -> LearntLimits {
        guard TextFile.exists(path: path) else { return LearntLimits() }
        return try read(
            text: PolicyLoader.contents(of: path, subject: subject), file: path, now: now)
    }

    /// The limits in `text`; `file` is the name for diagnostics.
    package static func read(text: String, file: String, now: Int) throws(PolicyError)
        -> LearntLimits
    {
        var reading = Reading(file: file)
        reading.subject = subject
        var learnt = LearntLimits()
        if let root = YAMLReader.read(text, &reading) {
            list.read(root, "", &learnt.entries, &reading)
        }
        if reading.count > 0 { throw PolicyError(reading.diagnostics) }
        learnt.take([], now: now)
        return learnt
    }
}
