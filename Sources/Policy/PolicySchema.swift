// The keys of policies as a JSON Schema, with which editors complete and check while one types. A
// schema cannot say everything: what it accepts, the loader may still refuse, never the other way
// round.

/// Describes policies to editors.
package enum PolicySchema {
    /// A JSON Schema, draft 2020-12, that ends with a line break.
    package static func json() -> String {
        let head: [(String, Literal)] = [
            ("$schema", .text("https://json-schema.org/draft/2020-12/schema")),
            ("title", .text("Penstock policy")),
            ("description", .text("Where Penstock listens, what it forwards to, and how.")),
        ]
        return Literal.mapping(head + keywords(PolicySections.policy.shape)).json + "\n"
    }

    private static func schema(_ key: KeyShape) -> Literal {
        var entries: [(String, Literal)] = [("description", .text(key.meaning))]
        switch key.fallback {
        case .none, .mapping: break
        case .some(let fallback): entries.append(("default", fallback))
        }
        return .mapping(entries + keywords(key.shape))
    }

    private static func keywords(_ section: SectionShape) -> [(String, Literal)] {
        let required = section.keys.filter(\.isRequired).map { Literal.text($0.name) }
        return [
            ("type", .text("object")),
            ("properties", .mapping(section.keys.map { ($0.name, schema($0)) })),
            ("required", .list(required)),
            ("additionalProperties", .boolean(false)),
        ]
    }

    private static func keywords(_ shape: Shape) -> [(String, Literal)] {
        switch shape {
        case .integer(let range):
            [
                ("type", .text("integer")), ("minimum", .integer(range.lowerBound)),
                ("maximum", .integer(range.upperBound)),
            ]
        case .number(let range, let excludesLower, let excludesUpper):
            [
                ("type", .text("number")),
                (excludesLower ? "exclusiveMinimum" : "minimum", .number(range.lowerBound)),
                (excludesUpper ? "exclusiveMaximum" : "maximum", .number(range.upperBound)),
            ]
        case .boolean: [("type", .text("boolean"))]
        case .words(let words): [("enum", .list(words.map { .text($0) }))]
        case .text(_, let pattern): [("type", .text("string")), ("pattern", .text(pattern))]
        case .quantity(let quantity, _, _):
            [("type", .text("string")), ("pattern", .text(quantity.pattern))]
        case .list(let element, let counts, let isUnique):
            [
                ("type", .text("array")), ("items", .mapping(keywords(element))),
                ("minItems", .integer(counts.lowerBound)),
                ("maxItems", .integer(counts.upperBound)), ("uniqueItems", .boolean(isUnique)),
            ]
        case .section(let section): keywords(section)
        case .named(let value, let pattern, let counts):
            [
                ("type", .text("object")),
                ("propertyNames", .mapping([("pattern", .text(pattern))])),
                ("additionalProperties", .mapping(keywords(value))),
                ("minProperties", .integer(counts.lowerBound)),
                ("maxProperties", .integer(counts.upperBound)),
            ]
        case .either: [("anyOf", .list(shape.alternatives.map { .mapping(keywords($0)) }))]
        }
    }
}
