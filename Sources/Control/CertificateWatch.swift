// The files of listeners' certificates, which others write anew: their folders are watched, and all files are read a moment
// after something has changed in one. They are also read every minute, for file systems that tell nothing and for links
// that lead to other folders. What cannot be used changes nothing. Reading is done on a thread of its own.

internal import Admission
internal import Gateway
internal import Logging
internal import Policy
internal import Reactor
internal import Telemetry

/// Keeps listeners' certificates as their files are.
final class CertificateWatch: EventHandler {
    private unowned let control: GatewayControl
    private let logger: Logger
    private let mailbox: Mailbox<CertificateWatch>?
    private lazy var watches = FileWatches(in: control.reactor) { [unowned self] in changed() }
    private var isReading = false
    /// Whether the files will be read in a moment, and whether something has changed since they are being read.
    private var isGathering = false
    private var isOutOfDate = false
    /// What the log was last told of, and what was found for the first time.
    private var toldFaults: [String] = []
    private var newFaults: [String] = []

    /// How long changes are gathered.
    private static let gatherNanoseconds: Int64 = 200_000_000
    /// How often the files are read although nothing is known to have changed.
    private static let rereadNanoseconds: Int64 = 60_000_000_000
    /// The same while a folder is not watched.
    private static let unwatchedNanoseconds: Int64 = 5_000_000_000
    /// How long files may fit together badly before that is told: a certificate and its key are written one after the
    /// other.
    private static let mercyNanoseconds: Int64 = 3_000_000_000
    /// Faults that are told of one reading.
    private static let mostFaults = 20

    /// Begins to watch for what `control` has.
    init(of control: GatewayControl, logger: Logger) {
        self.control = control
        self.logger = logger
        mailbox = try? Mailbox()
        super.init()
        try? mailbox?.deliver(to: self, in: control.reactor)
        control.reactor.register(self)
        follow()
    }

    /// Follows the policy in force.
    func follow() {
        watchFolders()
        // What was read for it may be out of date by now.
        if !settings.isEmpty { changed() }
    }

    /// Watches no more.
    func stop() {
        watches.stop()
        control.reactor.deregister(self)
        mailbox?.close(for: self)
    }

    override func deadlineReached() { read() }

    /// What listeners say.
    private var settings: [ListenerTLS] {
        control.gateway.policy.allListeners.compactMap(\.tls)
    }

    private func watchFolders() { watches.follow(settings.flatMap(\.files)) }

    private func changed() {
        isOutOfDate = true
        // What comes meanwhile moves nothing: who never stops would never be read.
        guard !isReading, !isGathering else { return }
        isGathering = true
        setDeadline(CertificateWatch.gatherNanoseconds)
    }

    private func setDeadline(_ nanoseconds: Int64) {
        control.reactor.setDeadline(
            of: self, to: control.reactor.now.advanced(byNanoseconds: nanoseconds))
    }

    /// Begins to read, on another thread.
    private func read() {
        guard !isReading else { return }
        isGathering = false
        isOutOfDate = false
        guard let mailbox, !settings.isEmpty else { return }
        // Before the files are read, so that no change falls between the two.
        if !watches.isWatchingAll { watchFolders() }
        isReading = true
        let policy = control.gateway.policy
        let known = control.knownCredentials.listeners
        do throws(SystemError) {
            try SystemThread(name: "certificates") {
                let read = ListenerCredentials(policy, known: known)
                mailbox.send { $0.take(read) }
            }.detach()
        } catch {
            isReading = false
            tell([error.description])
            setDeadline(CertificateWatch.rereadNanoseconds)
        }
    }

    private func take(_ read: ListenerCredentials) {
        isReading = false
        guard !control.gateway.isDraining else { return }
        let faults = read.faults.map { "\($0.path).tls: \($0.fault.error)" }
        let isNews = !faults.isEmpty && faults != toldFaults && faults != newFaults
        newFaults = faults
        if !isNews { tell(faults) }
        let changed = control.replaceCertificates(read.all)
        if !changed.isEmpty {
            control.gateway.metrics.countCertificateReload(failed: false)
            logger.notice(
                "certificates replaced",
                metadata: ["listeners": .array(changed.map { .string($0.text) })])
        }
        if isOutOfDate { return self.changed() }
        if isNews { return setDeadline(CertificateWatch.mercyNanoseconds) }
        setDeadline(
            watches.isWatchingAll
                ? CertificateWatch.rereadNanoseconds : CertificateWatch.unwatchedNanoseconds)
    }

    /// Tells what cannot be used, once for as long as it is the same.
    private func tell(_ faults: [String]) {
        guard faults != toldFaults else { return }
        toldFaults = faults
        guard !faults.isEmpty else {
            return logger.notice("certificates can be read again")
        }
        control.gateway.metrics.countCertificateReload(failed: true)
        for fault in faults.prefix(CertificateWatch.mostFaults) {
            logger.error("certificates not replaced, those in use stay: \(fault)")
        }
    }
}
