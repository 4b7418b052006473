// Bodies as clients send them that compress.

import Bytes
import Testing

@testable import Telemetry

/// The bytes of `text` in the gzip format.
func gzipped(_ text: String) throws -> [UInt8] {
    var buffer = ByteBuffer()
    let bytes = Array(text.utf8)
    try #require(Gzip.compress(bytes.span, into: &buffer))
    return (0..<buffer.count).map { buffer.bytes[$0] }
}
