// What the demo says, without running it.

import Admission
import Testing

@testable import Demo

struct DemoReportTests {
    /// Ten seconds with round figures: 1,000 clients a side, of whom 100 and 500 were served.
    private var report: DemoReport {
        var without = SideStatistics()
        without.arrived = 1_000
        without.inTime = 100
        without.gaveUp = 900
        without.latency.add(seconds: 1.9)
        var with = SideStatistics()
        with.arrived = 1_000
        with.cameBack = 200
        with.inTime = 500
        for _ in 0..<700 { with.countRefused(.waitTooLong, afterSeconds: 0.001) }
        with.latency.add(seconds: 0.9)
        func side(_ statistics: SideStatistics, wasted: Int64) -> DemoReport.Side {
            let work = BatchEngine.Work(
                busyNanoseconds: 100, usefulNanoseconds: 100 - wasted, wastedNanoseconds: wasted)
            let period = DemoReport.Period(seconds: 10, statistics: statistics, work: work)
            return DemoReport.Side(recent: period, whole: period, running: 64, waiting: 500)
        }
        var proxied = side(with, wasted: 1)
        proxied.entry = DemoReport.Entry(limit: 64, inFlight: 63, queued: 17)
        return DemoReport(
            settings: DemoSettings(), elapsedSeconds: 10, processorShare: 0.2,
            metricsAddress: "http://127.0.0.1:9/metrics", without: side(without, wasted: 90),
            with: proxied)
    }

    @Test func theSummaryHasThreeLinesWithTheFigures() {
        let lines = ReportSummary.lines(report)
        #expect(lines.count == 3)
        #expect(lines[0].contains("10 of 100 requests/s came in time"))
        #expect(lines[0].contains("90/s gave up after 2 s"))
        #expect(lines[0].contains("90 % of the backends' work"))
        #expect(lines[1].contains("50 of 120 requests/s (100 and 20 second tries) came in time"))
        #expect(lines[1].contains("70/s were told when to come back"))
        #expect(lines[2].contains("5.0 times as many"))
    }

    @Test(arguments: [20, 39, 40, 60, 80, 1000])
    func theSummaryBreaksBetweenWords(columns: Int) {
        let lines = ReportSummary.lines(report, columns: columns)
        #expect(lines.allSatisfy { $0.count <= columns })
        func words(_ lines: [String]) -> [Substring] { lines.flatMap { $0.split(separator: " ") } }
        #expect(words(lines) == words(ReportSummary.lines(report)))
        #expect((lines.count == 3) == (columns == 1000))
        // A word that is longer than the screen stays whole.
        #expect(ReportSummary.wrapped("a abcdef b", columns: 4) == ["a", "  abcdef", "  b"])
    }

    @Test(arguments: [20, 40, 60, 75, 76, 80, 200])
    func noLineIsWiderThanTheTerminal(width: Int) {
        let lines = ReportTable(width: width, isColoured: false).lines(report)
        #expect(lines.allSatisfy { $0.count <= width })
        #expect(lines.count < 24)
    }

    @Test func theTableHasBothSides() {
        let table = ReportTable(width: 80, isColoured: false).lines(report).joined(separator: "\n")
        #expect(!table.contains("\u{1b}"))
        for word in [
            "wait_too_long", "64, 63", "17", "1.86 s", "90 %", "penstock demo, 10 of 30 s",
        ] {
            #expect(table.contains(word), "\(word) is missing in \(table)")
        }
        #expect(!table.contains("queue_full"))
        let coloured = ReportTable(width: 80, isColoured: true).lines(report)
        #expect(coloured.contains { $0.contains("\u{1b}[") })
    }

    @Test func aLineHasBothSides() {
        let line = ReportLine.text(report)
        #expect(!line.contains("\n"))
        #expect(line.contains("without Penstock 10/s in time, 90/s gave up"))
        #expect(line.contains("70/s refused (wait_too_long 70), limit 64, queue 17"))
    }

    @Test func figuresAreRounded() {
        #expect(Figures.fixed(3.14159, 2) == "3.14")
        #expect(Figures.fixed(0.05, 1) == "0.1")
        #expect(Figures.fixed(-0.04, 1) == "0.0")
        #expect(Figures.fixed(9.999, 2) == "10.00")
        #expect(Figures.rate(9.94) == "9.9")
        #expect(Figures.rate(9.96) == "10")
        #expect(Figures.rate(0) == "0")
        #expect(Figures.time(0.0021) == "2.1 ms")
        #expect(Figures.time(0.99996) == "1.00 s")
        #expect(Figures.time(nil) == "-")
        #expect(Figures.share(0.876) == "88 %")
    }
}
