// What an operator has changed while the gateway serves, as pages show it.

package import Bytes

/// One such change at one moment.
package struct OverrideSnapshot: Equatable, Sendable {
    /// What kind of change it is.
    package enum Verb: String, CaseIterable, Sendable {
        case drain, limit, mode, weight, log
    }

    /// What kind of change it is.
    package var verb: Verb
    /// The pool, the backend's URL and the tenant that it is about; nil where it is about none, or about all.
    package var pool: String?
    package var backend: String?
    package var tenant: String?
    /// What is in force by it.
    package var value: String
    /// What the policy says in its place.
    package var replaced: String
    /// How long ago it was made, in nanoseconds.
    package var ageNanoseconds: Int64
    /// How long it still counts, in nanoseconds; nil for no end.
    package var leftNanoseconds: Int64?
    /// The user and the process that made it, by their numbers.
    package var user: UInt32
    package var process: Int32

    /// A change of that kind, made just now.
    package init(verb: Verb, value: String, replaced: String, user: UInt32, process: Int32) {
        self.verb = verb
        self.value = value
        self.replaced = replaced
        self.user = user
        self.process = process
        ageNanoseconds = 0
    }

    /// Appends it as one JSON object.
    func render(into buffer: inout ByteBuffer) {
        buffer.append(text: "{\"verb\":")
        buffer.append(jsonString: verb.rawValue)
        for (name, text) in [("pool", pool), ("backend", backend), ("tenant", tenant)] {
            guard let text else { continue }
            buffer.append(text: ",\"\(name)\":")
            buffer.append(jsonString: text)
        }
        buffer.append(text: ",\"value\":")
        buffer.append(jsonString: value)
        buffer.append(text: ",\"replaced\":")
        buffer.append(jsonString: replaced)
        buffer.append(text: ",\"age_seconds\":")
        buffer.append(secondsOf: UInt128(max(0, ageNanoseconds)))
        buffer.append(text: ",\"ends_in_seconds\":")
        if let leftNanoseconds {
            buffer.append(secondsOf: UInt128(max(0, leftNanoseconds)))
        } else {
            buffer.append(text: "null")
        }
        buffer.append(text: ",\"uid\":")
        buffer.append(unsigned: UInt64(user))
        buffer.append(text: ",\"pid\":")
        buffer.append(signed: Int(process))
        buffer.append(text: "}")
    }
}

extension StatusRenderer {
    /// Appends changes as a list.
    package static func append(_ overrides: [OverrideSnapshot], to buffer: inout ByteBuffer) {
        buffer.append(jsonListOf: overrides) { $0.render(into: &$1) }
    }
}
