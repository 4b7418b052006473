// Signals as events of the loop, so that no code ever runs in a signal handler.

internal import CShims
internal import Glibc

/// A signal that means something to the gateway.
package enum ProcessSignal: Sendable {
    /// SIGTERM or SIGINT: drain and end; a second one ends at once.
    case terminate
    /// SIGHUP: read the policy again.
    case reload
    /// SIGUSR1: open the log files again, after they were rotated.
    case reopenLogs
    /// SIGUSR2: start the program on disk, which takes over.
    case upgrade
}

/// Takes SIGTERM, SIGINT, SIGHUP, SIGUSR1 and SIGUSR2 from a descriptor.
package final class SignalSource: EventHandler {
    private let descriptor: Descriptor
    private let received: (ProcessSignal) -> Void

    /// Blocks the signals for this thread and those it starts, and ignores SIGPIPE: call it before
    /// any thread is started.
    package static func blockSignals() {
        penstock_ignore_sigpipe()
        penstock_block_signals()
    }

    /// Starts listening for signals.
    package init(reactor: Reactor, _ received: @escaping (ProcessSignal) -> Void)
        throws(SystemError)
    {
        let number = penstock_signal_descriptor()
        guard number >= 0 else { throw SystemError("create a signal descriptor") }
        descriptor = Descriptor(owning: number)
        self.received = received
        super.init()
        guard reactor.register(self, descriptor: number, interest: .readable) else {
            throw SystemError("watch for signals")
        }
    }

    /// Reads what has arrived.
    public override func ready(_ readiness: Readiness) {
        while true {
            switch penstock_read_signal(descriptor.rawValue) {
            case 0: return
            case SIGHUP: received(.reload)
            case SIGUSR1: received(.reopenLogs)
            case SIGUSR2: received(.upgrade)
            default: received(.terminate)
            }
        }
    }
}
