// Backends that have left a pool and have nothing in flight any more, for as long as they may come back: what was
// learnt of them is of use then, and costs a minute or two to learn anew.

/// Rows of backends that have left, oldest first.
struct DepartedBackends: Sendable {
    /// Rows that are kept at most, each some kilobytes; the oldest gives way.
    static let most = 256
    /// How long a row is kept.
    static let keptNanoseconds: Int64 = 600_000_000_000

    private var rows: [Backend] = []

    /// Rows that are kept.
    var count: Int { rows.count }

    /// Keeps the row of a backend that has left, unless that was too long ago.
    mutating func keep(_ row: Backend, now: Instant) {
        guard row.isRemembered(now: now) else { return }
        rows.removeAll { $0.key == row.key || !$0.isRemembered(now: now) }
        if rows.count >= DepartedBackends.most { rows.removeFirst() }
        rows.append(row)
    }

    /// Takes out the row of the backend that is called `key`; nil where none is kept.
    mutating func take(_ key: String, now: Instant) -> Backend? {
        guard let index = rows.firstIndex(where: { $0.key == key }) else { return nil }
        let row = rows.remove(at: index)
        return row.isRemembered(now: now) ? row : nil
    }
}

extension Backend {
    /// Whether what was learnt of a backend that has left is still worth something.
    func isRemembered(now: Instant) -> Bool {
        guard let leftAt else { return false }
        return now.nanoseconds(since: leftAt) <= DepartedBackends.keptNanoseconds
    }

    /// The backend has left: it gets nothing new.
    mutating func leave(now: Instant) {
        isPresent = false
        leftAt = now
    }

    /// The backend is back, as the one that it was: its limit is measured from here on, and that it refused
    /// connections before it left says nothing any more.
    mutating func comeBack(now: Instant) {
        isPresent = true
        leftAt = nil
        isUnready = false
        _ = signals.note(.said(BackendSignal(), by: .discovery), now: now)
        ejection.forget()
        limiter.resume(now: now)
    }
}
