// Where workers come in: a listener of its own on the controlling thread, where a handshake stops no client. What has come
// in is given to the reactors.

internal import Admission
internal import HTTP1
internal import Logging
internal import Policy
package import Reactor
internal import Telemetry

/// The workers' listener at work.
package final class WorkerListener: EventHandler {
    private unowned let gateway: Gateway
    /// As the policy has it.
    private(set) var configured: ListenSettings
    private let socket: ListeningSocket
    let tls: ServerTLS
    private let handshakes: ListenerHandshakes
    private var arrivals = IndexedTable<WorkerArrival>()
    private var keys = WorkerKeyTable([])
    private var takers: Set<String> = []
    private var mostConnections = 0
    private var isPaused = false

    /// Handshakes at once, of HTTP as of TLS: they take a moment, and more wait in the kernel's backlog.
    private static let mostArrivals = 256
    private static let acceptsPerTurn = 64
    /// How long a handshake's head may take at most: workers send it at once.
    private static let headNanoseconds: Int64 = 5_000_000_000
    private static let pauseNanoseconds: Int64 = 100_000_000
    /// How often it is looked which workers have gone, and how long one is remembered that has no connection.
    private static let lookNanoseconds: Int64 = 5_000_000_000
    private static let memoryNanoseconds: Int64 = 10_000_000_000

    init(
        _ settings: ListenSettings, _ socket: consuming ListeningSocket,
        _ credentials: ServerCredentials?, gateway: Gateway
    ) throws(SystemError) {
        self.gateway = gateway
        handshakes = ListenerHandshakes(of: gateway)
        configured = settings
        self.socket = socket
        tls = ServerTLS(credentials)
        super.init()
        guard reactor.register(self, descriptor: self.socket.rawValue, interest: .readable) else {
            throw SystemError("watch \(settings.address.text)")
        }
        look()
    }

    /// The loop that it lives in.
    var reactor: Reactor { gateway.reactor }

    /// Where it really listens.
    var address: ListenAddress { socket.address }

    /// What it shows of itself; nil where it speaks in the clear.
    var credentials: ServerCredentials? { tls.credentials }

    /// The same for the pages.
    var certificates: [CertificateSnapshot] { tls.shown(at: address) }

    /// Its socket, for another process.
    var givenSocket: GivenSocket {
        GivenSocket(
            number: socket.rawValue, configured: configured.address, actual: socket.address,
            file: socket.file)
    }

    /// Follows a policy that is in force.
    func follow(_ policy: Policy, _ credentials: ServerCredentials?) {
        guard let workers = policy.workers else { return }
        if workers.listen.access != configured.access {
            try? socket.file?.change(to: workers.listen.access)
        }
        configured = workers.listen
        tls.replace(credentials)
        keys = WorkerKeyTable(workers.keys)
        takers = Set(policy.pools.filter { $0.workers != nil }.map(\.name))
        mostConnections = workers.maxConnections
    }

    /// Stops listening, and ends the handshakes that are under way.
    func close() {
        reactor.deregister(self, keepingOpen: socket.rawValue)
        socket.file?.remove()
        handshakes.giveUp()
        for arrival in arrivals.all { arrival.end() }
    }

    /// Another process has the socket, and its file.
    func giveAway() {
        socket.file?.giveAway()
        close()
    }

    // MARK: Accepting

    package override func ready(_ readiness: Readiness) { accept() }

    package override func deadlineReached() {
        gateway.forgetWorkers(emptyFor: Self.memoryNanoseconds)
        resume()
        look()
    }

    /// Accepts again, where it had stopped.
    package override func resume() {
        guard isPaused, slot >= 0 else { return }
        isPaused = false
        reactor.watch(self, descriptor: socket.rawValue, interest: .readable)
    }

    private func look() {
        let nanoseconds = isPaused ? Self.pauseNanoseconds : Self.lookNanoseconds
        reactor.setDeadline(of: self, to: reactor.now.advanced(byNanoseconds: nanoseconds))
    }

    private func pause() {
        guard !isPaused else { return }
        isPaused = true
        reactor.watch(self, descriptor: socket.rawValue, interest: [])
        look()
    }

    private func accept() {
        guard slot >= 0, !isPaused else { return }
        for _ in 0..<Self.acceptsPerTurn {
            if arrivals.count + handshakes.count >= Self.mostArrivals { makeRoom() }
            guard arrivals.count + handshakes.count < Self.mostArrivals else { return pause() }
            switch socket.accept() {
            case .connection(let descriptor, _): take(descriptor)
            case .none: return
            case .exhausted: return pause()
            }
        }
        // The kernel tells of those who still wait.
    }

    /// Ends whoever has said nothing for longest: who has no key keeps nobody out.
    private func makeRoom() {
        if handshakes.count > 0 { return handshakes.giveUpFirst() }
        let reading = arrivals.all.filter(\.isReading)
        reading.min { $0.startedAt < $1.startedAt }?.end()
    }

    private func take(_ descriptor: consuming Descriptor) {
        guard let credentials = tls.credentials else { return serve(.plain(descriptor)) }
        handshakes.begin(over: descriptor, tls, credentials) { [unowned self] session in
            serve(.secured(session))
        }
    }

    private func serve(_ transport: consuming Transport) {
        let server = gateway.policy.server
        let arrival = WorkerArrival(
            self, transport: transport,
            limits: HeadLimits(maxHeadBytes: server.maxHeadBytes, maxFields: server.maxFields))
        guard arrival.start() else { return arrival.close() }
        arrivals.insert(arrival)
        reactor.setDeadline(
            of: arrival,
            to: reactor.now.advanced(
                byNanoseconds: min(server.headTimeout.wholeNanoseconds, Self.headNanoseconds)))
        arrival.advance()
    }

    /// A connection is closed, or a reactor's.
    func forget(_ arrival: WorkerArrival) {
        arrivals.remove(arrival)
        // Whoever it was may be in the middle of something.
        if isPaused { reactor.resumeLater(self) }
    }

    // MARK: What comes of them

    /// The worker whose connection this head is of, with room for one more.
    func admit(
        _ head: borrowing RequestHead
    ) throws(WorkerRefusal) -> WorkerArrival.Place {
        let offer = try WorkerOffer(head, keys: keys, takers: takers)
        let (worker, admission) = try gateway.admit(offer, most: mostConnections)
        return WorkerArrival.Place(
            worker: worker, admission: admission, isControl: offer.field.isControl)
    }

    /// Counts what came of a handshake.
    func count(status: Int) {
        gateway.metrics.countWorkerHandshake(WorkerHandshakeResult(status: status))
    }

    /// Gives a connection to a reactor.
    func hand(_ handed: HandedTransport, to place: WorkerArrival.Place) {
        gateway.hand(handed, to: place.worker, in: place.admission, isControl: place.isControl)
    }
}
