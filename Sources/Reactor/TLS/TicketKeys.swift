// The keys that session tickets are closed and opened with (RFC 5077 section 4). They belong to a listener and outlive its
// certificates, so that clients come back quickly after these were replaced; and they are replaced themselves, so that
// who gets hold of one reads little.

internal import Admission
internal import CShims

/// The keys of one listener's tickets: one that closes them, and two before it that still open theirs.
package final class TicketKeys: Sendable {
    private struct State {
        /// The newest first.
        var keys: [[UInt8]] = []
        /// When the newest was made.
        var madeAt = Instant(nanoseconds: .min / 2)
    }

    private let state = Lock(State())

    /// How many keys open tickets.
    private static let mostKeys = 3

    /// No keys yet: the first is made when it is wanted.
    package init() {}

    /// The key that closes tickets at `now`, a new one where the newest is as old as `rotation`; nil where chance cannot be
    /// had.
    func current(rotation nanoseconds: Int64, now: Instant) -> [UInt8]? {
        state.withLock { state in
            if let newest = state.keys.first,
                now.nanoseconds(since: state.madeAt) < nanoseconds
            {
                return newest
            }
            guard let key = TicketKeys.random() else { return state.keys.first }
            // Keys that were not replaced in time, because nobody came, are as old as they are.
            let missed = state.keys.isEmpty ? 0 : now.nanoseconds(since: state.madeAt) / nanoseconds
            let kept = max(0, TicketKeys.mostKeys - Int(clamping: max(1, missed)))
            state.keys = [key] + state.keys.prefix(kept)
            state.madeAt = now
            return key
        }
    }

    /// The key of that name, and whether it is the newest; nil where there is none any more.
    func key(named name: [UInt8]) -> (key: [UInt8], isNewest: Bool)? {
        state.withLock { state in
            state.keys.firstIndex { $0.starts(with: name) }.map { (state.keys[$0], $0 == 0) }
        }
    }

    /// All keys, the newest first, and when that was made.
    var all: (keys: [[UInt8]], madeAt: Instant) { state.withLock { ($0.keys, $0.madeAt) } }

    /// Takes over keys of another process, unless there are some already; whether they are keys.
    func adopt(_ keys: [[UInt8]], madeAt: Instant) -> Bool {
        guard (1...TicketKeys.mostKeys).contains(keys.count),
            keys.allSatisfy({ $0.count == Int(PENSTOCK_TLS_TICKET_KEY) })
        else { return false }
        return state.withLock { state in
            guard state.keys.isEmpty else { return true }
            state.keys = keys
            state.madeAt = madeAt
            return true
        }
    }

    private static func random() -> [UInt8]? {
        var bytes = [UInt8](repeating: 0, count: Int(PENSTOCK_TLS_TICKET_KEY))
        // As many bytes as there are.
        let isDone = unsafe bytes.withUnsafeMutableBytes { storage in
            unsafe RAND_priv_bytes(storage.baseAddress, Int32(storage.count)) == 1
        }
        return isDone ? bytes : nil
    }
}
