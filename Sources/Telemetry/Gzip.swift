// gzip by zlib, for responses of the admin listener: the whole input is there, so one call does it.
//
// The uses of `unsafe` here rest on three things. The stream is a local that zlib keeps no pointer
// to after `deflateEnd`. Input and output pointers come from `with…BufferPointer` and are used
// within its closure only. And `next`/`avail` are set together from one buffer, so that zlib stays
// within it.

package import Bytes
import CShims

/// Compresses bytes into the gzip format (RFC 1952).
package enum Gzip {
    /// Appends `source`, compressed, to `buffer`; `false` when zlib has no memory, with `buffer` as
    /// it was.
    ///
    /// `level` is 1 (fast)...9 (small). At most 4 GiB - 1 bytes of input.
    package static func compress(
        _ source: Span<UInt8>, level: Int32 = 3, into buffer: inout ByteBuffer
    ) -> Bool {
        precondition((1...9).contains(level), "a level that zlib does not have")
        guard source.count < Int(UInt32.max) else { return false }
        var stream = unsafe z_stream()
        guard unsafe penstock_deflate_init_gzip(&stream, level) == Z_OK else { return false }
        defer { unsafe deflateEnd(&stream) }

        // zlib promises that its bound is enough for one call with Z_FINISH.
        let bound = unsafe Int(deflateBound(&stream, UInt(source.count)))
        buffer.reserve(bound)
        var result = Z_STREAM_ERROR
        buffer.withFreeStorage(atMost: bound) { bytes, range in
            let written = unsafe source.withUnsafeBufferPointer { input in
                unsafe bytes.withUnsafeMutableBufferPointer { output in
                    // zlib does not write to its input; the header lacks a `const` from before C
                    // had it.
                    unsafe stream.next_in = UnsafeMutablePointer(mutating: input.baseAddress)
                    unsafe stream.avail_in = UInt32(input.count)
                    unsafe stream.next_out = output.baseAddress?.advanced(by: range.lowerBound)
                    unsafe stream.avail_out = UInt32(clamping: range.count)
                    result = unsafe deflate(&stream, Z_FINISH)
                    return unsafe Int(stream.total_out)
                }
            }
            return result == Z_STREAM_END ? written : 0
        }
        return result == Z_STREAM_END
    }
}
