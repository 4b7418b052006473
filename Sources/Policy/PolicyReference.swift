// The keys of policies as Markdown tables, for the documentation.

/// Describes policies to people.
package enum PolicyReference {
    /// A heading and a table for each part of a policy: key, type, default, range, meaning.
    package static func markdown() -> String {
        var tables = [Table(heading: "Top level", path: "", section: PolicySections.policy.shape)]
        var text: [String] = []
        while !tables.isEmpty {
            let table = tables.removeFirst()
            var below: [Table] = []
            let rows = rows(of: table.section, path: table.path, isTop: table.path.isEmpty, &below)
            text.append(
                "### \(table.heading)\n\n| Key | Type | Default | Range | Meaning |\n"
                    + "|---|---|---|---|---|\n" + rows.joined(separator: "\n") + "\n")
            // A part's own parts follow it at once.
            tables.insert(contentsOf: below, at: 0)
        }
        return text.joined(separator: "\n")
    }

    private struct Table {
        var heading: String
        var path: String
        var section: SectionShape
    }

    private static func rows(
        of section: SectionShape, path: String, isTop: Bool, _ tables: inout [Table]
    ) -> [String] {
        var rows: [String] = []
        for key in section.keys {
            let path = path.isEmpty ? key.name : "\(path).\(key.name)"
            let (place, sections) = sections(below: key.shape, path: path)
            rows.append(row(path, key))
            if sections.count == 1, !isTop {
                rows += Self.rows(of: sections[0], path: place, isTop: false, &tables)
            } else {
                tables += sections.map { section in
                    let name =
                        sections.count > 1 ? section.algorithm.map { ", algorithm \($0)" } : nil
                    return Table(heading: "`\(place)`\(name ?? "")", path: place, section: section)
                }
            }
        }
        return rows
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

    private static func row(_ path: String, _ key: KeyShape) -> String {
        let fallback =
            switch key.fallback {
            case _ where key.isRequired: "required"
            case .none: "none"
            case .mapping: ""
            case .some(let fallback): "`\(fallback.yamlInline)`"
            }
        let cells = ["`\(path)`", key.shape.type, fallback, key.shape.range, key.meaning]
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
