// libyaml's parser: text -> events, one at a time, so that whoever reads them decides how deep and
// how far to go.
//
// The uses of `unsafe` here rest on three things. The parser is allocated, and so never moves, which
// libyaml's own pointer back to it needs. The input is a copy that is freed after the parser, which
// reads from it. And what an event or a parser points to is copied into strings before either is
// deleted; libyaml ends each such text with a zero or says its length.

import CShims

/// One step of a document.
struct YAMLEvent {
    /// What is found, begins or ends.
    enum Kind: Equatable {
        /// `isPlain` when it stands without quotes and is no block.
        case scalar(String, isPlain: Bool)
        case alias
        case listBegins
        case mappingBegins
        /// The end of the innermost list or mapping that has begun.
        case ends
        /// Marks of the document and of the text as a whole.
        case documentBegins
        case textEnds
        case other
    }

    var kind: Kind
    var position: Position
    var anchor: String?
    var tag: String?
}

/// Where and why libyaml gave up, in its own words.
struct YAMLSyntaxError: Error {
    var problem: String
    var position: Position
    /// What was being read, and where that began.
    var context: (text: String, line: Int)?
}

/// A reader of one text.
@safe final class YAMLParser {
    private let parser: UnsafeMutablePointer<yaml_parser_t>
    private let input: UnsafeMutableBufferPointer<UInt8>

    /// Begins; `nil` when libyaml has no memory.
    init?(_ text: String) {
        unsafe parser = .allocate(capacity: 1)
        guard unsafe yaml_parser_initialize(parser) == 1 else {
            unsafe parser.deallocate()
            return nil
        }
        unsafe input = .allocate(capacity: text.utf8.count)
        _ = unsafe input.initialize(from: text.utf8)
        unsafe yaml_parser_set_encoding(parser, YAML_UTF8_ENCODING)
        unsafe yaml_parser_set_input_string(parser, input.baseAddress, input.count)
    }

    deinit {
        unsafe yaml_parser_delete(parser)
        unsafe parser.deallocate()
        unsafe input.deallocate()
    }

    /// The next event; there is none after the text's end, nor after an error.
    func next() throws(YAMLSyntaxError) -> YAMLEvent {
        var event = unsafe yaml_event_t()
        guard unsafe yaml_parser_parse(parser, &event) == 1 else { throw error }
        defer { unsafe yaml_event_delete(&event) }
        var found = unsafe YAMLEvent(kind: .other, position: Position(event.start_mark))
        // The type says which member of the union is set.
        switch unsafe event.type {
        case YAML_SCALAR_EVENT:
            let scalar = unsafe event.data.scalar
            let bytes = unsafe UnsafeBufferPointer(start: scalar.value, count: scalar.length)
            found.kind = unsafe .scalar(
                String(decoding: bytes, as: UTF8.self),
                isPlain: scalar.style == YAML_PLAIN_SCALAR_STYLE)
            found.anchor = unsafe Self.text(scalar.anchor)
            found.tag = unsafe Self.text(scalar.tag)
        case YAML_SEQUENCE_START_EVENT:
            found.kind = .listBegins
            found.anchor = unsafe Self.text(event.data.sequence_start.anchor)
            found.tag = unsafe Self.text(event.data.sequence_start.tag)
        case YAML_MAPPING_START_EVENT:
            found.kind = .mappingBegins
            found.anchor = unsafe Self.text(event.data.mapping_start.anchor)
            found.tag = unsafe Self.text(event.data.mapping_start.tag)
        case YAML_SEQUENCE_END_EVENT, YAML_MAPPING_END_EVENT: found.kind = .ends
        case YAML_ALIAS_EVENT: found.kind = .alias
        case YAML_DOCUMENT_START_EVENT: found.kind = .documentBegins
        case YAML_STREAM_END_EVENT: found.kind = .textEnds
        default: break
        }
        return found
    }

    private var error: YAMLSyntaxError {
        let problem = unsafe parser.pointee.problem.map { unsafe String(cString: $0) }
        let context = unsafe parser.pointee.context.map { unsafe String(cString: $0) }
        let contextLine = unsafe Position(parser.pointee.context_mark).line
        return unsafe YAMLSyntaxError(
            problem: problem ?? "there is no memory for it",
            position: Position(parser.pointee.problem_mark),
            context: context.map { ($0, contextLine) })
    }

    private static func text(_ characters: UnsafeMutablePointer<yaml_char_t>?) -> String? {
        unsafe characters.map { unsafe String(cString: $0) }
    }
}

extension Position {
    fileprivate init(_ mark: yaml_mark_t) {
        self.init(line: mark.line + 1, column: mark.column + 1)
    }
}
