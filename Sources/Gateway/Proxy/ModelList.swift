// What `GET /v1/models` says: the models that routes name, and their other names, in the order of
// the policy. Patterns name none.

internal import Bytes
internal import HTTP1
internal import Inference
internal import Policy
internal import Telemetry

/// The models that a policy serves by name.
struct ModelList {
    /// All different.
    private let names: [[UInt8]]
    /// Whether the gateway answers at all: some route names models, and none is for the list itself.
    let isServed: Bool

    init(_ policy: Policy) {
        var names: [[UInt8]] = []
        let listed = policy.routes.flatMap(\.models) + policy.models.aliases.map(\.name)
        for name in listed where !name.contains("*") {
            let bytes = Array(name.utf8)
            if !names.contains(bytes) { names.append(bytes) }
        }
        self.names = names
        isServed =
            policy.routes.contains { !$0.models.isEmpty }
            && !policy.routes.contains { $0.path == .exact("/v1/models") }
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
            guard ModelPath.decode(path.extracting(range), into: &name), names.contains(name) else {
                return false
            }
            append(name, dialect, to: &output)
            output.append("\n")
            return true
        }
        let isAnthropic = dialect == .anthropic
        output.append(isAnthropic ? "{\"data\":[" : "{\"object\":\"list\",\"data\":[")
        for (index, name) in names.enumerated() {
            if index > 0 { output.append(",") }
            append(name, dialect, to: &output)
        }
        output.append(
            isAnthropic ? "],\"has_more\":false,\"first_id\":null,\"last_id\":null}\n" : "]}\n")
        return true
    }

    private func append(_ name: [UInt8], _ dialect: Dialect, to output: inout ByteBuffer) {
        output.append("{\"id\":\"")
        output.append(jsonEscaped: name.span)
        if dialect == .anthropic {
            output.append("\",\"type\":\"model\",\"display_name\":\"")
            output.append(jsonEscaped: name.span)
            output.append("\",\"created_at\":\"1970-01-01T00:00:00Z\"}")
        } else {
            output.append("\",\"object\":\"model\",\"created\":0,\"owned_by\":\"penstock\"}")
        }
    }
}
