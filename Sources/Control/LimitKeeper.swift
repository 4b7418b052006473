// Keeps the limits that were found in a file, so that a gateway that is started anew need not find them anew: twice a
// minute, where something is other than it was, and at the end. The file is written whole on a thread of its own,
// which a slow disk holds up alone; a write that fails costs nothing but that the next start begins from less.

internal import Admission
internal import Gateway
internal import Logging
internal import Policy
internal import Reactor
internal import Telemetry

/// Writes the limits of a gateway's backends into a file.
final class LimitKeeper: EventHandler {
    /// Nanoseconds from one look at the limits to the next.
    static let pauseNanoseconds: Int64 = 30_000_000_000
    /// Nanoseconds that the last write may take, at the end of the process.
    static let lastNanoseconds: Int64 = 2_000_000_000

    /// Where they are kept.
    let path: String
    private let gateway: Gateway
    private let logger: Logger
    private let mailbox: Mailbox<LimitKeeper>
    /// What was found so far.
    private(set) var learnt: LearntLimits
    private var isWriting = false
    /// Whether the log says that the file cannot be written.
    private var isFailing = false
    /// Called when the last write has ended, or has taken too long.
    private var ended: (() -> Void)?

    /// The limits in the file at `path`; where it cannot be used the log says so, and there are none.
    static func read(_ path: String, _ logger: Logger) -> LearntLimits {
        do throws(PolicyError) {
            return try LearntLimits.read(path: path, now: now)
        } catch {
            for diagnostic in error.diagnostics.prefix(3) {
                logger.warning("limits not read", metadata: ["fault": "\(diagnostic)"])
            }
            return LearntLimits()
        }
    }

    /// How old a limit may be that another process has in force as it tells of it: it waits for a minute at most.
    private static let inForceSeconds = 90

    /// The limits that another process of this gateway tells of.
    static func read(_ handed: HandoverText, _ logger: Logger) -> LearntLimits {
        do throws(PolicyError) {
            var limits = try LearntLimits.read(text: handed.limits, file: "handover", now: now)
            limits.inForceSince = now - inForceSeconds
            return limits
        } catch {
            logger.warning("limits not read", metadata: ["fault": "\(error)"])
            return LearntLimits()
        }
    }

    /// Keeps the limits of `gateway` in the file at `path`, which held `learnt`; throws when the process is out of
    /// descriptors.
    init(
        path: String, learnt: LearntLimits, of gateway: Gateway, logger: Logger
    ) throws(SystemError) {
        self.path = path
        self.learnt = learnt
        self.gateway = gateway
        self.logger = logger
        mailbox = try Mailbox()
        super.init()
        try mailbox.deliver(to: self, in: gateway.reactor)
        gateway.reactor.register(self)
        pause()
    }

    /// Seconds since 1970.
    static var now: Int { Int(ProcessClock.wallNanoseconds() / 1_000_000_000) }

    /// Keeps nothing any more.
    func stop() {
        gateway.reactor.deregister(self)
        mailbox.close(for: self)
    }

    /// Writes once more, and calls `then` when that is done, or after two seconds.
    func end(then: @escaping () -> Void) {
        ended = then
        gateway.reactor.setDeadline(
            of: self, to: gateway.reactor.now.advanced(byNanoseconds: Self.lastNanoseconds))
        write()
        if !isWriting { finish() }
    }

    override func deadlineReached() {
        guard ended == nil else { return finish() }
        write()
        pause()
    }

    private func pause() {
        gateway.reactor.setDeadline(
            of: self, to: gateway.reactor.now.advanced(byNanoseconds: Self.pauseNanoseconds))
    }

    private func finish() {
        let then = ended
        ended = nil
        then?()
    }

    /// Begins to write, where there is something new to be written.
    private func write() {
        guard !isWriting else { return }
        var next = learnt
        next.take(gateway.foundLimits, now: Self.now)
        guard next != learnt else { return }
        learnt = next
        let text = learnt.text
        isWriting = true
        do throws(SystemError) {
            try SystemThread(name: "state") { [path, mailbox] in
                var fault: String?
                do throws(TextFile.Failure) {
                    try TextFile.write(text, path: path)
                } catch {
                    fault = error.description
                }
                mailbox.send { [fault] in $0.wrote(fault) }
            }.detach()
        } catch {
            wrote(error.description)
        }
    }

    private func wrote(_ fault: String?) {
        isWriting = false
        if let fault, !isFailing {
            logger.warning("limits not kept", metadata: ["fault": "\(fault)"])
        }
        isFailing = fault != nil
        gateway.metrics.countStateWrite(failed: isFailing)
        if ended != nil { finish() }
    }
}
