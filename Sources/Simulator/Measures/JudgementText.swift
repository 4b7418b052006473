// Judgements as text: lines for a terminal, rows for a table in Markdown.

extension Expectation {
    /// What is measured, where, and against what.
    package var subject: String {
        var text = measure.rawValue
        if let clients { text += " of \(clients)" }
        if let backend { text += " of \(backend)" }
        if let variant { text += " with \(variant)" }
        if let window { text += ", \(window)" }
        switch standard {
        case .one: break
        case .oracle: text += " / best fixed limit's"
        case .knee: text += " / knee"
        case .capacity: text += " / capacity"
        case .variant(let name): text += " / \(name)'s"
        case .eachOther: text += ", highest / lowest"
        }
        return text
    }

    /// The bounds, such as `≥ 0.95`.
    package var bounds: String {
        let least = atLeast.map { "≥ \(Figure.short($0))" }
        let most = atMost.map { "≤ \(Figure.short($0))" }
        return [least, most].compactMap { $0 }.joined(separator: ", ")
    }
}

extension Judgement {
    /// Those of the values that the bounds are held against.
    private var found: String {
        let low = Figure.short(low)
        let high = Figure.short(high)
        guard expectation.atLeast != nil else { return high }
        guard expectation.atMost != nil, low != high else { return low }
        return "\(low) to \(high)"
    }

    /// A line for each judgement.
    package static func text(_ judgements: [Judgement]) -> String {
        judgements.map { judgement in
            var line = judgement.holds ? "pass" : "FAIL"
            line += "  \(judgement.expectation.subject): \(judgement.found)"
            line += ", has to be \(judgement.expectation.bounds)"
            let controls = judgement.controlText
            if !controls.isEmpty { line += "; fails with \(controls)" }
            let held = judgement.controlsThatHold
            if !held.isEmpty { line += "; must not hold with \(held.joined(separator: ", "))" }
            return line + "\n"
        }.joined()
    }

    private var controlText: String {
        controls.map { "\($0.name) \(Figure.short(Judgement.median($0.values)))" }
            .joined(separator: ", ")
    }

    /// The heading of the table that `rows` makes.
    package static let tableHead = """
        | scenario | what | found | has to be | where it has to fail |
        |---|---|---:|---:|---|

        """

    /// A row of Markdown for each judgement.
    package static func rows(_ judgements: [Judgement], of name: String) -> String {
        judgements.enumerated().map { index, judgement in
            let found = judgement.holds ? judgement.found : "**\(judgement.found)**"
            return "| \(index == 0 ? name : "") | \(judgement.expectation.subject) | \(found) "
                + "| \(judgement.expectation.bounds) | \(judgement.controlText) |\n"
        }.joined()
    }
}
