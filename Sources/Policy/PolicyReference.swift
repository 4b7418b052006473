// The keys of policies for people: part by part, and as Markdown tables for the documentation.

/// Describes policies to people.
package enum PolicyReference {
    /// A part of a policy, in one table.
    package struct Part {
        /// What the part is called, in Markdown.
        package let heading: String
        package let keys: [Key]
    }

    /// What can be set at one place.
    package struct Key {
        /// From the root, with dots between; `[]` stands for a list's elements, `NAME` for a name.
        package let path: String
        package let type: String
        /// In Markdown: the value, `none`, `required`, or nothing for mappings.
        package let fallback: String
        /// Empty where the type says it all.
        package let range: String
        /// In Markdown.
        package let meaning: String
    }

    /// All parts of a policy, each before its own parts.
    package static var parts: [Part] {
        var tables = [Table(heading: "Top level", path: "", section: PolicySections.policy.shape)]
        var parts: [Part] = []
        while !tables.isEmpty {
            let table = tables.removeFirst()
            var below: [Table] = []
            let keys = keys(of: table.section, path: table.path, isTop: table.path.isEmpty, &below)
            parts.append(Part(heading: table.heading, keys: keys))
            // A part's own parts follow it at once.
            tables.insert(contentsOf: below, at: 0)
        }
        return parts
    }

    /// A heading and a table for each part of a policy: key, type, default, range, meaning.
    package static func markdown() -> String {
        parts.map { part in
            "### \(part.heading)\n\n| Key | Type | Default | Range | Meaning |\n"
                + "|---|---|---|---|---|\n" + part.keys.map(row).joined(separator: "\n") + "\n"
        }.joined(separator: "\n")
    }

    private struct Table {
        var heading: String
        var path: String
        var section: SectionShape
    }

    private static func keys(
        of section: SectionShape, path: String, isTop: Bool, _ tables: inout [Table]
    ) -> [Key] {
        var keys: [Key] = []
        for key in section.keys {
            let path = path.isEmpty ? key.name : "\(path).\(key.name)"
            let (place, sections) = sections(below: key.shape, path: path)
            keys.append(Self.key(path, key))
            if sections.count == 1, !isTop {
                keys += Self.keys(of: sections[0], path: place, isTop: false, &tables)
            } else {
                tables += sections.map { section in
                    let name =
                        sections.count > 1 ? section.algorithm.map { ", algorithm \($0)" } : nil
                    return Table(heading: "`\(place)`\(name ?? "")", path: place, section: section)
                }
            }
        }
        return keys
    }

    /// The mappings that a key may have, and the path of what is in them.
    private static func sections(below shape: Shape, path: String) -> (String, [SectionShape]) {
        switch shape {
        case .section(let section): (path, [section])
        case .named(let value, _, _): sections(below: value, path: path + ".NAME")
        case .list(let element, _, _): sections(below: element, path: path + "[]")
        case .either where shape.endsInList:
            // One element stands for a list of one, and has the same keys.
            sections(below: shape.alternatives[shape.alternatives.count - 1], path: path)
        case .either:
            (path, shape.alternatives.flatMap { sections(below: $0, path: path).1 })
        case .integer, .number, .boolean, .words, .text, .quantity: (path, [])
        }
    }

    private static func key(_ path: String, _ key: KeyShape) -> Key {
        let fallback =
            switch key.fallback {
            case _ where key.isRequired: "required"
            case .none: "none"
            case .mapping: ""
            case .some(let fallback): "`\(fallback.yamlInline)`"
            }
        return Key(
            path: path, type: key.shape.type, fallback: fallback, range: key.shape.range,
            meaning: key.meaning)
    }

    private static func row(_ key: Key) -> String {
        let cells = ["`\(key.path)`", key.type, key.fallback, key.range, key.meaning]
        return "| " + cells.map { $0.replacing("|", with: "\\|") }.joined(separator: " | ") + " |"
    }
}

extension SectionShape {
    /// The one word that the key `algorithm` takes, where a mapping has that key.
    fileprivate var algorithm: String? {
        guard case .words(let words) = keys.first(where: { $0.name == "algorithm" })?.shape else {
            return nil
        }
        return words.first
    }
}
