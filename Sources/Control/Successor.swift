// The process that takes over from this one: the program that lies on disk now, started with all listening sockets. Until
// it says that it serves, nothing has changed here; if it ends, or says nothing for a minute, nothing will have.
//
// Once it serves, this process drains, and tells it ten times a second what it still has in flight, so that both
// together send no backend more than its limit.

internal import Admission
internal import Gateway
internal import Logging
internal import Policy
internal import Reactor

/// Starts the next process of this gateway, and follows it.
final class Successor: EventHandler {
    /// What became of it.
    enum Outcome {
        /// It serves, and has the listeners at these addresses of the policy.
        case serves(pid: Int32, taken: Set<ListenAddress>)
        /// There is none, and why.
        case failed(String)
    }

    private let reactor: Reactor
    private let process: StartedProcess
    private var channel: HandoverChannel?
    private var given: [Int32: ListenAddress] = [:]
    /// Called once.
    private var settled: ((Outcome) -> Void)?
    /// What is in flight here, once it serves.
    private var inFlight: (() -> [(pool: String, counts: [String: Int])])?
    private var told: [String: [String: Int]] = [:]

    /// How long it may take until it serves: policies are read, logs opened, addresses looked up.
    private static let patienceNanoseconds: Int64 = 60_000_000_000
    /// How often it is told what is in flight.
    private static let tellNanoseconds: Int64 = 100_000_000
    /// Where the new process finds the text and the connection, as `TEXT,CONNECTION`.
    static let variable = "PENSTOCK_HANDOVER"

    /// Starts the program at `path` with the words of this process; `settled` is called once with what became of it.
    ///
    /// Throws when it cannot be started.
    init(
        path: String, sockets: [GivenSocket], text: HandoverText, in reactor: Reactor,
        settled: @escaping (Outcome) -> Void
    ) throws(SystemError) {
        self.reactor = reactor
        self.settled = settled
        var text = text
        var descriptors: [Int32] = []
        for socket in sockets {
            let number = Int32(3 + descriptors.count)
            descriptors.append(socket.number)
            text.sockets.append((number, socket.configured.text))
            if !socket.isOwn { text.managed.insert(number) }
            given[number] = socket.configured
        }
        let file = try HandoverFile(text.text)
        let (own, other) = try HandoverChannel.pair()
        let ends = Int32(3 + descriptors.count)
        descriptors += [file.number, other]
        var variables = ProcessEnvironment.all.filter { variable in
            !["LISTEN_", Successor.variable].contains { variable.hasPrefix($0) }
        }
        variables.append("\(Successor.variable)=\(ends),\(ends + 1)")
        channel = HandoverChannel(owning: own, in: reactor)
        defer { HandoverChannel.close(other) }
        do throws(SystemError) {
            process = try StartedProcess(
                path: path, words: ProcessArguments.words, variables: variables,
                descriptors: descriptors, listening: sockets.count)
        } catch {
            channel?.close()
            throw error
        }
        extendLifetime(file)
        super.init()
        reactor.register(self)
        channel?.heard = { [unowned self] in heard($0) }
        reactor.setDeadline(
            of: self, to: reactor.now.advanced(byNanoseconds: Successor.patienceNanoseconds))
    }

    /// Tells it from now on what is in flight here.
    func tell(_ inFlight: @escaping () -> [(pool: String, counts: [String: Int])]) {
        self.inFlight = inFlight
        deadlineReached()
    }

    /// Has nothing to do with it any more.
    func stop() {
        settled = nil
        inFlight = nil
        channel?.heard = { _ in }
        channel?.close()
        reactor.deregister(self)
    }

    override func deadlineReached() {
        guard let inFlight else {
            process.kill()
            return fail("it does not serve within a minute")
        }
        _ = process.hasEnded
        for (pool, counts) in inFlight() where counts != told[pool] ?? [:] {
            told[pool] = counts
            let texts = counts.map { "\t\($0.key)\t\($0.value)" }.joined()
            channel?.say("running\t\(pool)\(texts)")
        }
        reactor.setDeadline(
            of: self, to: reactor.now.advanced(byNanoseconds: Successor.tellNanoseconds))
    }

    private func heard(_ line: String?) {
        guard let line else { return fail("it has ended, and says why itself") }
        let words = line.split(separator: " ")
        guard words.first == "ready", let settled else { return }
        self.settled = nil
        reactor.setDeadline(of: self, to: .distantFuture)
        let taken = words.dropFirst().compactMap { Int32($0) }.compactMap { given[$0] }
        settled(.serves(pid: process.number, taken: Set(taken)))
    }

    private func fail(_ reason: String) {
        _ = process.hasEnded
        let settled = settled
        stop()
        settled?(.failed(reason))
    }
}
