// What the gateway wants to know of a request's body: the model, and what says how much work it
// is. The body is read as it passes, whole, so that a second `model` at its end is found.
//
// A reader is strict where requests are routed by what it finds. Where the gateway only looks, what servers
// read in different ways is read as engines do, and the last of what is said twice counts.

internal import Bytes

/// Reads the JSON body of one inference request.
package struct RequestReader {
    private enum Value: Sendable {
        case other, model, streams, maxTokens, choices, container, streamOptions, includesUsage
    }

    /// Bytes of the longest model name.
    package static let maxModelBytes = 256

    /// The model's name, without escapes; empty until it is found.
    package private(set) var model: [UInt8] = []
    /// Where the name stands in the body, without quotation marks.
    package private(set) var modelRange = 0..<0
    /// Whether what servers read in different ways is a fault.
    package private(set) var isStrict = true
    /// Whether a response in pieces is asked for; nil where nothing is said that is clear.
    package var streams: Bool? { stream.flatMap { $0 == .unclear ? nil : $0 == .yes } }
    /// The most tokens of a response, by whichever name; nil where nothing is said.
    package private(set) var maxTokens: Int?
    /// How many responses are asked for, from 1.
    package private(set) var choices = 1

    private var scanner = JSONScanner()
    private var next = Value.other
    /// What `stream` says.
    private var stream: LenientBool?
    private var options = StreamOptions()
    private var isBegun = false
    /// Which fields have been seen that the gateway decides by, a bit each.
    private var seen: UInt16 = 0
    /// Bytes of a byte order mark at the beginning, which parsers may ignore (RFC 8259 section 8.1) and
    /// Python's do.
    private var markBytes = 0
    /// Bytes of the body before those that are shown.
    private var base = 0

    private static let byteOrderMark: InlineArray<3, UInt8> = [0xef, 0xbb, 0xbf]

    /// A reader at the beginning of a body.
    package init(isStrict: Bool = true) {
        self.isStrict = isStrict
        scanner.isLenient = !isStrict
    }

    /// Whether the model is known.
    package var hasModel: Bool { !model.isEmpty }

    /// Begins another body.
    package mutating func reset(isStrict: Bool = true) {
        self.isStrict = isStrict
        scanner.isLenient = !isStrict
        model.removeAll(keepingCapacity: true)
        modelRange = 0..<0
        stream = nil
        base = 0
        maxTokens = nil
        choices = 1
        scanner.reset()
        next = .other
        options = StreamOptions()
        isBegun = false
        seen = 0
        markBytes = 0
    }

    /// Reads the next bytes of the body.
    package mutating func read(_ bytes: Span<UInt8>) throws(BodyFault) {
        var index = 0
        if !isBegun { try skipByteOrderMark(bytes, &index) }
        while true {
            // Go's reader does not look at what follows the object.
            if !isStrict, scanner.isComplete { return }
            let event = try scanner.next(in: bytes, at: &index)
            if event == .needMoreData {
                base &+= bytes.count
                return
            }
            if !isBegun {
                guard event == .open(isObject: true) else { throw .notAnObject }
                isBegun = true
                options.rootStart = scanner.valueStart + 1
            } else {
                try take(event, to: base &+ index)
            }
        }
    }

    /// Passes over a byte order mark, however it is cut.
    private mutating func skipByteOrderMark(
        _ bytes: Span<UInt8>, _ index: inout Int
    ) throws(BodyFault) {
        while markBytes < 3, index < bytes.count {
            guard bytes[index] == RequestReader.byteOrderMark[markBytes] else {
                if markBytes > 0 { throw .notJSON }
                // There is none, and none may follow.
                markBytes = 3
                return
            }
            markBytes += 1
            index += 1
        }
    }

    /// Notes that the body has ended.
    ///
    /// It changes nothing: who only lends a reader that is part of an object copies it.
    package mutating func finish() throws(BodyFault) {
        guard scanner.isComplete else { throw .truncated }
    }

    /// What makes a request that was read whole ask for the usage of its stream; nil where it asks for
    /// no stream, or for its usage already, in the one way that all servers read.
    package var usageEdit: TextEdit? {
        guard let stream, stream != .no else { return nil }
        return options.edit
    }

    /// Whether a request that was read whole asks for the usage of its stream by itself.
    package var asksForUsage: Bool { options.isAsking }

    private mutating func take(_ event: JSONEvent, to end: Int) throws(BodyFault) {
        switch next {
        case .streams: stream = LenientBool(event, in: scanner)
        case .streamOptions: options.take(event, at: scanner.valueStart..<end)
        case .includesUsage: options.takeUsage(event, at: scanner.valueStart..<end, in: scanner)
        default: break
        }
        switch event {
        case .key: try takeKey()
        case .string:
            if next == .model { try takeModel() }
            next = .other
        case .number:
            try refuseModel()
            takeNumber()
            next = .other
        case .literal:
            try refuseModel()
            next = .other
        case .open(let isObject):
            try refuseModel()
            if next == .container || next == .streamOptions && isObject {
                scanner.reportedDepth = 2
            }
            next = .other
        case .close:
            options.close(depth: scanner.depth, at: end)
            // What ends deeper in the object is no end of it.
            if scanner.depth == 1 { scanner.reportedDepth = 1 }
        case .needMoreData: break
        }
    }

    /// A value has begun that is no name: a fault where it stands for the model.
    private func refuseModel() throws(BodyFault) {
        if next == .model, isStrict { throw .invalidModel }
    }

    private mutating func takeKey() throws(BodyFault) {
        next = .other
        if options.isOpen {
            let isUsage = !scanner.isTextCut && scanner.text.span.equals("include_usage")
            guard options.takeKey(isUsage: isUsage) else { return }
            if options.isRepeated, isStrict { throw .repeatedField }
            next = .includesUsage
            scanner.captures = true
            return
        }
        if scanner.isTextCut { return }
        let (value, bit) = try RequestReader.value(
            of: scanner.text, depth: scanner.depth, isStrict: isStrict)
        if seen & bit != 0 {
            if isStrict { throw value == .model ? .repeatedModel : .repeatedField }
            forget(value)
        }
        seen |= bit
        next = value
        if next == .model || next == .streams { scanner.captures = true }
    }

    /// The value comes once more, and only the last counts.
    private mutating func forget(_ value: Value) {
        switch value {
        case .model: model.removeAll(keepingCapacity: true)
        case .maxTokens: maxTokens = nil
        case .choices: choices = 1
        case .other, .streams, .container, .streamOptions, .includesUsage: break
        }
    }

    /// What comes behind a key, and the field's bit in `seen`; 0 where a second one may come.
    private static func value(
        of text: borrowing ShortText, depth: Int, isStrict: Bool
    ) throws(BodyFault) -> (value: Value, bit: UInt16) {
        guard depth == 1 else {
            let key = text.span
            let isLimit = limitsInContainers.contains { key.equals($0) }
            return (isLimit ? .maxTokens : .other, 0)
        }
        guard let (index, isExact) = index(of: text) else { return (.other, 0) }
        let value = fields[index].value
        guard isExact else {
            // Go's JSON reader takes `MODEL` for `model`, and so do servers that are made with it. What only
            // looks still has to know whether there is a stream.
            let decides = isStrict || value == .streams || value == .streamOptions
            if decides { throw .ambiguousField }
            return (.other, 0)
        }
        return (value, 1 << UInt16(index))
    }

    private struct KnownField: Sendable {
        let name: [UInt8]
        /// Its bytes up to eight, folded.
        let first: UInt64
        let value: Value

        init(_ name: String, _ value: Value) {
            self.name = Array(name.utf8)
            first = self.name.prefix(8).reversed().reduce(0) { $0 << 8 | UInt64($1 | 0x20) }
            self.value = value
        }
    }

    /// What the gateway decides by, in a request's body.
    ///
    /// `options` are Ollama's, `parameters` those of TGI and Triton, `sampling_params` SGLang's.
    private static let fields: [KnownField] = [
        KnownField("model", .model), KnownField("stream", .streams),
        KnownField("n", .choices), KnownField("options", .container),
        KnownField("parameters", .container),
        KnownField("sampling_params", .container),
        KnownField("max_tokens", .maxTokens),
        KnownField("max_output_tokens", .maxTokens),
        KnownField("max_completion_tokens", .maxTokens),
        KnownField("stream_options", .streamOptions),
    ]
    private static let limitsInContainers = ["num_predict", "max_new_tokens", "max_tokens"].map {
        Array($0.utf8)
    }

    /// Which field some server may take a key for, and whether it is written so; nil for none.
    private static func index(of text: borrowing ShortText) -> (index: Int, isExact: Bool)? {
        let size = text.count
        // Three more than the longest field has: a long s takes one byte more than an s, and the Kelvin sign two
        // more than a k.
        guard size > 0, size <= 24 else { return nil }
        let known = fields.span
        guard text.isASCII else {
            let key = text.span
            for index in known.indices where key.folds(to: known[index].name.span) {
                return (index, false)
            }
            return nil
        }
        let first = WordMask.folded(text.firstWord) & WordMask.present(size)
        for index in known.indices where known[index].first == first {
            let key = text.span
            if key.equals(known[index].name) { return (index, true) }
            if key.folds(to: known[index].name.span) { return (index, false) }
        }
        return nil
    }

    private mutating func takeModel() throws(BodyFault) {
        guard isName else {
            if isStrict { throw .invalidModel }
            return
        }
        scanner.text.append(to: &model)
        modelRange = scanner.textRange
    }

    /// Whether the text in hand can be a model's name: these go into logs and labels.
    private var isName: Bool {
        !scanner.text.isEmpty && !scanner.isTextCut && !scanner.text.hasControls
    }

    private mutating func takeNumber() {
        guard let number = scanner.number, number >= 0 else { return }
        switch next {
        case .maxTokens: maxTokens = min(maxTokens ?? .max, number)
        case .choices: choices = min(max(1, number), RequestReader.mostChoices)
        case .other, .model, .streams, .container, .streamOptions, .includesUsage: break
        }
    }

    private static let mostChoices = 1_000
}
