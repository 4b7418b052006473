// The report for what is no terminal: one line a second, for logs of builds and for other programs.

internal import Admission

/// Writes reports as single lines.
package enum ReportLine {
    /// What happened in the last second, in one line without its end.
    package static func text(_ report: DemoReport) -> String {
        let time = "\(Figures.fixed(report.elapsedSeconds, 0)) s"
        return
            "\(time): without Penstock \(side(report.without)); with Penstock \(side(report.with))"
    }

    private static func side(_ side: DemoReport.Side) -> String {
        let recent = side.recent
        let statistics = recent.statistics
        var parts = [
            "\(Figures.rate(recent.perSecond(statistics.inTime)))/s in time",
            "\(Figures.rate(recent.perSecond(statistics.gaveUp)))/s gave up",
        ]
        if let entry = side.entry {
            let reasons = Reason.allCases.filter { statistics.refused($0) > 0 }
                .map { "\($0.name) \(Figures.rate(recent.perSecond(statistics.refused($0))))" }
            let refused = Figures.rate(recent.perSecond(statistics.refused))
            let detail = reasons.isEmpty ? "" : " (\(reasons.joined(separator: ", ")))"
            parts.append("\(refused)/s refused\(detail)")
            parts.append("limit \(entry.limit), queue \(entry.queued)")
        }
        if statistics.failed > 0 {
            parts.append("\(Figures.rate(recent.perSecond(statistics.failed)))/s failed")
        }
        let latency = statistics.latency
        parts.append("p50 \(Figures.time(latency.quantile(0.5)))")
        parts.append("p99 \(Figures.time(latency.quantile(0.99)))")
        parts.append("backends run \(side.running), hold \(side.waiting)")
        parts.append("\(Figures.share(recent.wastedShare)) wasted")
        return parts.joined(separator: ", ")
    }
}
