// What the gateway wants to know of a request's body: the model, and what says how much work it
// is. The body is read as it passes, whole, so that a second `model` at its end is found.

internal import Bytes

/// Reads the JSON body of one inference request.
package struct RequestReader {
    private enum Value {
        case other, model, streams, maxTokens, choices, container
    }

    /// Bytes of the longest model name.
    package static let maxModelBytes = 256

    /// The model's name, without escapes; empty until it is found.
    package private(set) var model: [UInt8] = []
    /// Where the name stands in the body, without quotation marks.
    package private(set) var modelRange = 0..<0
    /// Whether a response in pieces is asked for; nil where nothing is said.
    package private(set) var streams: Bool?
    /// The most tokens of a response, by whichever name; nil where nothing is said.
    package private(set) var maxTokens: Int?
    /// How many responses are asked for, from 1.
    package private(set) var choices = 1

    private var scanner = JSONScanner()
    private var next = Value.other
    private var isBegun = false

    /// A reader at the beginning of a body.
    package init() {}

    /// Whether the model is known.
    package var hasModel: Bool { !model.isEmpty }

    /// Begins another body.
    package mutating func reset() {
        model.removeAll(keepingCapacity: true)
        modelRange = 0..<0
        streams = nil
        maxTokens = nil
        choices = 1
        scanner.reset()
        next = .other
        isBegun = false
    }

    /// Reads the next bytes of the body.
    package mutating func read(_ bytes: Span<UInt8>) throws(BodyFault) {
        var index = 0
        while true {
            let event = try scanner.next(in: bytes, at: &index)
            if event == .needMoreData { break }
            if !isBegun {
                guard event == .open(isObject: true) else { throw .notAnObject }
                isBegun = true
            } else {
                try take(event)
            }
        }
    }

    /// Notes that the body has ended.
    package func finish() throws(BodyFault) {
        guard scanner.isComplete else { throw .truncated }
    }

    private mutating func take(_ event: JSONEvent) throws(BodyFault) {
        switch event {
        case .key: try takeKey()
        case .string:
            if next == .model { try takeModel() }
            next = .other
        case .number:
            if next == .model { throw .invalidModel }
            takeNumber()
            next = .other
        case .literal(let value):
            if next == .model { throw .invalidModel }
            if next == .streams { streams = value }
            next = .other
        case .open:
            if next == .model { throw .invalidModel }
            if next == .container { scanner.reportedDepth = 2 }
            next = .other
        case .close:
            scanner.reportedDepth = 1
        case .needMoreData: break
        }
    }

    private mutating func takeKey() throws(BodyFault) {
        next =
            scanner.isTextCut
            ? .other : RequestReader.value(of: scanner.text.span, depth: scanner.depth)
        if next == .model {
            if hasModel { throw .repeatedModel }
            scanner.captures = true
        }
    }

    private static func value(of key: Span<UInt8>, depth: Int) -> Value {
        guard depth == 1 else {
            // Ollama's `options`, the `parameters` of TGI and Triton, SGLang's `sampling_params`.
            let isLimit =
                key.equals("num_predict") || key.equals("max_new_tokens")
                || key.equals("max_tokens")
            return isLimit ? .maxTokens : .other
        }
        // Their lengths rule most keys out.
        switch key.count {
        case 1: return key.equals("n") ? .choices : .other
        case 5: return key.equals("model") ? .model : .other
        case 6: return key.equals("stream") ? .streams : .other
        case 7: return key.equals("options") ? .container : .other
        case 10:
            if key.equals("parameters") { return .container }
            return key.equals("max_tokens") ? .maxTokens : .other
        case 15: return key.equals("sampling_params") ? .container : .other
        case 17: return key.equals("max_output_tokens") ? .maxTokens : .other
        case 21: return key.equals("max_completion_tokens") ? .maxTokens : .other
        default: return .other
        }
    }

    private mutating func takeModel() throws(BodyFault) {
        guard !scanner.text.isEmpty, !scanner.isTextCut else { throw .invalidModel }
        // Names go into logs and labels.
        for byte in scanner.text where byte < 0x20 || byte == 0x7f { throw .invalidModel }
        model.append(contentsOf: scanner.text)
        modelRange = scanner.textRange
    }

    private mutating func takeNumber() {
        guard let number = scanner.number, number >= 0 else { return }
        switch next {
        case .maxTokens: maxTokens = min(maxTokens ?? .max, number)
        case .choices: choices = min(max(1, number), RequestReader.mostChoices)
        case .other, .model, .streams, .container: break
        }
    }

    private static let mostChoices = 1_000
}
