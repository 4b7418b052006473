// Compression, checked by the gunzip that everybody has, and its negotiation.

import Bytes
import Foundation
import Gateway
import HTTP1
import Testing

@testable import Telemetry

@Suite struct ObservabilityGzipTests {
    private func bytes(count: Int, seed: UInt64) -> [UInt8] {
        var state = seed
        return (0..<count).map { _ in
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return UInt8(truncatingIfNeeded: state >> 56)
        }
    }

    @Test(arguments: [0, 1, 1_000, 65_536, 300_000], [Int32(1), 3, 9])
    func whatIsCompressedComesBack(count: Int, level: Int32) throws {
        let source = bytes(count: count, seed: UInt64(count) + 1)
        var buffer = ByteBuffer()
        buffer.append(text: "before")
        #expect(Gzip.compress(source.span, level: level, into: &buffer))
        let prefix = Array(buffer.array.prefix(6))
        #expect(prefix == Array("before".utf8))
        let (output, status) = try run(
            "/bin/gzip", ["-dc"], input: Array(buffer.array.dropFirst(6)))
        #expect(status == 0)
        #expect(output == source)
    }

    @Test func metricsShrink() throws {
        var plain = ByteBuffer()
        PrometheusRenderer.render(
            sampleSnapshot(), process: sampleProcess(), format: .text, into: &plain)
        var packed = ByteBuffer()
        #expect(Gzip.compress(plain.bytes, into: &packed))
        #expect(packed.count * 4 < plain.count)
        let (output, status) = try run("/bin/gzip", ["-dc"], input: packed.array)
        #expect(status == 0)
        #expect(output == plain.array)
    }

    @Test(arguments: [
        ("", false), ("gzip", true), ("GZIP", true), ("x-gzip", true), ("deflate, gzip", true),
        ("gzip;q=0", false), ("gzip; q=0.000", false), ("gzip;q=0.001", true), ("*", true),
        ("*;q=0", false), ("*, gzip;q=0", false), ("gzip;q=0, *", false), ("identity", false),
        ("gzip;q=0.5, identity", false), ("gzip, identity;q=0.5", true), ("br", false),
        ("gzip;q=zero", false), ("gzip ; q=1", true), ("gzipped", false), ("gzip;q=", false),
        ("gzip;q=2", false), ("gzip;q=0.0001", false), ("gzip;q=1.", true),
    ])
    func negotiation(value: String, wantsGzip: Bool) {
        var accept = AcceptEncoding()
        accept.consider(value.utf8.span)
        #expect(accept.wantsGzip == wantsGzip)
    }

    @Test func severalFieldsAreOneList() {
        var accept = AcceptEncoding()
        accept.consider("br".utf8.span)
        accept.consider("gzip".utf8.span)
        #expect(accept.wantsGzip)
    }
}
