// Tables as text that programs can read: a line for each row, the names of the columns first, tabs between them (IANA
// text/tab-separated-values). Several follow each other with an empty line between.

package import Bytes

/// A table with the names of its columns.
package struct TextTable: Equatable, Sendable {
    /// The names.
    package let columns: [String]
    /// The rows, as long as the names.
    package private(set) var rows: [[String]] = []

    /// The value of the `Content-Type` field.
    package static let contentType = "text/tab-separated-values; charset=utf-8"

    /// A table without rows.
    package init(_ columns: String...) { self.columns = columns }

    /// A table with those columns, without rows.
    package init(_ columns: [String]) { self.columns = columns }

    /// Adds a row; what would end a cell or a line becomes a space.
    package mutating func append(_ cells: [String]) {
        precondition(cells.count == columns.count, "a row has a cell for each column")
        rows.append(
            cells.map { cell in
                String(cell.map { $0.isNewline || $0 == "\t" ? " " : $0 })
            })
    }

    /// Appends the table as text.
    package func render(into buffer: inout ByteBuffer) {
        for line in [columns] + rows {
            buffer.append(text: line.joined(separator: "\t"))
            buffer.append(text: "\n")
        }
    }

    /// The tables that `text` holds; rows that are too short or too long for their table are left out.
    package static func tables(in text: String) -> [TextTable] {
        var tables: [TextTable] = []
        var isBetween = true
        for line in text.split(separator: "\n", omittingEmptySubsequences: false) {
            if line.isEmpty {
                isBetween = true
                continue
            }
            let cells = line.split(separator: "\t", omittingEmptySubsequences: false)
                .map { String($0) }
            if isBetween {
                tables.append(TextTable(cells))
                isBetween = false
            } else if cells.count == tables[tables.count - 1].columns.count {
                tables[tables.count - 1].rows.append(cells)
            }
        }
        return tables
    }

    /// The cell of the row at `index` in the column of that name; empty where there is none.
    package func cell(_ index: Int, _ column: String) -> String {
        columns.firstIndex(of: column).map { rows[index][$0] } ?? ""
    }
}
