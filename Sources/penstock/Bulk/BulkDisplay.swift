// How far a transfer is, on a terminal: a line that is drawn anew twice a second.

internal import Admission
internal import Bulk
import Demo
internal import Reactor

/// The progress of a transfer.
final class BulkDisplay: EventHandler {
    private unowned let transfer: BulkTransfer
    private var terminal = Terminal()
    /// What went wrong last, and was tried again.
    private var trouble = ""

    private static let everyNanoseconds: Int64 = 500_000_000
    private static let barColumns = 24

    init(_ transfer: BulkTransfer) {
        self.transfer = transfer
        super.init()
        guard terminal.isInteractive else { return }
        transfer.reactor.register(self)
        deadlineReached()
    }

    /// Says what went wrong, and is tried again.
    func note(_ text: String) {
        trouble = text
        guard !terminal.isInteractive else { return }
        var standardError = StandardError()
        print("\(text); trying again", to: &standardError)
    }

    override func deadlineReached() {
        draw()
        transfer.reactor.setDeadline(
            of: self,
            to: MonotonicClock.now.advanced(byNanoseconds: BulkDisplay.everyNanoseconds))
    }

    /// Shows the end.
    func finish() {
        guard terminal.isInteractive else { return }
        draw()
        terminal.endDrawing()
    }

    private func draw() {
        let (answers, seconds) = transfer.recent
        var lines = [
            BulkDisplay.line(
                transfer.journal.count, of: transfer.estimatedLines,
                failed: transfer.journal.failed, answers: answers, seconds: seconds)
        ]
        if !trouble.isEmpty {
            lines.append(String("last trouble: \(trouble)".prefix(terminal.width)))
        }
        terminal.draw(lines)
    }

    /// `count` of about `all` lines are answered, `answers` of them in the last `seconds`.
    static func line(_ count: Int, of all: Int, failed: Int, answers: Int, seconds: Double)
        -> String
    {
        let share = all > 0 ? min(1, Double(count) / Double(all)) : 0
        let full = Int(share * Double(barColumns))
        let bar =
            String(repeating: "#", count: full) + String(repeating: "-", count: barColumns - full)
        let rate = Double(answers) / max(seconds, 1e-3)
        let left = rate > 0 ? Int(Double(max(0, all - count)) / rate) : nil
        let time =
            left.map { "\($0 / 3600):\(two($0 / 60 % 60)):\(two($0 % 60)) left" } ?? "waiting"
        let faults = failed > 0 ? "  \(failed) failed" : ""
        return
            "[\(bar)] \(Int(share * 100)) %  \(count) of \(all)\(faults)  \(Int(rate))/s  \(time)"
    }

    private static func two(_ number: Int) -> String { number < 10 ? "0\(number)" : "\(number)" }
}
