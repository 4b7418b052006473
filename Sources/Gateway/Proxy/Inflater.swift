// gunzip by zlib, a piece at a time, for bodies that have to be read to be routed; what is forwarded
// are the bytes as they came.
//
// The uses of `unsafe` here rest on three things. The stream is allocated, and so never moves, which
// zlib's own pointer back to it needs. Input and output pointers come from `with…BufferPointer` and
// are used within its closure only. And `next`/`avail` are set together from one buffer, so that
// zlib stays within it.

internal import CShims
internal import Inference

/// Expands one body of the gzip format: one member or several, one behind the other (RFC 1952 section
/// 2.2).
@safe final class Inflater {
    private let stream: UnsafeMutablePointer<z_stream>
    /// What the last step expanded.
    private(set) var output = [UInt8](repeating: 0, count: 16 * 1024)
    /// Bytes that were expanded, and what from.
    private(set) var expandedBytes = 0
    private(set) var readBytes = 0
    /// Whether a member has ended, and none was begun since.
    private var hasEnded = false

    /// What a body may expand to, beside 32 times its own size: a bomb costs little time.
    private static let freeBytes = 4 << 20
    private static let ratio = 32

    /// What `count` bytes expand to at most: DEFLATE makes 1,032 bytes of one and not more (zlib, "zlib
    /// Technical Details", "Maximum Compression Factor").
    static func mostExpanded(from count: Int) -> Int {
        1_032 * min(max(0, count), .max >> 12)
    }

    /// Begins; nil when zlib has no memory.
    init?() {
        unsafe stream = .allocate(capacity: 1)
        unsafe stream.initialize(to: z_stream())
        guard unsafe penstock_inflate_init_gzip(stream) == Z_OK else {
            unsafe stream.deallocate()
            return nil
        }
    }

    deinit {
        unsafe inflateEnd(stream)
        unsafe stream.deallocate()
    }

    /// Expands what fits into `output` from `source` at `index` on; answers how many bytes that are,
    /// which may be 0 also before the source is used up.
    func step(_ source: Span<UInt8>, at index: inout Int) throws(BodyFault) -> Int {
        if hasEnded {
            if index == source.count { return 0 }
            guard unsafe inflateReset(stream) == Z_OK else { throw .notGzip }
            hasEnded = false
        }
        let start = index
        var result = Z_OK
        var left: UInt32 = 0
        let room = output.count
        unsafe source.extracting(start...).withUnsafeBufferPointer { input in
            unsafe output.withUnsafeMutableBufferPointer { output in
                // zlib does not write to its input; the header lacks a `const` from before C had
                // it.
                unsafe stream.pointee.next_in = UnsafeMutablePointer(mutating: input.baseAddress)
                unsafe stream.pointee.avail_in = UInt32(clamping: input.count)
                unsafe stream.pointee.next_out = output.baseAddress
                unsafe stream.pointee.avail_out = UInt32(clamping: room)
                result = unsafe inflate(stream, Z_NO_FLUSH)
                left = unsafe stream.pointee.avail_in
                unsafe expandedBytes += room - Int(stream.pointee.avail_out)
            }
        }
        index = source.count - Int(left)
        readBytes += index - start
        let written = expandedBytes - total
        total = expandedBytes
        if result == Z_STREAM_END {
            hasEnded = true
        } else if result != Z_OK && !(result == Z_BUF_ERROR && written == 0) {
            throw .notGzip
        }
        if expandedBytes > Inflater.freeBytes + Inflater.ratio * readBytes { throw .expandsTooMuch }
        return written
    }

    private var total = 0

    /// Notes that the body has ended.
    func finish() throws(BodyFault) {
        guard hasEnded else { throw .truncated }
    }
}
