// Where the operational log goes and what it says, for all loggers that write it: a reload may change
// both.

package import Logging
internal import Synchronization

/// The destination and the level of loggers.
package final class LogTarget: Sendable {
    private struct State {
        var writer: LogWriter
        var level: Logger.Level
    }

    private let state: Mutex<State>

    /// Lines of `level` and above go to `writer`.
    package init(writer: LogWriter, level: Logger.Level) {
        state = Mutex(State(writer: writer, level: level))
    }

    /// Where lines go.
    package var writer: LogWriter { state.withLock { $0.writer } }

    /// Least severe level that is written.
    package var level: Logger.Level { state.withLock { $0.level } }

    /// From now on lines of `level` and above go to `writer`.
    package func change(to writer: LogWriter, level: Logger.Level) {
        state.withLock { $0 = State(writer: writer, level: level) }
    }
}
