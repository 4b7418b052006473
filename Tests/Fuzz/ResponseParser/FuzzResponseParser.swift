// Answers: how the bytes arrive changes nothing, bodies are as long as they say, and the end of the
// input completes only what may end there.

import FuzzSupport
import HTTP1

private func checkFraming(_ head: borrowing ResponseHead, method: Method, _ record: MessageRecord) {
    require(
        (200...599).contains(head.status) || record.heads.count > 1 || !record.isComplete,
        "an interim answer is an answer")
    if method == .head || head.status == 204 || head.status == 304 {
        require(head.framing == .none || head.isInformational, "a body where there is none")
    }
    if case .length(let length) = head.framing, record.isComplete {
        require(record.body.count == length, "a body of the wrong length")
    }
    if head.framing == .untilClose { require(!head.keepAlive, "kept though it runs until close") }
}

/// What libFuzzer calls with each input.
@_cdecl("LLVMFuzzerTestOneInput")
func fuzzOne(_ bytes: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    check(unsafe copied(bytes, count))
    return 0
}

private func check(_ bytes: [UInt8]) {
    var input = FuzzInput(bytes)
    let methods = Method.allCases
    let method = methods[Int(input.byte()) % methods.count]
    let limits =
        input.byte() & 3 == 0
        ? HeadLimits(maxHeadBytes: 200, maxFields: 5) : HeadLimits(maxFields: 100)
    var pieces = Pieces(seed: input.byte())
    let message = Array(input.rest)
    var parser = ResponseParser(limits: limits)
    parser.begin(requestMethod: method)
    let whole = MessageRecord.of(&parser, message) { max(1, message.count) }
    if whole.error == nil && !whole.heads.isEmpty {
        checkFraming(parser.head, method: method, whole)
    }
    var other = ResponseParser(limits: limits)
    other.begin(requestMethod: method)
    let split = MessageRecord.of(&other, message) { pieces.next() }
    require(whole.agrees(with: split), "arrival matters: \(whole) \(split)")
    guard whole.error == nil, !whole.isComplete else { return }
    let ends =
        parser.head.framing == .untilClose && !whole.heads.isEmpty
        && !parser.head.isInformational
    do throws(ParseError) {
        let event = try parser.endOfInput()
        require(event == .end(consumed: 0) && ends, "a truncated answer is complete")
    } catch {
        require(error == .truncated && !ends, "the end of an answer is an error: \(error)")
    }
}
