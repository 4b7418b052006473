// What backends say of themselves in the heads and trailers of their responses: `Penstock-Signal`, a dictionary of structured
// fields (RFC 9651 section 3.2), and Envoy's `x-envoy-degraded`. It comes from servers that may be broken: what
// cannot be read is ignored as a whole, and has a bound.

internal import Admission
internal import Bytes
internal import HTTP1

/// Reads what a response says of its backend.
enum SignalField {
    /// What came of it.
    enum Reading: Equatable {
        /// Nothing is said.
        case absent
        /// That is said.
        case said(BackendSignal)
        /// Something is said that cannot be read.
        case unreadable
    }

    /// Fields that it looks at, which clients do not get.
    static let names: [FieldName] = [.penstockSignal, .xEnvoyDegraded]

    /// Bytes of `Penstock-Signal` that are read; a longer one cannot be read.
    static let mostBytes = 1024
    /// For how long something counts that does not say so, in seconds.
    static let usualSeconds = 10.0
    /// What is left of a backend that says that it is degraded.
    ///
    /// Envoy sends nothing to such a host while the others suffice. Here it gets half of what it would get, so
    /// that others are preferred and the pool loses little where all are degraded.
    static let degradedShare = 0.5

    /// What `head` says, received at `now`.
    static func read(_ head: borrowing ResponseHead, now: Instant) -> Reading {
        var lines = SignalLines()
        for field in head.fields where field.known.isSignal {
            lines.take(field.known, head.value(of: field))
        }
        return lines.reading(now: now)
    }

    /// What a trailer section says, received at `now`.
    static func read(_ trailers: borrowing FieldSection, now: Instant) -> Reading {
        var lines = SignalLines()
        for field in trailers.ownFields where field.known.isSignal {
            lines.take(field.known, trailers.value(of: field))
        }
        return lines.reading(now: now)
    }
}

extension FieldName {
    fileprivate var isSignal: Bool { self == .penstockSignal || self == .xEnvoyDegraded }
}

/// The lines of one head or trailer section.
private struct SignalLines {
    private var said = SaidSignal()
    private var isSaid = false
    private var isDegraded = false
    private var isUnreadable = false
    private var bytes = 0

    mutating func take(_ name: FieldName, _ value: Span<UInt8>) {
        if name == .xEnvoyDegraded {
            isDegraded = true
            return
        }
        // Several lines are one dictionary.
        bytes += value.count
        if bytes > SignalField.mostBytes || !said.read(value) { isUnreadable = true }
        isSaid = isSaid || !value.isEmpty
    }

    func reading(now: Instant) -> SignalField.Reading {
        if isUnreadable { return .unreadable }
        guard isSaid || isDegraded else { return .absent }
        var signal = said.signal
        if isDegraded { signal.share = min(signal.share, SignalField.degradedShare) }
        let seconds = min(said.seconds ?? SignalField.usualSeconds, 1e6)
        signal.end = now.advanced(byNanoseconds: Int64(seconds * 1e9))
        return .said(signal)
    }
}

/// What lines of `Penstock-Signal` have said so far.
struct SaidSignal {
    /// What is said, without its end.
    var signal = BackendSignal()
    /// For how long; nil where that is not said.
    var seconds: Double?

    /// Takes in a line; false where it is no dictionary, or has one of our keys with a value that is none.
    mutating func read(_ line: Span<UInt8>) -> Bool {
        var reader = StructuredReader()
        reader.skipSpaces(line)
        while reader.index < line.count {
            guard let key = reader.key(line), let value = reader.member(line),
                take(line.extracting(key), value, line)
            else { return false }
            reader.skipWhiteSpace(line)
            if reader.index == line.count { return true }
            guard reader.skip(UInt8(ascii: ","), line) else { return false }
            reader.skipWhiteSpace(line)
            // A comma at the end is an error.
            if reader.index == line.count { return false }
        }
        return true
    }

    private mutating func take(
        _ key: Span<UInt8>, _ value: StructuredReader.Value, _ line: Span<UInt8>
    ) -> Bool {
        if key.equals("state") { return takeState(value, line) }
        if key.equals("limit") {
            guard case .integer(let limit) = value, limit >= 0 else { return false }
            signal.ceiling = limit
        } else if key.equals("share") {
            guard let share = value.number, (0...1).contains(share) else { return false }
            signal.share = share
        } else if key.equals("ttl") {
            guard let ttl = value.number, ttl >= 0 else { return false }
            seconds = ttl
        }
        return true
    }

    private mutating func takeState(
        _ value: StructuredReader.Value, _ line: Span<UInt8>
    ) -> Bool {
        guard case .token(let range) = value else { return false }
        let word = line.extracting(range)
        signal.isDown = false
        signal.order = .ready
        if word.equals("ready") { return true }
        if word.equals("drain") {
            signal.order = .drain
        } else if word.equals("maint") {
            signal.order = .maint
        } else if word.equals("down") {
            signal.isDown = true
        } else {
            return false
        }
        return true
    }
}
