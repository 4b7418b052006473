// Requests: how the bytes arrive changes nothing, what was accepted is framed in one way only, and
// what the gateway would write of it is read back as the same.

import Bytes
import FuzzSupport
import HTTP1

/// Bytes that a strict reader never accepts in a head.
private func checkHead(_ bytes: [UInt8]) {
    for (index, byte) in bytes.enumerated() {
        if byte == 0x0a { require(index > 0 && bytes[index - 1] == 0x0d, "a bare line feed") }
        if byte == 0x0d { require(bytes[index + 1] == 0x0a, "a bare carriage return") }
        require(byte >= 0x20 || [0x09, 0x0a, 0x0d].contains(byte), "a control byte in a head")
        require(byte != 0x7f, "DEL in a head")
    }
}

/// Reads a head the simplest way and compares what decides about framing.
private func checkFraming(_ head: borrowing RequestHead) {
    let text = String(decoding: head.bytes, as: UTF8.self).lowercased()
    let lines = text.split(separator: "\r\n", omittingEmptySubsequences: true).dropFirst()
    let lengths = lines.filter { $0.hasPrefix("content-length:") }
    let codings = lines.filter { $0.hasPrefix("transfer-encoding:") }
    let hosts = lines.filter { $0.hasPrefix("host:") }
    require(lengths.count + codings.count <= 1, "two framing fields were accepted")
    require(hosts.count == 1 || (hosts.isEmpty && head.version == .http10), "Host fields")
    switch head.framing {
    case .none: require(lengths.isEmpty && codings.isEmpty, "framing was overlooked")
    case .length: require(lengths.count == 1, "a length out of nowhere")
    case .chunked: require(codings.count == 1, "chunks out of nowhere")
    case .untilClose: require(false, "a request that runs until close")
    }
}

/// Writes the head as the gateway does and reads it again.
private func checkRewriting(_ head: borrowing RequestHead) {
    var written = ByteBuffer()
    written.appendRequestLine(
        method: head.span(head.methodRange), target: head.span(head.target))
    for field in head.fields {
        written.appendField(name: head.name(of: field), value: head.value(of: field))
    }
    written.appendLineEnd()
    var again = RequestParser(limits: HeadLimits(maxHeadBytes: 1 << 20, maxFields: 200))
    do throws(ParseError) {
        let event = try again.next(in: written.bytes)
        require(event == .head(consumed: written.count), "a written head has another length")
        require(again.head.framing == head.framing, "a written head has another framing")
        require(again.head.fields.count == head.fields.count, "a field was lost")
    } catch {
        require(head.version == .http10, "a written head is refused: \(error)")
    }
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
        ? HeadLimits(maxHeadBytes: 200, maxFields: 5) : HeadLimits(maxFields: 100)
    var pieces = Pieces(seed: input.byte())
    let message = Array(input.rest)
    var parser = RequestParser(limits: limits)
    let whole = MessageRecord.of(&parser, message) { max(1, message.count) }
    if !whole.heads.isEmpty {
        checkHead(parser.head.bytes)
        checkFraming(parser.head)
        checkRewriting(parser.head)
    }
    var other = RequestParser(limits: limits)
    let split = MessageRecord.of(&other, message) { pieces.next() }
    require(whole.agrees(with: split), "arrival matters: \(whole) \(split)")
    if case .length(let length) = parser.head.framing, whole.isComplete {
        require(whole.body.count == length, "a body of the wrong length")
    }
    // The parser that is reset reads the next message as a fresh one would.
    if whole.isComplete {
        let rest = Array(message[whole.consumed...])
        parser.reset()
        let next = MessageRecord.of(&parser, rest) { max(1, rest.count) }
        var fresh = RequestParser(limits: limits)
        require(
            next == MessageRecord.of(&fresh, rest) { max(1, rest.count) }, "reset is no reset")
    }
}
