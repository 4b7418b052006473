// A file of lines on its way through a gateway: one connection after another, until every line has an answer.
// What is done stands in the file of answers and nowhere else.

internal import Admission
internal import Bulk
internal import Bytes
import Demo
import Policy
internal import Reactor

/// One run of `penstock bulk`.
final class BulkTransfer: EventHandler {
    /// Where lines go, and in whose name.
    struct Settings {
        var address: BackendAddress
        var credentials: TLSCredentials?
        /// The API key; empty for none.
        var key: [UInt8]
        var keepsOrder: Bool
        /// Connections that may fail one after the other without an answer.
        var tries: Int
    }

    let settings: Settings
    let reactor: Reactor
    private let dialler: Dialler
    private let target: DialTarget
    private let dialLine = DialLine()
    private let input: BulkInput
    private let output: BulkOutput
    private var dial: Dial?
    private var connection: BulkConnection?
    private var display: BulkDisplay?
    /// Connections that have failed since the last answer.
    private var failures = 0
    private var answersBefore = 0
    private var random = SystemRandomNumberGenerator()
    private var ending: String?
    private let beganAt = MonotonicClock.now
    private let countBefore: Int

    private static let dialMilliseconds = 10_000
    /// The longest wait before another connection, in nanoseconds.
    private static let mostDelay = 30e9

    init(_ settings: Settings, input: String, output: String) throws {
        self.settings = settings
        self.input = try BulkInput(input)
        self.output = try BulkOutput(output)
        countBefore = self.output.journal.count
        reactor = try Reactor()
        dialler = Dialler(reactor: reactor)
        target = DialTarget(settings.address, credentials: settings.credentials)
        super.init()
        reactor.register(self)
    }

    /// Lines that have an answer without a status of 2xx.
    var failedCount: Int { output.journal.failed }

    /// Answers that there are.
    var journal: BulkJournal { output.journal }

    /// Lines that the input has, about, until all were seen.
    var estimatedLines: Int {
        max(journal.count, input.lines ?? input.estimatedLines)
    }

    /// Answers that came in this run, and since when.
    var recent: (answers: Int, seconds: Double) {
        (journal.count - countBefore, max(1e-3, MonotonicClock.now.seconds(since: beganAt)))
    }

    /// Goes on until every line has an answer; why not, where that cannot be.
    func run() -> String? {
        display = BulkDisplay(self)
        guard let signals = try? SignalSource(reactor: reactor, { [unowned self] _ in stop() })
        else { return "no signals can be waited for" }
        connect()
        withExtendedLifetime(signals) { reactor.run() }
        display?.finish()
        output.close()
        return ending
    }

    /// What came of it, in one line.
    var summary: String {
        let (answers, seconds) = recent
        let rate = Int(Double(answers) / seconds)
        let before = countBefore > 0 ? ", \(countBefore) of them before" : ""
        let time = "\(Int(seconds * 10) / 10).\(Int(seconds * 10) % 10)"
        return "\(journal.count) answers\(before): \(journal.count - journal.failed) completed, "
            + "\(journal.failed) failed; \(time) s, \(rate)/s"
    }

    private func stop() {
        end("stopped; started again with the same files, it goes on")
    }

    private func end(_ text: String?) {
        ending = text
        connection?.close()
        connection = nil
        if let dial { dialler.cancel(dial) }
        dial = nil
        reactor.stop()
    }

    // MARK: Connections

    override func deadlineReached() { connect() }

    private func connect() {
        do {
            try input.rewind(to: journal.doneBelow)
        } catch {
            return end("\(error.description)")
        }
        if input.lines.map({ journal.doneBelow >= $0 }) == true { return end(nil) }
        dial = dialler.dial(
            target, in: dialLine, timeoutMilliseconds: BulkTransfer.dialMilliseconds,
            now: MonotonicClock.now
        ) { [unowned self] result in
            dial = nil
            switch consume result {
            case .connected(let transport): begin(transport)
            case .failed(let failure):
                failed("no connection to the gateway (\(failure.cause.name))", after: nil)
            }
        }
        if dial == nil { end("no memory is left") }
    }

    private func begin(_ transport: consuming Transport) {
        let connection = BulkConnection(self, transport, input, first: journal.doneBelow)
        self.connection = connection
        guard connection.begin() else {
            return failed("the connection cannot be watched", after: nil)
        }
    }

    /// A line of an answer has come.
    func take(_ line: Span<UInt8>) -> BulkEnd? {
        do {
            return try output.take(line)
        } catch {
            end((error as? SystemError)?.description ?? (error as? BulkFailure)?.text ?? "\(error)")
            return nil
        }
    }

    /// Has what came reach the file.
    func flush() {
        do {
            try output.flush()
        } catch {
            end(error.description)
        }
    }

    /// The connection has ended with that line, or without one.
    func ended(_ last: BulkEnd?) {
        connection?.close()
        connection = nil
        flush()
        if let lines = input.lines, journal.doneBelow >= lines { return end(nil) }
        switch last?.code {
        case nil where last != nil:
            failed("the gateway ended before it had answered every line", after: nil)
        case nil: failed("the connection broke", after: nil)
        case let code?: failed("the gateway ended the request: \(code)", after: nil)
        }
    }

    /// The gateway has refused the request with that status.
    func refused(_ status: Int, _ body: [UInt8], retryAfterSeconds: Int?) {
        connection?.close()
        connection = nil
        let text = String(decoding: body.prefix(500), as: UTF8.self).split(separator: "\n").joined(
            separator: " ")
        if [408, 429, 500, 502, 503, 504, 529].contains(status) {
            failed("status \(status): \(text)", after: retryAfterSeconds ?? 1)
        } else {
            end("the gateway says \(status): \(text)")
        }
    }

    /// A connection has failed: another one follows, unless too many have.
    private func failed(_ text: String, after seconds: Int?) {
        connection?.close()
        connection = nil
        if journal.count > answersBefore { failures = 0 }
        answersBefore = journal.count
        failures += 1
        guard failures < settings.tries else {
            return end("\(text); \(failures) tries, after \(journal.count) answers")
        }
        display?.note(text)
        let longest = min(BulkTransfer.mostDelay, 0.1e9 * Double(1 << min(failures - 1, 20)))
        let delay =
            seconds.map { Double(min($0, 3600)) * 1e9 }
            ?? Double.random(in: 0...longest, using: &random)
        reactor.setDeadline(
            of: self, to: MonotonicClock.now.advanced(byNanoseconds: Int64(delay)))
    }
}
