// What `penstock top` draws, and what keys do to it. Pure, so that tests can press keys.

import Telemetry

/// The tables of a gateway, with a backend chosen among them.
struct TopView {
    /// What a key comes to.
    enum Effect: Equatable {
        case none
        case end
        /// A change at a backend, asked for twice.
        case change(String, pool: String, backend: String)
    }

    /// What happened last, in a line.
    var note = ""
    private var tables: [TextTable] = []
    private var chosen = 0
    /// What only is shown; nil where all is.
    private var filter = ""
    private var isFiltering = false
    /// The change that was asked for once.
    private var asked: String?

    /// Takes the gateway's present tables over.
    mutating func take(_ tables: [TextTable]) {
        self.tables = tables
        chosen = min(chosen, max(0, backends.count - 1))
    }

    /// The backends that are shown, by pool and URL.
    private var backends: [(pool: String, backend: String)] {
        guard let table = tables.first(where: { $0.columns.contains("backend") }) else { return [] }
        return shownRows(table).map { (table.cell($0, "pool"), table.cell($0, "backend")) }
    }

    private func shownRows(_ table: TextTable) -> [Int] {
        table.rows.indices.filter { index in
            filter.isEmpty || !table.columns.contains("pool")
                || table.rows[index].contains { $0.lowercased().contains(filter.lowercased()) }
        }
    }

    /// The keys of what a terminal sent at once: one with a name is three bytes that begin with escape.
    static func keys(in bytes: [UInt8]) -> [[UInt8]] {
        var keys: [[UInt8]] = []
        var rest = bytes[...]
        while let first = rest.first {
            let isNamed = first == 0x1b && rest.count >= 3 && rest[rest.startIndex + 1] == 0x5b
            keys.append(Array(rest.prefix(isNamed ? 3 : 1)))
            rest = rest.dropFirst(isNamed ? 3 : 1)
        }
        return keys
    }

    /// Does what a key means.
    mutating func press(_ bytes: [UInt8]) -> Effect {
        if isFiltering { return filter(bytes) }
        let before = asked
        asked = nil
        switch bytes {
        case [0x1b, 0x5b, 0x41], [UInt8(ascii: "k")]: chosen = max(0, chosen - 1)
        case [0x1b, 0x5b, 0x42], [UInt8(ascii: "j")]:
            chosen = min(max(0, backends.count - 1), chosen + 1)
        case [UInt8(ascii: "q")]: return .end
        case [UInt8(ascii: "/")]:
            isFiltering = true
            filter = ""
        case [UInt8(ascii: "d")]: return ask("drain", before)
        case [UInt8(ascii: "u")]: return ask("undrain", before)
        default: break
        }
        note = ""
        return .none
    }

    private mutating func ask(_ name: String, _ before: String?) -> Effect {
        let shown = backends
        guard shown.indices.contains(chosen) else { return .none }
        let (pool, backend) = shown[chosen]
        let change = "\(name) \(backend) of \(pool)"
        guard before == change else {
            asked = change
            note = "\(change)? press \(name.prefix(1)) again"
            return .none
        }
        return .change(name, pool: pool, backend: backend)
    }

    private mutating func filter(_ bytes: [UInt8]) -> Effect {
        switch bytes {
        case [0x0a], [0x0d]: isFiltering = false
        case [0x1b]:
            isFiltering = false
            filter = ""
        case [0x7f], [0x08]: filter = String(filter.dropLast())
        default:
            let typed = bytes.filter { $0 >= 0x20 && $0 < 0x7f }
            filter = String((filter + String(decoding: typed, as: UTF8.self)).prefix(64))
        }
        chosen = 0
        return .none
    }

    /// The lines to draw, none longer than `width`.
    func lines(width: Int) -> [String] {
        var lines: [String] = []
        for table in tables {
            var shown = TextTable(table.columns)
            let rows = shownRows(table)
            for row in rows { shown.append(table.rows[row]) }
            guard !rows.isEmpty else { continue }
            let isOfBackends = table.columns.contains("backend")
            if !lines.isEmpty { lines.append("") }
            for (index, line) in TableLayout.lines(shown).enumerated() {
                lines.append((isOfBackends && index == chosen + 1 ? "> " : "  ") + line)
            }
        }
        lines.append("")
        let keys = "  d drain  u undrain  / filter  q end"
        lines.append(isFiltering || !filter.isEmpty ? "  /\(filter)" : keys)
        lines.append("  \(note)")
        return lines.map { String($0.prefix(max(1, width - 1))) }
    }
}
