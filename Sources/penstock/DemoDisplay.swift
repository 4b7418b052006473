// Where the demo's reports are shown.

import Demo

/// Standard output during a demo: a table that is redrawn in place, or a line a second.
final class DemoDisplay {
    /// What is shown, to be ended when nobody can see it any more.
    weak var demonstration: Demonstration?
    private var terminal = Terminal()
    private var reports = 0

    /// Says what is to be seen, where no table does it all the time.
    func begin(_ settings: DemoSettings) {
        guard !terminal.isInteractive else { return }
        terminal.write("\(ReportHeading.lines(settings).joined(separator: " "))\n")
    }

    /// Shows a report; there are two a second.
    func show(_ report: DemoReport) {
        reports += 1
        if terminal.isInteractive {
            draw(report)
        } else if reports.isMultiple(of: 2) {
            terminal.write("\(ReportLine.text(report))\n")
        }
        if terminal.isBroken { demonstration?.stop() }
    }

    /// Shows the last report and sums up.
    func finish(_ report: DemoReport) {
        if terminal.isInteractive {
            draw(report)
            terminal.endDrawing()
        }
        let lines =
            terminal.isInteractive
            ? ReportSummary.lines(report, columns: terminal.width) : ReportSummary.lines(report)
        terminal.write("\n\(lines.joined(separator: "\n"))\n")
    }

    private func draw(_ report: DemoReport) {
        let table = ReportTable(width: terminal.width, isColoured: terminal.isColoured)
        terminal.draw(table.lines(report))
    }
}
