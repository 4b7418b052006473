// One plot as SVG: lines over time, with axes, a grid and a legend. Colours are classes, so that
// the page decides what they are in the light and in the dark.

/// A plot of lines over the same times.
struct Plot {
    /// One line.
    struct Line {
        var name: String
        var values: [Double]
    }

    var title: String
    var unit: String
    /// Seconds of the points.
    var times: [Double]
    var lines: [Line]

    private static let width = 880.0
    private static let height = 220.0
    private static let left = 64.0
    private static let right = 12.0
    private static let top = 12.0
    private static let bottom = 28.0
    /// Points that a line is drawn with; of more, the highest of neighbours is kept.
    private static let maxPoints = 440

    /// The plot; `id` tells its elements from other plots' on the page.
    func svg(id: String) -> String {
        let most = Plot.roundUp(lines.flatMap(\.values).max() ?? 0)
        let end = max(times.last ?? 1, 1e-9)
        var text = """
            <figure>
            <figcaption>\(Markup.escaped(title)) <span class="unit">\(Markup.escaped(unit))</span></figcaption>
            <svg viewBox="0 0 \(Int(Plot.width)) \(Int(Plot.height))" role="img" aria-labelledby="\(id)-t \(id)-d">
            <title id="\(id)-t">\(Markup.escaped(title)) over time</title>
            <desc id="\(id)-d">\(Markup.escaped(summary))</desc>

            """
        text += grid(most: most, end: end)
        for (index, line) in lines.enumerated() {
            let points = points(line.values, most: most, end: end)
            text += "<polyline class=\"line c\(index % 8)\" points=\"\(points)\"/>\n"
        }
        text += "</svg>\n<ul class=\"legend\">"
        for (index, line) in lines.enumerated() {
            text += "<li><span class=\"key c\(index % 8)\"></span>\(Markup.escaped(line.name))</li>"
        }
        return text + "</ul>\n</figure>\n"
    }

    /// What the lines show, in words.
    private var summary: String {
        lines.map { line in
            let sum = line.values.reduce(0, +)
            let mean = line.values.isEmpty ? 0 : sum / Double(line.values.count)
            let most = line.values.max() ?? 0
            return "\(line.name): mean \(Figure.short(mean)), highest \(Figure.short(most))"
        }.joined(separator: "; ")
    }

    private func grid(most: Double, end: Double) -> String {
        var text = ""
        for step in 0...4 {
            let share = Double(step) / 4
            let y = ordinate(share * most, most: most)
            text +=
                "<line class=\"grid\" x1=\"\(Int(Plot.left))\" x2=\"\(Int(Plot.width - Plot.right))\""
            text +=
                " y1=\"\(Figure.fixed(y, decimals: 1))\" y2=\"\(Figure.fixed(y, decimals: 1))\"/>"
            text += "<text class=\"tick\" text-anchor=\"end\" x=\"\(Int(Plot.left - 6))\""
            text +=
                " y=\"\(Figure.fixed(y + 4, decimals: 1))\">\(Figure.short(share * most))</text>\n"
            let x = Plot.left + share * (Plot.width - Plot.left - Plot.right)
            text += "<text class=\"tick\" text-anchor=\"\(step == 4 ? "end" : "middle")\""
            text += " x=\"\(Figure.fixed(x, decimals: 1))\" y=\"\(Int(Plot.height - 8))\">"
            text += "\(Figure.short(share * end)) s</text>\n"
        }
        return text
    }

    private func points(_ values: [Double], most: Double, end: Double) -> String {
        let stride = max(1, (values.count + Plot.maxPoints - 1) / Plot.maxPoints)
        var points: [String] = []
        var start = 0
        while start < values.count {
            let stop = min(start + stride, values.count)
            let high = values[start..<stop].reduce(0, max)
            let x = Plot.left + times[start] / end * (Plot.width - Plot.left - Plot.right)
            let y = ordinate(high, most: most)
            points.append("\(Figure.fixed(x, decimals: 1)),\(Figure.fixed(y, decimals: 1))")
            start = stop
        }
        return points.joined(separator: " ")
    }

    private func ordinate(_ value: Double, most: Double) -> Double {
        Plot.top + (1 - value / most) * (Plot.height - Plot.top - Plot.bottom)
    }

    /// The next of 1, 2, 4, 5, 8 times a power of ten; 1 for 0.
    static func roundUp(_ value: Double) -> Double {
        guard value > 0, value.isFinite else { return 1 }
        var power = 1.0
        while power > value { power /= 10 }
        while power * 10 <= value { power *= 10 }
        return [1, 2, 4, 5, 8, 10].map { $0 * power }.first { $0 >= value } ?? value
    }
}
