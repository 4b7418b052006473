// Backends that a file lists. Its folder is watched, and the file is read a moment after something has changed in it:
// who writes in several steps, or often, is read once. It is also read every few minutes, for file systems that tell
// nothing and for links that lead to other folders. Reading is done on a thread of its own, which a slow disk holds
// up alone.

internal import Admission
internal import Policy
internal import Reactor

/// Reads a pool's backends from a file.
final class FileSource: EventHandler, DiscoverySource {
    private let path: String
    private let reactor: Reactor
    private let mailbox: Mailbox<FileSource>
    private let found: (DiscoveryFinding) -> Void
    private lazy var watches = FileWatches(in: reactor) { [unowned self] in changed() }
    private var isReading = false
    /// Whether it will be read in a moment.
    private var isGathering = false
    /// Whether something has changed since it is being read.
    private var isOutOfDate = false
    private var isStopped = false

    /// How long changes are gathered.
    static let gatherNanoseconds: Int64 = 100_000_000
    /// How often the file is read although nothing is known to have changed, and while its folder is not watched.
    static let rereadNanoseconds: Int64 = 300_000_000_000
    static let unwatchedNanoseconds: Int64 = 5_000_000_000
    /// Faults that are told of one reading.
    private static let mostFaults = 3

    /// Reads the file at `path`, at once and from then on, and says what is in it; throws when the process is out of
    /// descriptors.
    init(
        path: String, in reactor: Reactor, found: @escaping (DiscoveryFinding) -> Void
    ) throws(SystemError) {
        self.path = path
        self.reactor = reactor
        self.found = found
        mailbox = try Mailbox()
        super.init()
        try mailbox.deliver(to: self, in: reactor)
        reactor.register(self)
        read()
    }

    func stop() {
        isStopped = true
        watches.stop()
        reactor.deregister(self)
        mailbox.close(for: self)
    }

    override func deadlineReached() { read() }

    private func changed() {
        isOutOfDate = true
        // What comes meanwhile moves nothing: who never stops would never be read.
        guard !isReading, !isGathering else { return }
        isGathering = true
        let soon = reactor.now.advanced(byNanoseconds: FileSource.gatherNanoseconds)
        reactor.setDeadline(of: self, to: soon)
    }

    /// Begins to read, on another thread.
    private func read() {
        guard !isReading else { return }
        // Before the file is read, so that no change falls between the two.
        watches.follow([path])
        isReading = true
        isGathering = false
        isOutOfDate = false
        do throws(SystemError) {
            try SystemThread(name: "backends") { [path, mailbox] in
                let finding = FileSource.finding(at: path)
                mailbox.send { $0.take(finding) }
            }.detach()
        } catch {
            take(.failed([error.description]))
        }
    }

    private func take(_ finding: DiscoveryFinding) {
        guard !isStopped else { return }
        isReading = false
        found(finding)
        // Who was told may have ended this.
        guard !isStopped else { return }
        if isOutOfDate { return changed() }
        let pause =
            watches.isWatchingAll ? FileSource.rereadNanoseconds : FileSource.unwatchedNanoseconds
        reactor.setDeadline(of: self, to: reactor.now.advanced(byNanoseconds: pause))
    }

    private static func finding(at path: String) -> DiscoveryFinding {
        do throws(PolicyError) {
            return .backends(try BackendsFile.read(path: path))
        } catch {
            var faults = error.diagnostics.prefix(mostFaults).map(\.description)
            let more = error.diagnostics.count + error.omitted - faults.count
            if more > 0 { faults.append("and \(more) more") }
            return .failed(faults)
        }
    }
}
