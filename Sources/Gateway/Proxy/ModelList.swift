// What `GET /v1/models` says: the models that routes name, and their other names, in the order of
// the policy, then those that backends have and a route's pattern takes.

internal import Bytes
internal import HTTP1
internal import Inference
internal import Policy
internal import Telemetry

/// The models that a policy serves.
struct ModelList: Sendable {
    /// Names all different.
    private var models: [ListedModel] = []
    /// Whether the gateway answers at all: some route names models, and none is for the list itself.
    let isServed: Bool

    /// Models of one list.
    static let maxModels = 1_000

    /// `listed` is what the backends of each pool have said, by the pool's index; nothing is missing
    /// where they have not.
    init(_ policy: Policy, listed: [[ListedModel]] = []) {
        isServed =
            policy.routes.contains { !$0.models.isEmpty }
            && !policy.routes.contains { $0.path == .exact("/v1/models") }
        guard isServed else { return }
        var names = Set<[UInt8]>()
        for route in policy.routes {
            let known = listed.indices.contains(route.pool) ? listed[route.pool] : []
            for name in route.models where !name.contains("*") {
                add(Array(name.utf8), as: Array(name.utf8), known, &names)
            }
        }
        let all = listed.flatMap { $0 }
        for alias in policy.models.aliases {
            add(Array(alias.name.utf8), as: Array(alias.model.utf8), all, &names)
        }
        for route in policy.routes where listed.indices.contains(route.pool) {
            let patterns = route.models.map(ModelPattern.init).filter(\.isGlob)
            for model in listed[route.pool]
            where patterns.contains(where: { $0.matches(model.name.span) }) {
                add(model.name, as: model.name, listed[route.pool], &names)
            }
        }
    }

    /// Adds `name` with what `known` says of `model`, once, as far as there is room.
    private mutating func add(
        _ name: [UInt8], as model: [UInt8], _ known: [ListedModel], _ names: inout Set<[UInt8]>
    ) {
        guard models.count < ModelList.maxModels, names.insert(name).inserted else { return }
        var one = known.first { $0.name == model } ?? ListedModel(name: name)
        one.name = name
        models.append(one)
    }

    /// Whether a GET asks for the list or for one model.
    func answers(_ head: borrowing RequestHead) -> Bool {
        guard isServed else { return false }
        let path = head.span(head.path)
        return path.equals(ModelList.path) || ModelList.nameRange(in: path) != nil
    }

    /// Where a path names one model.
    static func nameRange(in path: Span<UInt8>) -> Range<Int>? {
        guard path.count > ModelList.path.count + 1,
            path.hasPrefix(ModelList.path.span),
            path[ModelList.path.count] == UInt8(ascii: "/")
        else { return nil }
        return (ModelList.path.count + 1)..<path.count
    }

    private static let path = Array("/v1/models".utf8)

    /// Appends the response's body to a request; false for a model that is not listed.
    func appendBody(
        for head: borrowing RequestHead, _ dialect: Dialect, to output: inout ByteBuffer
    ) -> Bool {
        let path = head.span(head.path)
        if let range = ModelList.nameRange(in: path) {
            var name: [UInt8] = []
            guard ModelPath.decode(path.extracting(range), into: &name),
                let model = models.first(where: { $0.name == name })
            else { return false }
            append(model, dialect, to: &output)
            output.append("\n")
            return true
        }
        let isAnthropic = dialect == .anthropic
        output.append(isAnthropic ? "{\"data\":[" : "{\"object\":\"list\",\"data\":[")
        for (index, model) in models.enumerated() {
            if index > 0 { output.append(",") }
            append(model, dialect, to: &output)
        }
        output.append(
            isAnthropic ? "],\"has_more\":false,\"first_id\":null,\"last_id\":null}\n" : "]}\n")
        return true
    }

    private func append(_ model: ListedModel, _ dialect: Dialect, to output: inout ByteBuffer) {
        output.append("{\"id\":\"")
        output.append(jsonEscaped: model.name.span)
        if dialect == .anthropic {
            output.append("\",\"type\":\"model\",\"display_name\":\"")
            output.append(jsonEscaped: model.name.span)
            output.append("\",\"created_at\":\"1970-01-01T00:00:00Z\"}")
            return
        }
        output.append("\",\"object\":\"model\",\"created\":")
        output.append(decimal: model.created ?? 0)
        output.append(",\"owned_by\":\"")
        if let owner = model.owner {
            output.append(jsonEscaped: owner.span)
        } else {
            output.append("penstock")
        }
        output.append("\"")
        if let length = model.maxModelLength {
            output.append(",\"max_model_len\":")
            output.append(decimal: length)
        }
        output.append("}")
    }
}
