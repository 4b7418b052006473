// What holds for any input: how the bytes arrive changes nothing, nothing traps, and messages
// behind one another are told apart. Inputs are the corpus and random damage to it.

import Bytes
import HTTP1
import Testing

@Suite struct PropertyTests {
    @Test(arguments: 1...8) func arrivalChangesNothing(seed: UInt64) throws {
        var random = SplitMix(seed: seed)
        for one in try CorpusTests.requests.get() + CorpusTests.responses.get() {
            let isRequest = one.file.hasPrefix("request")
            for round in 0..<4 {
                let input = round == 0 ? one.input : damaged(one.input, &random)
                let whole = transcript(of: one, input, isRequest) { input.count }
                let split = transcript(of: one, input, isRequest) {
                    1 + random.below(random.below(4) == 0 ? 80 : 9)
                }
                #expect(whole.lines == split.lines, "seed \(seed), \(one): \(escaped(input))")
                if whole.lines.last == "end" {
                    #expect(whole.consumed == split.consumed, "seed \(seed), \(one)")
                }
            }
        }
    }

    @Test(arguments: 1...8) func pipelinedRequestsAreToldApart(seed: UInt64) throws {
        var random = SplitMix(seed: seed)
        let accepted = try CorpusTests.requests.get().filter {
            $0.expected.last == "end" && $0.limits == HeadLimits()
        }
        let chosen = (0..<40).compactMap { _ in accepted.randomElement(using: &random) }
        var input = chosen.flatMap(\.input)
        var parser = RequestParser(limits: HeadLimits())
        for one in chosen {
            let transcript = Transcript.of(&parser, input) { 1 + random.below(200) }
            #expect(transcript.lines == one.expected, "seed \(seed), \(one)")
            #expect(transcript.consumed == one.input.count, "seed \(seed), \(one)")
            input.removeFirst(min(one.input.count, input.count))
            parser.reset()
        }
    }

    @Test func headsSurviveBeingWrittenAgain() throws {
        for one in try CorpusTests.requests.get()
        where one.expected.first?.hasPrefix("head") == true {
            var parser = RequestParser(limits: one.limits)
            guard case .head = try parser.next(in: one.input.span) else {
                Issue.record("\(one): no head")
                continue
            }
            if parser.head.version == .http10 { continue }
            var written = ByteBuffer()
            written.appendRequestLine(
                method: parser.head.span(parser.head.methodRange),
                target: parser.head.span(parser.head.target))
            for field in parser.head.fields {
                written.appendField(
                    name: parser.head.name(of: field), value: parser.head.value(of: field))
            }
            written.appendLineEnd()
            var again = RequestParser(limits: HeadLimits())
            let event = try again.next(in: written.bytes)
            #expect(event == .head(consumed: written.count), "\(one)")
            #expect(
                again.headLines(of: contents(of: written))
                    == parser.headLines(of: parser.head.bytes))
        }
    }

    private func transcript(
        of one: CorpusCase, _ input: [UInt8], _ isRequest: Bool, piece: Transcript.Piece
    ) -> Transcript {
        if isRequest {
            var parser = RequestParser(limits: one.limits)
            return Transcript.of(&parser, input, piece: piece)
        }
        var parser = ResponseParser(limits: one.limits)
        parser.begin(requestMethod: one.method, mayBecomeWebSocket: one.mayBecomeWebSocket)
        return Transcript.of(&parser, input, closes: one.closes, piece: piece)
    }

    /// `input` with one to three bytes replaced, inserted, removed or doubled.
    private func damaged(_ input: [UInt8], _ random: inout SplitMix) -> [UInt8] {
        let interesting =
            Array("\r\n\t :;,=\"\\0123456789abcdefxX/*#?@[]HTTP\0".utf8) + [0x7f, 0x80, 0xff]
        var bytes = input
        for _ in 0...random.below(3) {
            let place = random.below(bytes.count + 1)
            let byte =
                random.below(4) == 0
                ? UInt8(random.below(256)) : interesting[random.below(interesting.count)]
            switch random.below(4) {
            case 0: bytes.insert(byte, at: place)
            case 1 where place < bytes.count: bytes.remove(at: place)
            case 2 where place < bytes.count: bytes.insert(bytes[place], at: place)
            default:
                if place < bytes.count { bytes[place] = byte }
            }
        }
        return bytes
    }
}

/// The readable bytes of `buffer`.
func contents(of buffer: borrowing ByteBuffer) -> [UInt8] {
    let bytes = buffer.bytes
    return bytes.indices.map { bytes[$0] }
}
