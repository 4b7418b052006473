// How a gateway of several reactors is put together, and what its reactors say to each other. Each
// is a `Shard` of its own on a thread of its own; the first, which was made by the caller, leads.
// What they share is in `ReactorGroup` and `SharedAdmission`; everything else goes by letter.

internal import Admission
internal import Logging
internal import Policy
internal import Reactor
internal import Synchronization
internal import Telemetry

/// What a reactor of a gateway is told when it begins.
struct Assignment: Sendable {
    let group: ReactorGroup
    /// Which of the reactors it is; 0 leads.
    var index = 0
    let policy: Policy
    /// The admission of the policy's pools, in its order.
    let admissions: [SharedAdmission]
    let hashKey: HashKey
    let version: String
    let logger: Logger
    let accessWriter: LogWriter?
    /// Decides whatever is left to chance in this reactor.
    var seed: UInt64
}

/// A listening socket for a reactor that did not open it.
struct OpenSocket: Sendable {
    let address: ListenAddress
    let socket: Handed<ListeningSocket>
}

/// The word of a thread that it has begun, or why it could not.
private final class StartReport: Sendable {
    private let outcome = Mutex<SystemError?>(nil)
    private let arrival: Mailbox<StartReport>

    init() throws(SystemError) { arrival = try Mailbox() }

    func give(_ error: SystemError?) {
        outcome.withLock { $0 = error }
        arrival.send { _ in }
    }

    /// Waits for the word; throws the reason.
    func take() throws(SystemError) {
        arrival.wait()
        if let error = outcome.withLock({ $0 }) { throw error }
    }
}

extension Shard {
    /// Whether this is the reactor that the caller runs.
    var leads: Bool { index == 0 }

    /// Starts the other reactors, each with its part of `sockets`; throws when one cannot begin.
    func startOthers(_ assignment: Assignment, _ sockets: [[OpenSocket]]) throws(SystemError) {
        for index in 1..<max(1, group.count) {
            var other = assignment
            other.index = index
            other.seed = drawSeed()
            let told = other
            let report = try StartReport()
            let own = sockets[index - 1]
            let thread = try SystemThread(name: "reactor-\(index)") {
                do throws(SystemError) {
                    let shard = try Shard(told)
                    shard.listen(on: own)
                    report.give(nil)
                    shard.run()
                } catch {
                    report.give(error)
                }
            }
            threads.append(thread)
            try report.take()
        }
    }

    /// Ends the other reactors and waits until they have.
    func stopOthers() {
        group.send(toAllBut: index) { $0.stop() }
        for thread in threads { thread.join() }
        threads.removeAll()
    }

    /// Accepts from sockets that the leading reactor has opened.
    func listen(on sockets: [OpenSocket]) {
        for open in sockets {
            guard let socket = open.socket.take() else { continue }
            do throws(SystemError) {
                listeners.append(
                    try Listener(
                        shard: self, role: .proxy, address: open.address, socket: socket))
            } catch {
                logger.error("\(error.description)")
            }
        }
    }

    // MARK: Decisions

    /// Hands a decision about another reactor's request over.
    func handOver(_ decision: consuming Decision, _ pool: Pool) {
        let admission = pool.admission
        let owner = decision.id.reactor
        let handed = Handed(decision)
        let isTaken = group.send(to: owner) { $0.received(handed, admission) }
        if !isTaken { giveBack(handed.take(), admission) }
    }

    /// Another reactor's call of the controller led to a decision about a request of this one.
    private func received(_ handed: Handed<Decision>, _ admission: SharedAdmission) {
        guard let decision = handed.take() else { return }
        guard let exchange = openExchange(decision.id) else {
            // Its client left while the letter was under way.
            giveBack(decision, admission)
            return
        }
        carryOut(decision, exchange)
    }

    private func giveBack(_ decision: consuming Decision?, _ admission: SharedAdmission) {
        guard case .forward(_, let permit)? = consume decision else { return }
        var work = ServedWork()
        work.charge = .nothing
        if let pool = pools.first(where: { $0.admission === admission }) {
            pool.complete(permit, .cancelled(by: .client, in: .connecting), work)
        } else {
            admission.complete(
                permit, .cancelled(by: .client, in: .connecting), work, now: reactor.now)
        }
    }

    // MARK: Counters

    /// An admin page that waits for the counters of the other reactors.
    struct Gathering {
        let id: RequestID
        var reports: [ReactorReport] = []
    }

    /// Asks the other reactors for their counters; when all have answered, the page that `exchange`
    /// asks for is made.
    func gather(for exchange: Exchange) {
        let id = exchange.id
        let asker = index
        gatherings.append(Gathering(id: id))
        group.send(toAllBut: asker) { other in
            let report = other.report()
            other.group.send(to: asker) { $0.received(report, for: id) }
        }
    }

    private func received(_ report: ReactorReport, for id: RequestID) {
        guard let place = gatherings.firstIndex(where: { $0.id == id }) else { return }
        gatherings[place].reports.append(report)
        guard gatherings[place].reports.count == group.count - 1 else { return }
        let gathering = gatherings.remove(at: place)
        guard let exchange = openExchange(id), let client = exchange.client else { return }
        admin.reply(exchange, client, with: gathering.reports)
        client.advance()
    }
}

extension RequestID {
    /// Names a request by its place in a reactor's table, and how many had that place before.
    init(reactor: Int, place: Int, generation: UInt32) {
        precondition(place < 1 << 24 && reactor < 1 << 8, "a request's place is out of range")
        self.init(
            rawValue: UInt64(generation) << 32 | UInt64(reactor) << 24 | UInt64(place))
    }

    /// The reactor that has the request.
    var reactor: Int { Int(truncatingIfNeeded: rawValue >> 24) & 0xff }

    /// Where that reactor keeps it.
    var place: Int { Int(truncatingIfNeeded: rawValue) & 0xff_ffff }
}
