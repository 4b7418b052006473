// What a server answers to `GET /v1/models`: OpenAI's form, which vLLM, SGLang, llama.cpp, TGI, Ollama and
// infinity have, with what some of them add.

internal import Bytes

/// A model as a server lists it.
package struct ListedModel: Equatable, Sendable {
    /// Its name, 1 to 256 bytes without control characters.
    package var name: [UInt8]
    /// When it was made, in seconds since 1970; nil where that is not said.
    package var created: Int?
    /// Whose it is, at most 256 bytes; nil where that is not said.
    package var owner: [UInt8]?
    /// Tokens of prompt and response together (`max_model_len`, vLLM and SGLang); nil where that is
    /// not said.
    package var maxModelLength: Int?

    /// A model of which the name alone is known.
    package init(name: [UInt8]) { self.name = name }
}

/// Reads lists of models.
package struct ModelListReader {
    private enum Field { case other, name, created, owner, maxModelLength }

    /// Models that are read of one list; those behind them are left out.
    package static let maxModels = 1_000

    private var scanner = JSONScanner()
    private var models: [ListedModel] = []
    private var model = ListedModel(name: [])
    private var field = Field.other
    /// Whether the root's key is that of the list, and whether the list is open.
    private var isListNext = false
    private var isInList = false
    private var hasList = false

    private init() {
        // The root, the list, and the models in it.
        scanner.reportedDepth = 3
    }

    /// The models that `body` lists, in its order; nil where it is no list of models.
    package static func models(in body: Span<UInt8>) -> [ListedModel]? {
        var reader = ModelListReader()
        do throws(BodyFault) {
            var index = 0
            while true {
                let event = try reader.scanner.next(in: body, at: &index)
                if event == .needMoreData { break }
                reader.take(event)
            }
        } catch {
            return nil
        }
        return reader.scanner.isComplete && reader.hasList ? reader.models : nil
    }

    private mutating func take(_ event: JSONEvent) {
        switch (event, scanner.depth) {
        case (.key, 1): isListNext = scanner.text.span.equals("data")
        case (.open(isObject: false), 2) where isListNext:
            isInList = true
            hasList = true
        case (.close, 1): isInList = false
        case (_, _) where !isInList: break
        case (.open(isObject: true), 3): model = ListedModel(name: [])
        case (.close, 2): endModel()
        case (.key, 3):
            field = ModelListReader.field(scanner.text.span)
            scanner.captures = field == .name || field == .owner
        case (.string, 3), (.number, 3):
            note(event)
            field = .other
        default: field = .other
        }
    }

    private static func field(_ name: Span<UInt8>) -> Field {
        if name.equals("id") { return .name }
        if name.equals("created") { return .created }
        if name.equals("owned_by") { return .owner }
        return name.equals("max_model_len") ? .maxModelLength : .other
    }

    private mutating func note(_ event: JSONEvent) {
        let isText = event == .string
        let number = scanner.number.flatMap { $0 >= 0 ? $0 : nil }
        switch field {
        case .name where isText: model.name = keptText ?? []
        case .owner where isText: model.owner = keptText
        case .created where !isText: model.created = number
        case .maxModelLength where !isText: model.maxModelLength = number
        default: break
        }
    }

    /// The text in hand, if it is whole and can stand in a list.
    private var keptText: [UInt8]? {
        scanner.isTextCut || scanner.text.hasControls ? nil : scanner.text.bytes
    }

    private mutating func endModel() {
        guard !model.name.isEmpty, models.count < ModelListReader.maxModels else { return }
        models.append(model)
        model = ListedModel(name: [])
    }
}
