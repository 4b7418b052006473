// Comparisons as one SVG image of bars, for a page with a light or a dark background: it brings its
// own colours for both.

/// Bars of throughput and refusals, one group for each scenario.
package enum ComparisonPlot {
    private static let width = 860.0
    private static let rowHeight = 20.0
    private static let headHeight = 46.0
    private static let nameWidth = 170.0
    private static let barWidth = 250.0

    /// The image of `comparisons`.
    package static func svg(_ comparisons: [Comparison]) -> String {
        let rows = comparisons.reduce(0) { $0 + $1.rows.count }
        let height =
            Double(rows) * rowHeight + Double(comparisons.count) * headHeight + 12
        var text = """
            <svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 \(Int(width)) \(Int(height))" role="img">
            <title>Throughput and refusals of concurrency limits</title>
            <style>
            text { font: 13px system-ui, sans-serif; fill: #24292f }
            .head { font-weight: 600 } .faint { fill: #57606a }
            .done { fill: #2f6fde } .own { fill: #1a7f37 } .refused { fill: #cf5b28 } .back { fill: #888; fill-opacity: 0.25 }
            @media (prefers-color-scheme: dark) {
            text { fill: #e6edf3 } .faint { fill: #9198a1 }
            .done { fill: #6ea8fe } .own { fill: #3fb950 } .refused { fill: #f0883e }
            }
            </style>

            """
        var top = 6.0
        for comparison in comparisons {
            text += head(comparison.name, top: top)
            top += headHeight
            for row in comparison.rows {
                text += bars(row, top: top)
                top += rowHeight
            }
        }
        return text + "</svg>\n"
    }

    private static func head(_ name: String, top: Double) -> String {
        let refused = nameWidth + barWidth + 90
        return label(Markup.escaped(name), x: 0, y: top + 16, kind: "head")
            + label(
                "throughput of the best fixed limit's", x: nameWidth, y: top + 36, kind: "faint")
            + label("refused of all requests", x: refused, y: top + 36, kind: "faint")
    }

    private static func bars(_ row: Comparison.Row, top: Double) -> String {
        let share = min(max(row.shareOfBest, 0), 1.05)
        let refused = nameWidth + barWidth + 90
        return label(Markup.escaped(row.name), x: 0, y: top + 14, kind: "name")
            + bar(share, x: nameWidth, top: top, kind: row.name == "knee" ? "own" : "done")
            + label(
                Figure.fixed(row.shareOfBest, decimals: 2), x: nameWidth + barWidth * 1.05 + 6,
                y: top + 14, kind: "value")
            + bar(row.rejectedShare, x: refused, top: top, kind: "refused")
            + label(
                Figure.fixed(100 * row.rejectedShare, decimals: 1) + " %",
                x: refused + barWidth * 1.05 + 6, y: top + 14, kind: "value")
    }

    private static func label(_ text: String, x: Double, y: Double, kind: String) -> String {
        "<text x=\"\(Int(x))\" y=\"\(Int(y))\" class=\"\(kind)\">\(text)</text>\n"
    }

    private static func bar(_ share: Double, x: Double, top: Double, kind: String) -> String {
        func rectangle(_ width: Double, _ kind: String) -> String {
            "<rect x=\"\(Int(x))\" y=\"\(Int(top) + 3)\" width=\"\(Figure.fixed(width, decimals: 1))\" "
                + "height=\"14\" rx=\"2\" class=\"\(kind)\"/>\n"
        }
        return rectangle(barWidth, "back") + rectangle(max(share, 0) * barWidth, kind)
    }
}
