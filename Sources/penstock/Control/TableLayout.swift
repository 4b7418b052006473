// Tables of the control socket, laid out for people.

import Telemetry

/// Lays tables out.
enum TableLayout {
    /// Columns of a cell that is not the last; longer ones push the rest of their line.
    private static let mostColumns = 48

    /// The tables of `text`, each with its columns below each other.
    static func text(of text: String) -> String {
        let tables = TextTable.tables(in: text)
        guard !tables.isEmpty else { return "nothing to show\n" }
        return tables.map { lines($0).joined(separator: "\n") + "\n" }.joined(separator: "\n")
    }

    /// The lines of a table, its heading first.
    static func lines(_ table: TextTable) -> [String] {
        let heading = table.columns.map { $0.replacing("_", with: " ").uppercased() }
        let rows = [heading] + table.rows.map { $0.map(PlainText.visible) }
        let widths = table.columns.indices.map { column in
            min(mostColumns, rows.map { $0[column].count }.max() ?? 0)
        }
        return rows.map { row in
            var line = ""
            for (column, cell) in row.enumerated() {
                let isLast = column == row.count - 1
                let padding = isLast ? 0 : max(0, widths[column] - cell.count) + 2
                line += cell + String(repeating: " ", count: padding)
            }
            while line.hasSuffix(" ") { line.removeLast() }
            return line
        }
    }
}

/// Texts that come from elsewhere, before a terminal has them.
enum PlainText {
    /// `text` without what would move a terminal's cursor or colour it.
    static func visible(_ text: String) -> String {
        String(
            String.UnicodeScalarView(
                text.unicodeScalars.map { scalar in
                    scalar == "\n" || !(scalar.value < 0x20 || 0x7f...0x9f ~= scalar.value)
                        ? scalar : "?"
                }))
    }
}
