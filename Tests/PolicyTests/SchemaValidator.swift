// A JSON Schema validator for the keywords that the policy's schema uses; any other keyword is an
// error, so that a new one cannot go unchecked. It shares nothing with the loader.

import Foundation
import Synchronization

/// A YAML or JSON value as a schema sees it.
indirect enum SchemaValue: Equatable {
    case null
    case boolean(Bool)
    case number(Double)
    case text(String)
    case list([SchemaValue])
    case mapping([String: SchemaValue])
}

/// Validates values against one schema.
struct SchemaValidator {
    /// A keyword that this validator does not know.
    struct UnknownKeyword: Error { var keyword: String }

    let schema: [String: Any]

    init(json: String) throws {
        let object = try JSONSerialization.jsonObject(with: Data(json.utf8))
        let whole = object as? [String: Any] ?? [:]
        let definitions = whole["$defs"] as? [String: Any] ?? [:]
        schema = Self.resolved(whole, definitions) as? [String: Any] ?? [:]
    }

    /// The same with definitions in place of references to them.
    private static func resolved(_ value: Any, _ definitions: [String: Any]) -> Any {
        if let list = value as? [Any] { return list.map { resolved($0, definitions) } }
        guard let mapping = value as? [String: Any] else { return value }
        if let name = mapping["$ref"] as? String {
            return definitions[name.replacing("#/$defs/", with: "")] ?? mapping
        }
        return mapping.mapValues { resolved($0, definitions) }
    }

    func accepts(_ value: SchemaValue) throws -> Bool {
        try Self.accepts(value, schema)
    }

    private static func accepts(_ value: SchemaValue, _ schema: [String: Any]) throws -> Bool {
        try schema.allSatisfy { try accepts(value, keyword: $0, $1, in: schema) }
    }

    private static func accepts(
        _ value: SchemaValue, keyword: String, _ argument: Any, in schema: [String: Any]
    ) throws -> Bool {
        switch keyword {
        case "$schema", "$defs", "title", "description", "default": return true
        case "type": return hasType(value, argument as? String)
        case "enum": return (argument as? [String] ?? []).contains { value == .text($0) }
        case "anyOf":
            return try (argument as? [[String: Any]] ?? []).contains { try accepts(value, $0) }
        default: break
        }
        switch value {
        case .text(let text) where keyword == "pattern":
            return try matches(text, argument as? String ?? "")
        case .number(let number): return acceptsNumber(number, keyword, argument as? Double ?? 0)
        case .list(let items): return try acceptsList(items, keyword, argument)
        case .mapping(let entries):
            return try acceptsMapping(entries, keyword, argument, in: schema)
        case .null, .boolean, .text:
            return true
        }
    }

    private static func hasType(_ value: SchemaValue, _ type: String?) -> Bool {
        switch (value, type) {
        case (.number(let number), "integer"): number == number.rounded()
        case (.boolean, "boolean"), (.number, "number"), (.text, "string"), (.list, "array"),
            (.mapping, "object"):
            true
        default: false
        }
    }

    /// What patterns were seen to match: the same few hundred texts are asked about a hundred thousand
    /// times, and a pattern takes longer to compile than a policy to load.
    private static let known = Mutex<[String: [String: Bool]]>([:])

    private static func matches(_ text: String, _ pattern: String) throws -> Bool {
        if let known = known.withLock({ $0[pattern]?[text] }) { return known }
        let isMatch = try Regex(pattern).firstMatch(in: text) != nil
        known.withLock { $0[pattern, default: [:]][text] = isMatch }
        return isMatch
    }

    private static func acceptsNumber(_ number: Double, _ keyword: String, _ bound: Double) -> Bool
    {
        switch keyword {
        case "minimum": number >= bound
        case "maximum": number <= bound
        case "exclusiveMinimum": number > bound
        case "exclusiveMaximum": number < bound
        default: true
        }
    }

    private static func acceptsList(
        _ items: [SchemaValue], _ keyword: String, _ argument: Any
    ) throws -> Bool {
        switch keyword {
        case "items":
            return try items.allSatisfy { try accepts($0, argument as? [String: Any] ?? [:]) }
        case "minItems": return items.count >= argument as? Int ?? 0
        case "maxItems": return items.count <= argument as? Int ?? 0
        case "uniqueItems":
            return argument as? Bool == false
                || items.indices.allSatisfy { !items[..<$0].contains(items[$0]) }
        case "properties", "required", "additionalProperties", "propertyNames", "minProperties",
            "maxProperties", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum",
            "pattern":
            return true
        default: throw UnknownKeyword(keyword: keyword)
        }
    }

    private static func acceptsMapping(
        _ entries: [String: SchemaValue], _ keyword: String, _ argument: Any,
        in schema: [String: Any]
    ) throws -> Bool {
        switch keyword {
        case "properties":
            let properties = argument as? [String: Any] ?? [:]
            return try entries.allSatisfy { name, value in
                try (properties[name] as? [String: Any]).map { try accepts(value, $0) } ?? true
            }
        case "required":
            return (argument as? [String] ?? []).allSatisfy { entries[$0] != nil }
        case "additionalProperties":
            let properties = schema["properties"] as? [String: Any] ?? [:]
            let others = entries.filter { properties[$0.key] == nil }.values
            if let isAllowed = argument as? Bool { return isAllowed || others.isEmpty }
            return try others.allSatisfy { try accepts($0, argument as? [String: Any] ?? [:]) }
        case "propertyNames":
            let schema = argument as? [String: Any] ?? [:]
            return try entries.keys.allSatisfy { try accepts(.text($0), schema) }
        case "minProperties": return entries.count >= argument as? Int ?? 0
        case "maxProperties": return entries.count <= argument as? Int ?? 0
        case "items", "minItems", "maxItems", "uniqueItems", "minimum", "maximum",
            "exclusiveMinimum", "exclusiveMaximum", "pattern":
            return true
        default: throw UnknownKeyword(keyword: keyword)
        }
    }
}
