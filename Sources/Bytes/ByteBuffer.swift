// A growable run of bytes with a reading and a writing end: what a connection has received and not
// yet used, or has to send and not yet sent. It holds no storage while it is empty and has been
// told to give it up, so that an idle connection costs no buffer.
//
// It is public, as little is, because only then other modules have inlined what is a move or two:
// where it stands, what it holds, and its changing places with another one.

/// Bytes in order, appended at the end and dropped from the front.
@frozen public struct ByteBuffer: ~Copyable {
    // Only files of ByteBuffer touch these, here and in HTTP1.
    /// Where the bytes are, with room before and behind them.
    @usableFromInline package var storage: [UInt8] = []
    /// Index of the first readable byte.
    @usableFromInline package var start = 0
    /// Index behind the last readable byte.
    @usableFromInline package var end = 0

    /// Makes an empty buffer that owns no storage.
    @inlinable public init() {}

    /// Bytes that can be read.
    @inlinable public var count: Int { end &- start }

    /// Whether there is nothing to read.
    @inlinable public var isEmpty: Bool { end == start }

    /// Bytes of storage held, in use or not.
    @inlinable public var capacity: Int { storage.count }

    /// Bytes that can be appended without moving or growing.
    @inlinable public var freeCount: Int { storage.count &- end }

    /// The readable bytes.
    public var bytes: Span<UInt8> {
        @_lifetime(borrow self)
        @inlinable @inline(__always) get { storage.span.extracting(start..<end) }
    }

    /// Takes `storage` as this buffer's own; the buffer must hold no storage and its bytes are
    /// scratch.
    @inlinable public mutating func takeStorage(_ storage: consuming [UInt8]) {
        precondition(self.storage.isEmpty, "adopting storage would drop bytes")
        self.storage = storage
    }

    /// Gives the storage away for reuse and becomes empty.
    @inlinable public mutating func giveStorage() -> [UInt8] {
        start = 0
        end = 0
        var given: [UInt8] = []
        swap(&given, &storage)
        return given
    }

    /// Takes all readable bytes of `source`, whose storage it exchanges for its own: nothing is
    /// copied.
    ///
    /// This buffer must be empty.
    @inlinable public mutating func takeAll(of source: inout ByteBuffer) {
        precondition(isEmpty, "taking over bytes would drop those that are there")
        swap(&self, &source)
    }

    /// Drops the first `count` readable bytes.
    @inlinable public mutating func drop(_ count: Int) {
        precondition(count >= 0 && count <= self.count, "dropping more bytes than there are")
        start &+= count
        if start == end {
            start = 0
            end = 0
        }
    }

    /// Drops all readable bytes and keeps the storage.
    @inlinable public mutating func removeAll() {
        start = 0
        end = 0
    }

    /// Makes room for `count` more bytes at the end: by moving the readable bytes, or by growing.
    @inlinable public mutating func reserve(_ count: Int) {
        if storage.count &- end < count { makeRoom(count) }
    }

    @inline(never)
    @usableFromInline
    mutating func makeRoom(_ count: Int) {
        precondition(count >= 0, "room for a negative number of bytes")
        let from = start
        let readable = end &- start
        if storage.count &- readable >= count {
            var bytes = storage.mutableSpan
            for index in 0..<readable { bytes[index] = bytes[from &+ index] }
        } else {
            var size = max(512, storage.count)
            while size &- readable < count { size &*= 2 }
            var grown = [UInt8](repeating: 0, count: size)
            var bytes = grown.mutableSpan
            bytes.write(storage.span.extracting(from..<(from &+ readable)), at: 0)
            storage = grown
        }
        start = 0
        end = readable
    }

    /// Appends the bytes of `source`.
    @usableFromInline package mutating func append(_ source: Span<UInt8>) {
        let count = source.count
        if count == 0 { return }
        reserve(count)
        let base = end
        var bytes = storage.mutableSpan
        bytes.write(source, at: base)
        end = base &+ count
    }

    /// Appends the bytes in `range` of the readable bytes of `source`.
    package mutating func append(_ range: Range<Int>, of source: borrowing ByteBuffer) {
        append(source.bytes.extracting(range))
    }

    /// Appends the UTF-8 bytes of `text`: a literal, as a rule.
    package mutating func append(_ text: String) {
        append(text.utf8.span)
    }

    /// Appends one byte.
    package mutating func append(_ byte: UInt8) {
        reserve(1)
        storage[end] = byte
        end &+= 1
    }

    /// Appends two bytes.
    package mutating func append(_ first: UInt8, _ second: UInt8) {
        reserve(2)
        let base = end
        var bytes = storage.mutableSpan
        bytes[base] = first
        bytes[base &+ 1] = second
        end = base &+ 2
    }

    /// Appends `value`, 0 or more, in decimal digits.
    @usableFromInline package mutating func append(decimal value: Int) {
        reserve(20)
        var offset = end
        var bytes = storage.mutableSpan
        bytes.write(decimal: value, before: &offset)
        end = offset
    }

    /// Appends `value`, 0 or more, in lower-case hexadecimal digits.
    package mutating func append(hexadecimal value: Int) {
        reserve(16)
        var offset = end
        var bytes = storage.mutableSpan
        bytes.write(hexadecimal: value, before: &offset)
        end = offset
    }

    /// Calls `fill` with the storage: it may write into the given free range at its end and
    /// returns how many bytes it wrote there, from the range's beginning.
    ///
    /// The caller reserves first; the range is at most `limit` long and never touches readable
    /// bytes.
    @inlinable public mutating func withFreeStorage<Failure: Error>(
        atMost limit: Int, _ fill: (inout MutableSpan<UInt8>, Range<Int>) throws(Failure) -> Int
    ) throws(Failure) {
        let base = end
        let room = min(limit, storage.count &- base)
        var bytes = storage.mutableSpan
        let written = try fill(&bytes, base..<(base &+ room))
        precondition(written >= 0 && written <= room, "more bytes written than there was room for")
        end = base &+ written
    }
}
