// The policy's files and those that it names, which are read again when they have changed, where the policy says so. It is
// looked at them half a second after something has become of one, since several may be written together; and once a minute
// besides, for file systems that tell nothing. What counts is what they hold. Reading is done on a thread of its own.

internal import Admission
internal import Gateway
internal import Policy
internal import Reactor

/// Reloads when files have changed.
final class PolicyWatch: EventHandler {
    private unowned let server: Server
    private let mailbox: Mailbox<PolicyWatch>?
    private lazy var watches = FileWatches(in: server.control.reactor) { [unowned self] in changed()
    }
    /// What the files held when they were last looked at.
    private var known: FileContents
    private var isLooking = false
    private var isGathering = false
    private var isOutOfDate = false

    private static let gatherNanoseconds: Int64 = 500_000_000
    private static let rereadNanoseconds: Int64 = 60_000_000_000
    private static let unwatchedNanoseconds: Int64 = 5_000_000_000

    /// Watches for what `server` has, whose files held `loaded` when they were read.
    init(of server: Server, loaded: FileContents) {
        self.server = server
        known = loaded
        mailbox = try? Mailbox()
        super.init()
        try? mailbox?.deliver(to: self, in: server.control.reactor)
        server.control.reactor.register(self)
        follow()
    }

    private var isWanted: Bool { server.gateway.policy.watchesFiles && !server.gateway.isDraining }

    /// Follows the policy in force.
    func follow() {
        guard isWanted else { return watches.stop() }
        // What was read for it, whatever the files hold by now.
        known.policyDigest = server.sources.digest
        watch()
        // What has changed while it was read, and files that were not known before.
        changed()
    }

    private func watch() {
        // What patterns lead to is looked up by the thread that reads.
        let (sources, file) = (server.sources, server.absolutePolicyFile)
        watches.follow(
            server.gateway.policy.reloadedFiles(besides: [file] + sources.named(at: file)),
            folders: sources.folders(at: file))
    }

    /// Watches no more.
    func stop() {
        watches.stop()
        server.control.reactor.deregister(self)
        mailbox?.close(for: self)
    }

    override func deadlineReached() { look() }

    private func changed() {
        isOutOfDate = true
        // What comes meanwhile moves nothing: who never stops would never be read.
        guard !isLooking, !isGathering else { return }
        isGathering = true
        wait(PolicyWatch.gatherNanoseconds)
    }

    private func wait(_ nanoseconds: Int64) {
        let reactor = server.control.reactor
        reactor.setDeadline(of: self, to: reactor.now.advanced(byNanoseconds: nanoseconds))
    }

    private func look() {
        guard !isLooking, let mailbox, isWanted else { return }
        isGathering = false
        isOutOfDate = false
        if !watches.isWatchingAll { watch() }
        isLooking = true
        do throws(SystemError) {
            let policy = server.gateway.policy
            let (known, file) = (server.sources, server.absolutePolicyFile)
            try SystemThread(name: "files") {
                let sources = known.now(at: file)
                var found = FileContents(of: policy.reloadedFiles(besides: sources.all))
                found.notePolicy(of: sources.all)
                mailbox.send { [found] in $0.take(found) }
            }.detach()
        } catch {
            isLooking = false
            wait(PolicyWatch.unwatchedNanoseconds)
        }
    }

    private func take(_ found: FileContents) {
        isLooking = false
        let hasChanged = found.differs(from: known)
        known = found
        // A policy that is no good is told of once: it is looked at again when it has changed.
        if hasChanged, isWanted { server.reload() }
        if isOutOfDate { return changed() }
        wait(
            watches.isWatchingAll ? PolicyWatch.rereadNanoseconds : PolicyWatch.unwatchedNanoseconds
        )
    }
}
