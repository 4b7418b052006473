// Runs a parser over an input in given pieces and writes down what it found:
//
//     head POST origin 1.1 chunked keep-alive continue
//     target path query authority         "-" for what is empty
//     field Name: value                   "hop" instead of "field" for hop-by-hop fields
//     body content                        all pieces joined
//     trailer Name: value
//     end | more | error caseName
//
// An answer's head is `head 200 1.1 length=5 keep-alive reason=OK`. While it runs it checks what
// holds for every event: how much may be consumed, and that a parser repeats its last word.

import HTTP1
import Testing

struct Transcript: Equatable {
    var lines: [String] = []
    /// Bytes consumed by events.
    var consumed = 0
    /// Bytes shown when the parser threw.
    var shownAtError: Int?

    private var body: [UInt8] = []

    /// How many bytes the parser is shown beyond those that are consumed, each time it asks for
    /// more, and how many of content it may give at once.
    typealias Piece = () -> Int

    /// Feeds `input` to `parser` in pieces and stops after the first message, or at its error.
    static func of(
        _ parser: inout some MessageParser & ~Copyable, _ input: [UInt8], closes: Bool = false,
        piece: Piece
    ) -> Transcript {
        var transcript = Transcript()
        var shown = min(input.count, piece())
        do throws(ParseError) {
            while true {
                let bytes = input.span.extracting(transcript.consumed..<shown)
                let most = max(1, piece())
                let event = try parser.next(in: bytes, contentAtMost: most)
                if case .body(_, let content) = event { #expect(content.count <= most) }
                if transcript.note(event, parser: &parser, input: input, shown: shown) { break }
                if case .needMoreData(let consumed) = event {
                    #expect(consumed <= bytes.count)
                    if shown == input.count {
                        if closes { try transcript.close(&parser) } else { transcript.add("more") }
                        break
                    }
                    shown = min(input.count, shown + max(1, piece()))
                }
            }
        } catch {
            transcript.flush()
            transcript.lines.append("error \(error)")
            transcript.shownAtError = shown
            transcript.expectSameError(error, from: &parser)
        }
        return transcript
    }

    /// Notes `event`; whether it was the last.
    private mutating func note(
        _ event: ParserEvent, parser: inout some MessageParser & ~Copyable, input: [UInt8],
        shown: Int
    ) -> Bool {
        switch event {
        case .needMoreData(let count):
            consumed += count
        case .head(let count):
            flush()
            #expect(consumed + count <= shown)
            lines += parser.headLines(of: Array(input[consumed..<(consumed + count)]))
            consumed += count
        case .body(let count, let content):
            #expect(content.lowerBound >= 0 && content.upperBound <= count && !content.isEmpty)
            #expect(consumed + count <= shown)
            body += input[(consumed + content.lowerBound)..<(consumed + content.upperBound)]
            consumed += count
        case .end(let count):
            #expect(consumed + count <= shown)
            consumed += count
            end(&parser)
            return true
        }
        return false
    }

    private mutating func close(
        _ parser: inout some MessageParser & ~Copyable
    ) throws(ParseError) {
        let event = try parser.endOfInput()
        #expect(event == .end(consumed: 0))
        end(&parser)
    }

    private mutating func end(_ parser: inout some MessageParser & ~Copyable) {
        flush()
        lines += parser.trailerLines()
        lines.append("end")
        let again = try? parser.next(in: [0x20].span, contentAtMost: 1)
        #expect(again == .end(consumed: 0), "a message that has ended does not end again")
    }

    private mutating func add(_ line: String) {
        flush()
        lines.append(line)
    }

    private mutating func flush() {
        if !body.isEmpty { lines.append("body " + escaped(body)) }
        body = []
    }

    private func expectSameError(
        _ error: ParseError, from parser: inout some MessageParser & ~Copyable
    ) {
        #expect(throws: error) { try parser.next(in: [0x20].span, contentAtMost: 1) }
    }
}

/// What the two parsers have in common.
protocol MessageParser: ~Copyable {
    mutating func next(
        in bytes: Span<UInt8>, contentAtMost most: Int
    ) throws(ParseError) -> ParserEvent
    mutating func endOfInput() throws(ParseError) -> ParserEvent
    /// The current head, written down; `received` is what it was parsed from.
    func headLines(of received: [UInt8]) -> [String]
    func trailerLines() -> [String]
}

extension RequestParser: MessageParser {
    mutating func endOfInput() throws(ParseError) -> ParserEvent { throw .truncated }

    func headLines(of received: [UInt8]) -> [String] {
        let bytes = head.bytes
        #expect(bytes == received)
        var words = ["head", text(head.methodRange), "\(head.form)"]
        words.append(head.version == .http11 ? "1.1" : "1.0")
        words.append(framingWord(head.framing))
        if head.keepAlive { words.append("keep-alive") }
        if head.expectsContinue { words.append("continue") }
        if head.asksForWebSocket { words.append("websocket") }
        let known = Method.allCases.first { $0.spelling == words[1] } ?? .other
        let method = head.method
        #expect(method == known)
        let parts = [text(head.path), text(head.query), text(head.authority ?? 0..<0)]
        let target = parts.map { $0.isEmpty ? "-" : $0 }.joined(separator: " ")
        return [words.joined(separator: " "), "target " + target]
            + fieldLines(head.fields, of: head.bytes, "field")
    }

    func trailerLines() -> [String] {
        fieldLines(trailers.fields, of: trailers.bytes, "trailer")
    }

    private func text(_ range: Range<Int>) -> String { escaped(head.bytes[range]) }
}

extension ResponseParser: MessageParser {
    func headLines(of received: [UInt8]) -> [String] {
        let bytes = head.bytes
        #expect(bytes == received)
        var words = ["head", "\(head.status)", head.version == .http11 ? "1.1" : "1.0"]
        words.append(framingWord(head.framing))
        if head.keepAlive { words.append("keep-alive") }
        words.append("reason=" + escaped(head.bytes[head.reasonPhrase]))
        return [words.joined(separator: " ")] + fieldLines(head.fields, of: head.bytes, "field")
    }

    func trailerLines() -> [String] {
        fieldLines(trailers.fields, of: trailers.bytes, "trailer")
    }
}

private func framingWord(_ framing: BodyFraming) -> String {
    switch framing {
    case .none: "none"
    case .length(let length): "length=\(length)"
    case .chunked: "chunked"
    case .untilClose: "until-close"
    }
}

private func fieldLines(_ fields: [Field], of bytes: [UInt8], _ word: String) -> [String] {
    fields.map { field in
        let name = escaped(bytes[field.name])
        func named(_ name: String) -> FieldName? {
            FieldName.allCases.first { $0.spelling.lowercased() == name.lowercased() }
        }
        let looksKnown = named(name.replacing("_", with: "-")) != nil
        #expect(field.known == named(name) ?? (looksKnown ? .lookalike : .other))
        let word = field.isHopByHop ? "hop" : word
        return "\(word) \(name): " + escaped(bytes[field.value])
    }
}
