// Chunked bodies: how the bytes arrive changes nothing, and content that was decoded and framed
// again is the same content.

import Bytes
import FuzzSupport

@testable import HTTP1

/// A decoder with its trailers, dressed as a parser.
private struct BodyParser: ~Copyable, MessageParser {
    private let limits: HeadLimits
    private var decoder = ChunkedDecoder()
    private var section = FieldSection()

    init(limits: HeadLimits) {
        self.limits = limits
        decoder.reset()
    }

    mutating func next(
        in bytes: Span<UInt8>, contentAtMost most: Int
    ) throws(ParseError) -> ParserEvent {
        try decoder.next(in: bytes, atMost: most, limits: limits, trailers: &section)
    }

    var headBytes: [UInt8] { [] }
    var trailerBytes: [UInt8] { section.bytes }

    /// The trailers as the gateway writes them.
    func appendEnd(to buffer: inout ByteBuffer) { buffer.appendLastChunk(trailers: section) }
}

/// What libFuzzer calls with each input.
@_cdecl("LLVMFuzzerTestOneInput")
func fuzzOne(_ bytes: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    check(unsafe copied(bytes, count))
    return 0
}

private func check(_ bytes: [UInt8]) {
    var input = FuzzInput(bytes)
    let limits =
        input.byte() & 3 == 0
        ? HeadLimits(maxHeadBytes: 100, maxFields: 3) : HeadLimits(maxFields: 100)
    var pieces = Pieces(seed: input.byte())
    let message = Array(input.rest)
    var decoder = BodyParser(limits: limits)
    let whole = MessageRecord.of(&decoder, message) { max(1, message.count) }
    var other = BodyParser(limits: limits)
    let split = MessageRecord.of(&other, message) { pieces.next() }
    require(whole.agrees(with: split), "arrival matters: \(whole) \(split)")
    require(whole.body.count <= message.count, "more content than bytes")
    guard whole.isComplete else { return }
    var written = ByteBuffer()
    written.appendChunk(whole.body.span)
    decoder.appendEnd(to: &written)
    let bytes = written.bytes
    let again = bytes.indices.map { bytes[$0] }
    var third = BodyParser(limits: HeadLimits(maxHeadBytes: 1 << 20, maxFields: 200))
    let record = MessageRecord.of(&third, again) { again.count }
    require(record.isComplete && record.consumed == again.count, "written chunks are refused")
    require(record.body == whole.body, "written chunks have other content")
}
