// The live table: both sides beside each other, redrawn in place. It is made of lines of text
// alone, so that a test can read it.

internal import Admission

/// Draws reports as tables for a terminal.
package struct ReportTable: Sendable {
    /// Columns of the terminal.
    private let width: Int
    private let isColoured: Bool
    private let isNarrow: Bool

    /// Terminals below this get short names and narrow columns.
    private static let comfortableWidth = 76

    /// A table for a terminal of `width` columns.
    package init(width: Int, isColoured: Bool) {
        self.width = max(width, 20)
        self.isColoured = isColoured
        isNarrow = width < ReportTable.comfortableWidth
    }

    private enum Style: String {
        case plain = "0"
        case bold = "1"
        case dim = "2"
        case good = "1;32"
        case bad = "1;31"
    }

    private struct Row {
        var name: String
        var shortName: String
        var without: String
        var with: String
        var styles: (without: Style, with: Style) = (.plain, .plain)
    }

    /// The table's lines, without line ends; none is wider than the terminal.
    package func lines(_ report: DemoReport) -> [String] {
        var lines = heading(report).map { painted(cut($0), .dim) }
        lines.append("")
        lines.append(
            line(
                Row(
                    name: "the last second", shortName: "", without: "without Penstock",
                    with: "with Penstock", styles: (.bold, .bold))))
        lines.append(contentsOf: rows(report).map(line))
        lines.append("")
        lines.append(painted(cut(footing(report)), .dim))
        return lines
    }

    // MARK: Text around the table

    private func heading(_ report: DemoReport) -> [String] {
        let passed = Figures.fixed(report.elapsedSeconds.rounded(.down), 0)
        let time = report.settings.seconds.map { "\(passed) of \(Figures.seconds($0))" }
        return ["penstock demo, \(time ?? "\(passed) s, Ctrl-C ends it")"]
            + (isNarrow
                ? ReportHeading.shortLines(report.settings) : ReportHeading.lines(report.settings))
    }

    private func footing(_ report: DemoReport) -> String {
        let share = Figures.share(report.processorShare)
        return report.processorShare > 0.85
            ? "the demo itself takes \(share) of a core: too much for figures to rely on"
            : "the demo itself takes \(share) of a core; \(report.metricsAddress)"
    }

    // MARK: Rows

    private func rows(_ report: DemoReport) -> [Row] {
        let (without, with) = (report.without, report.with)
        var rows = [
            bar(report),
            rate("answered in time /s", "in time /s", report, styles(report)) { $0.inTime },
            rate("gave up waiting /s", "gave up /s", report) { $0.gaveUp },
            rate("told to come back later /s", "refused /s", report) { $0.refused },
        ]
        for reason in Reason.allCases where with.whole.statistics.refused(reason) > 0 {
            let name = reason.name.description
            rows.append(rate("  \(name)", "  \(name)", report) { $0.refused(reason) })
        }
        rows.append(rate("came back /s", "came back /s", report) { $0.cameBack })
        if without.whole.statistics.failed + with.whole.statistics.failed > 0 {
            rows.append(rate("failed /s", "failed /s", report, (.bad, .bad)) { $0.failed })
        }
        rows.append(contentsOf: [
            quantile("half of the answers took", "p50", report, 0.5),
            quantile("99 of 100 took at most", "p99", report, 0.99),
            Row(
                name: "limit, in flight", shortName: "limit, in use", without: "no limit",
                with: with.entry.map { "\($0.limit), \($0.inFlight)" } ?? "-"),
            Row(
                name: "waiting in the gateway", shortName: "gateway queue", without: "no gateway",
                with: with.entry.map { "\($0.queued)" } ?? "-"),
            Row(
                name: "running at the backends", shortName: "running",
                without: "\(without.running)", with: "\(with.running)"),
            Row(
                name: "waiting at the backends", shortName: "backend queue",
                without: "\(without.waiting)", with: "\(with.waiting)"),
            Row(
                name: "backend work for clients who left", shortName: "work wasted",
                without: Figures.share(without.recent.wastedShare),
                with: Figures.share(with.recent.wastedShare)),
        ])
        return rows
    }

    private func rate(
        _ name: String, _ shortName: String, _ report: DemoReport,
        _ styles: (Style, Style) = (.plain, .plain), _ count: (SideStatistics) -> Int
    ) -> Row {
        let values = [report.without.recent, report.with.recent].map { period in
            Figures.rate(period.perSecond(count(period.statistics)))
        }
        return Row(
            name: name, shortName: shortName, without: values[0], with: values[1], styles: styles)
    }

    private func quantile(
        _ name: String, _ shortName: String, _ report: DemoReport, _ quantile: Double
    ) -> Row {
        Row(
            name: name, shortName: shortName,
            without: Figures.time(report.without.recent.statistics.latency.quantile(quantile)),
            with: Figures.time(report.with.recent.statistics.latency.quantile(quantile)))
    }

    /// What comes in time as a share of what the backends could serve, drawn.
    private func bar(_ report: DemoReport) -> Row {
        let bars = [report.without.recent, report.with.recent].map { period in
            let cells = isNarrow ? 10 : 16
            let filled = Int((period.goodShare(report.settings) * Double(cells)).rounded())
            return String(repeating: "█", count: min(filled, cells))
                + String(repeating: "░", count: max(cells - filled, 0))
        }
        return Row(
            name: "of what could be served", shortName: "of capacity", without: bars[0],
            with: bars[1], styles: styles(report))
    }

    /// Each side's own: half of what could be served, or less, is bad.
    private func styles(_ report: DemoReport) -> (Style, Style) {
        (
            report.without.recent.goodShare(report.settings) > 0.5 ? .good : .bad,
            report.with.recent.goodShare(report.settings) > 0.5 ? .good : .bad
        )
    }

    // MARK: Lines

    private func line(_ row: Row) -> String {
        // Where even the narrow table does not fit, the ends of its lines go.
        let column = isNarrow ? 14 : 18
        let name = padded(isNarrow ? row.shortName : row.name, isNarrow ? 16 : 36)
        let without = aligned(isNarrow ? short(row.without) : row.without, column)
        let with = aligned(isNarrow ? short(row.with) : row.with, column)
        if name.count + without.count + with.count > width { return cut(name + without + with) }
        return name + painted(without, row.styles.without) + painted(with, row.styles.with)
    }

    private func short(_ text: String) -> String {
        switch text {
        case "without Penstock": "without"
        case "with Penstock": "with"
        case "no limit", "no gateway": "none"
        default: text
        }
    }

    private func padded(_ text: String, _ count: Int) -> String {
        text + String(repeating: " ", count: max(0, count - text.count))
    }

    private func aligned(_ text: String, _ count: Int) -> String {
        String(repeating: " ", count: max(0, count - text.count)) + text
    }

    private func cut(_ text: String) -> String { String(text.prefix(width)) }

    private func painted(_ text: String, _ style: Style) -> String {
        isColoured && style != .plain ? "\u{1b}[\(style.rawValue)m\(text)\u{1b}[0m" : text
    }
}
