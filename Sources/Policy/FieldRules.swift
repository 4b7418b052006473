// What becomes of the fields of messages on their way, as a route or a pool says it.

/// Fields that are set and fields that are removed.
package struct FieldRules: Equatable, Sendable {
    /// Fields that are set, whatever came under their names; at most 32.
    package var fields: [SetField] = []
    /// Names of fields that are removed, in lower case; at most 32.
    package var removed: [String] = []

    /// Nothing is set or removed.
    package init() {}

    /// Whether nothing is.
    package var isEmpty: Bool { fields.isEmpty && removed.isEmpty }

    /// Fields in which clients and servers have API keys.
    package static let keyNames = ["authorization", "x-api-key", "api-key"]

    /// Whether a key of somebody's own is among what is set: a value from outside of the policy, or a field for keys.
    ///
    /// Whoever is asked in the name of such a key gets none of clients.
    package var hasKey: Bool {
        fields.contains { $0.value.isSecret || FieldRules.keyNames.contains($0.name.lowercased()) }
    }
}

/// A field that is set.
package struct SetField: Equatable, Sendable {
    /// Its name as the policy writes it, a token of at most 64 bytes.
    package var name: String
    /// Its value.
    package var value: FieldValue

    /// The field `name` with `value`.
    package init(name: String, value: FieldValue) {
        self.name = name
        self.value = value
    }
}

/// The value of a field that is set.
package struct FieldValue: Equatable, Sendable {
    /// The value, or what stands before a secret; at most 4096 bytes without controls.
    package var text = ""
    /// The file that the secret is read from; a relative path begins at the policy file's folder.
    package var file: String?
    /// The variable of the environment that has the secret.
    package var variable: String?
    /// What was read there; empty until then.
    package var secret = Secret()

    /// The value `text`.
    package init(text: String = "") { self.text = text }

    /// Whether a part of the value is not in the policy.
    package var isSecret: Bool { file != nil || variable != nil }

    /// The value's bytes.
    package var bytes: [UInt8] { Array(text.utf8) + secret.bytes }

    /// Whether it is read from the same place as `other`.
    func hasSource(of other: FieldValue) -> Bool {
        file == other.file && variable == other.variable
    }
}

extension Policy {
    /// All fields and properties that are set, by the paths of their keys in the file.
    var setFields: [(path: String, value: FieldValue)] {
        let owners =
            pools.map { ("pools.\($0.name)", $0.request, $0.response) }
            + routes.enumerated().map { ("routes[\($0)]", $1.request, $1.response) }
        let fields = owners.flatMap { path, request, response in
            [("request", request), ("response", response)].flatMap { key, rules in
                rules.fields.map {
                    (Reading.join("\(path).\(key).set_fields", $0.name), $0.value)
                }
            }
        }
        return fields
            + topics.enumerated().flatMap { index, topic in
                topic.properties.map {
                    (Reading.join("topics[\(index)].properties", $0.name), $0.value)
                }
            }
    }

    /// Changes the value of each field and property that is set.
    mutating func updateSetFields(_ change: (inout FieldValue) -> Void) {
        func update(_ rules: inout FieldRules) {
            for index in rules.fields.indices { change(&rules.fields[index].value) }
        }
        for index in pools.indices {
            update(&pools[index].request)
            update(&pools[index].response)
        }
        for index in routes.indices {
            update(&routes[index].request)
            update(&routes[index].response)
        }
        for topic in topics.indices {
            for index in topics[topic].properties.indices {
                change(&topics[topic].properties[index].value)
            }
        }
    }
}
