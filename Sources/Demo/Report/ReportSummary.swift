// What the whole run comes to, in three sentences that say no more than was measured.

internal import Admission

/// Sums a run up.
package enum ReportSummary {
    /// Three lines without their ends: the side without the gateway, the side with it, and the
    /// comparison.
    package static func lines(_ report: DemoReport) -> [String] {
        [without(report), with(report), comparison(report)]
    }

    /// The same for a screen of so many columns: lines end between words, and go on below their first ones.
    package static func lines(_ report: DemoReport, columns: Int) -> [String] {
        lines(report).flatMap { wrapped($0, columns: columns) }
    }

    /// Lines of up to `columns`, but for words that are longer.
    static func wrapped(_ line: String, columns: Int) -> [String] {
        var lines: [String] = []
        var rest = line[...]
        let indentation = String(repeating: " ", count: columns < 40 ? 2 : 9)
        while rest.count > columns {
            // No line ends within what it begins with.
            let start = rest.index(rest.startIndex, offsetBy: lines.isEmpty ? 0 : indentation.count)
            let body = rest[start...]
            guard
                let end = rest.prefix(columns + 1)[start...].lastIndex(of: " ")
                    ?? body.firstIndex(of: " ")
            else { break }
            lines.append(String(rest[..<end]))
            rest = (indentation + rest[end...].drop { $0 == " " })[...]
        }
        return lines + [String(rest)]
    }

    private static func without(_ report: DemoReport) -> String {
        let period = report.without.whole
        let patience = Figures.seconds(report.settings.patience.inSeconds)
        let gaveUp = Figures.rate(period.perSecond(period.statistics.gaveUp))
        return "Without: \(inTime(period)); \(gaveUp)/s gave up after \(patience). "
            + "\(Figures.share(period.wastedShare)) of the backends' work was for clients who had left."
    }

    private static func with(_ report: DemoReport) -> String {
        let period = report.with.whole
        let statistics = period.statistics
        let gaveUp = Figures.rate(period.perSecond(statistics.gaveUp))
        let refused = Figures.rate(period.perSecond(statistics.refused))
        let latency = statistics.refusalLatency
        let speed = latency.quantile(0.5).map { ", half of them within \(Figures.time($0))" } ?? ""
        return "With:    \(inTime(period)); \(refused)/s were told when to come back\(speed); "
            + "\(gaveUp)/s gave up. \(Figures.share(period.wastedShare)) of the work was wasted."
    }

    /// "229 of 803 requests/s (690 and 113 second tries) came in time, 99 of 100 of them within 1.8
    /// s".
    private static func inTime(_ period: DemoReport.Period) -> String {
        let statistics = period.statistics
        let answered = Figures.rate(period.perSecond(statistics.inTime))
        let asked = Figures.rate(period.perSecond(statistics.arrived + statistics.cameBack))
        let first = Figures.rate(period.perSecond(statistics.arrived))
        let again = Figures.rate(period.perSecond(statistics.cameBack))
        let tries = statistics.cameBack > 0 ? " (\(first) and \(again) second tries)" : ""
        let slowest = statistics.latency.quantile(0.99)
        let latency = slowest.map { ", 99 of 100 of them within \(Figures.time($0))" } ?? ""
        return "\(answered) of \(asked) requests/s\(tries) came in time\(latency)"
    }

    private static func comparison(_ report: DemoReport) -> String {
        let (without, with) = (report.without.whole, report.with.whole)
        let before = without.statistics.inTime
        let after = with.statistics.inTime
        let shares = [without, with].map { Figures.share($0.goodShare(report.settings)) }
        let ends =
            "\(shares[0]) of what the backends could serve came in time without, \(shares[1]) with."
        guard before > 0 else { return "The same backends, the same arrivals: \(ends)" }
        let ratio = Figures.fixed(Double(after) / Double(before), 1)
        return
            "The same backends, the same arrivals: \(ratio) times as many answers in time with Penstock. \(ends)"
    }
}
