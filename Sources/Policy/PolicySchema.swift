// The keys of policies as a JSON Schema, with which editors complete and check while one types. A
// schema cannot say everything: what it accepts, the loader may still refuse, never the other way
// round.

/// Describes policies to editors.
package enum PolicySchema {
    /// A JSON Schema, draft 2020-12, that ends with a line break.
    package static func json() -> String {
        var policy = keywords(PolicySections.policy.shape)
        // What is required may stand in files that are included.
        let included = PolicyInclusion.shape.keys.map(\.name)
        policy.removeAll { $0.key == "required" }
        let names = PolicySections.policy.shape.keys.filter(\.isRequired).map(\.name)
        policy.append(
            ("required", .list(names.filter { !included.contains($0) }.map { .text($0) })))
        policy.append(
            (
                "anyOf",
                .list(
                    [["include"], names.filter(included.contains)].map { names in
                        .mapping([("required", .list(names.map { .text($0) }))])
                    })
            ))
        return document(
            "Penstock policy", "Where Penstock listens, what it forwards to, and how.", policy)
    }

    /// The same for files that policies include.
    package static func includedJSON() -> String {
        document(
            "Part of a Penstock policy", "What a policy includes: pools, routes, models, tenants.",
            keywords(PolicyInclusion.shape))
    }

    private static func document(
        _ title: String, _ description: String, _ keywords: [(key: String, value: Literal)]
    ) -> String {
        let head: [(String, Literal)] = [
            ("$schema", .text("https://json-schema.org/draft/2020-12/schema")),
            ("title", .text(title)), ("description", .text(description)),
        ]
        let definitions: [(String, Literal)] = [
            ("$defs", .mapping([(variableName, .mapping(variable))]))
        ]
        return Literal.mapping(head + definitions + keywords).json + "\n"
    }

    private static let variableName = "variable"
    /// What the text of a scalar has whose value comes from the environment.
    private static let variablePattern = "\\$\\{"
    private static let variable: [(String, Literal)] = [
        ("description", .text("${NAME} or ${NAME:-DEFAULT}, from the environment.")),
        ("type", .text("string")), ("pattern", .text(variablePattern)),
    ]
    private static let reference = Literal.mapping([("$ref", .text("#/$defs/\(variableName)"))])

    private static func schema(_ key: KeyShape) -> Literal {
        var entries: [(String, Literal)] = [("description", .text(key.meaning))]
        switch key.fallback {
        case .none, .mapping: break
        case .some(let fallback): entries.append(("default", fallback))
        }
        return .mapping(entries + keywords(key.shape))
    }

    private static func keywords(_ section: SectionShape) -> [(key: String, value: Literal)] {
        let required = section.keys.filter(\.isRequired).map { Literal.text($0.name) }
        return [
            ("type", .text("object")),
            ("properties", .mapping(section.keys.map { ($0.name, schema($0)) })),
            ("required", .list(required)),
            ("additionalProperties", .boolean(false)),
        ]
    }

    /// What fits a shape, or names a variable that may have it.
    private static func keywords(_ shape: Shape) -> [(String, Literal)] {
        switch shape {
        case .text, .quantity, .list, .section, .named: own(shape)
        case .integer, .number, .boolean, .words:
            [("anyOf", .list([.mapping(own(shape)), reference]))]
        case .either:
            [("anyOf", .list(shape.alternatives.map { .mapping(own($0)) } + [reference]))]
        }
    }

    private static func own(_ shape: Shape) -> [(String, Literal)] {
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
        case .text(_, let pattern): text(pattern)
        case .quantity(let quantity, _, _): text(quantity.pattern)
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
        case .either: [("anyOf", .list(shape.alternatives.map { .mapping(own($0)) }))]
        }
    }

    private static func text(_ pattern: String) -> [(String, Literal)] {
        [("type", .text("string")), ("pattern", .text("\(pattern)|\(variablePattern)"))]
    }
}
