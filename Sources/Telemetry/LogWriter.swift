// Where log lines go. Writing to a disk or a pipe can block for as long as it likes, so the reactor
// only copies a line into memory; a thread of the writer's own carries the lines out. What does not
// fit is dropped and counted: a gateway that stalls because nobody reads its log would be worse.

import CShims
import Glibc
package import Policy
import Synchronization

/// A bounded sink for lines, with a thread that writes them to a file or a standard stream.
///
/// `append` never blocks on I/O. Lines reach the destination within about 10 ms, many at a time.
/// Two logs with the same destination must share one writer, or their lines mix.
package final class LogWriter: Sendable {
    /// What became of the lines so far.
    package struct Statistics: Equatable, Sendable {
        /// Lines lost: the memory was full, the destination refused them, or the writer was closed.
        package var linesDropped: UInt64 = 0
        /// Failed attempts to write (disk full, reader gone) or to open the destination again.
        package var errors: UInt64 = 0

        /// Nothing lost yet.
        package init() {}
    }

    /// Why a log could not be started.
    package enum Failure: Error, Equatable, CustomStringConvertible {
        /// The file could not be opened, with the system's error number.
        case cannotOpen(path: String, code: Int32)
        /// The process is out of descriptors or threads, with the system's error number.
        case exhausted(code: Int32)

        /// One line for the operator.
        package var description: String {
            switch self {
            case .cannotOpen(let path, let code):
                "cannot open log file \(path): \(systemError(code))"
            case .exhausted(let code): "cannot start a log writer: \(systemError(code))"
            }
        }
    }

    private let sink: LogSink

    /// Opens `destination` (a file is made if missing, and appended to) and starts the thread.
    ///
    /// At most `capacityBytes` wait in memory, and as many again are on their way out.
    package init(
        destination: LogSettings.Destination, capacityBytes: Int = 4 << 20
    ) throws(Failure) {
        sink = try LogSink(destination: destination, capacityBytes: capacityBytes)
        try sink.start()
    }

    deinit { sink.stop() }

    /// Why `destination` could not be opened; nil where it could.
    static func failure(_ destination: LogSettings.Destination) -> Failure? {
        guard case .file(let path) = destination, let code = LogSink.fault(path) else { return nil }
        return .cannotOpen(path: path, code: code)
    }

    /// What became of the lines so far.
    package var statistics: Statistics { sink.statistics }

    /// Adds `line`, which has no line feed, or drops it when the memory is full.
    ///
    /// For any thread; never waits for the destination.
    package func append(_ line: Span<UInt8>) { sink.append(line) }

    /// Opens a file destination again, as log rotation needs it; lines added before go to the old
    /// file.
    ///
    /// Where that fails, the old file stays in use and the failure is counted.
    package func reopen() { sink.reopen() }

    /// The policy names the same file by this `destination` from now on: there it is opened again.
    func follow(_ destination: LogSettings.Destination) {
        if case .file(let path) = destination { sink.follow(path) }
    }

    /// Waits until the lines added so far are written or lost, at most for `limit`; whether they
    /// are.
    ///
    /// Blocks the calling thread: for the end of the process, not for the reactor.
    @discardableResult
    package func flush(within limit: Duration) -> Bool { sink.flush(within: limit) }

    /// Ends the thread without a line; a file that was made for it goes too, if it is empty.
    ///
    /// For a log that was opened and does not come into use.
    package func discard() { sink.discard() }

    /// Flushes for at most `limit` and ends the thread; lines added from now on are dropped.
    ///
    /// Returns whether all lines were written or lost in time; the thread ends later where not.
    @discardableResult
    package func close(within limit: Duration) -> Bool {
        sink.stop()
        return sink.flush(within: limit)
    }
}

/// The system's words for an error number.
func systemError(_ code: Int32) -> String {
    // strerror returns a valid C string for every number, which is copied before the next call.
    unsafe String(cString: strerror(code))
}
