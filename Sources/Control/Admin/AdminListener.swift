// The listener for operators and their tools: it has a thread of its own with no client on it, takes few
// connections, and none of them for good.

internal import Admission
internal import Gateway
internal import HTTP1
internal import Policy
internal import Reactor
internal import Telemetry

/// What connections to the admin listener may take.
struct AdminLimits {
    let head: HeadLimits
    /// For a head, from its first byte.
    let headNanoseconds: Int64
    /// Between requests.
    let keepAliveNanoseconds: Int64
    /// Without a byte of a response being taken.
    let writeStallNanoseconds: Int64

    /// Connections held at once.
    static let maxConnections = 64

    /// As clients' connections have it.
    init(_ server: ServerSettings) {
        head = HeadLimits(maxHeadBytes: server.maxHeadBytes, maxFields: server.maxFields)
        headNanoseconds = server.headTimeout.wholeNanoseconds
        keepAliveNanoseconds = server.keepAliveTimeout.wholeNanoseconds
        writeStallNanoseconds = server.writeStallTimeout.wholeNanoseconds
    }
}

/// The admin listener's address at work.
final class AdminListener: EventHandler {
    let gateway: Gateway
    let dashboard: Dashboard
    /// What is answered here where it is the control socket; nil where it is not.
    let control: ControlPages?
    /// As the policy has it; a reload recognises it by the address.
    private(set) var configured: ListenSettings
    private(set) var limits: AdminLimits
    private let socket: ListeningSocket
    private let tls: ServerTLS
    private let handshakes: ListenerHandshakes
    private var connections: [AdminConnection] = []

    /// Connections accepted in one turn before others get theirs.
    private static let acceptsPerTurn = 64
    /// How long accepting rests when descriptors or memory are short.
    private static let pauseNanoseconds: Int64 = 100_000_000

    /// Listens as `settings` say for pages of `gateway`, in its controlling thread; throws when the address
    /// cannot be had.
    ///
    /// TLS begins with `credentials`. With `control` it is the control socket. `own` is where this process listens already.
    init(
        _ settings: ListenSettings, _ credentials: ServerCredentials?, gateway: Gateway,
        dashboard: Dashboard, server: ServerSettings, control: ControlPages? = nil,
        inherited: [Transfer<ListeningSocket>] = [], own: OwnAddresses
    ) throws(SystemError) {
        self.gateway = gateway
        self.dashboard = dashboard
        self.control = control
        tls = ServerTLS(credentials)
        handshakes = ListenerHandshakes(of: gateway)
        configured = settings
        limits = AdminLimits(server)
        if let given = inherited.first?.take() {
            socket = given
            try socket.file?.change(to: settings.access)
        } else {
            socket = try own.listen(settings)
        }
        super.init()
        guard gateway.reactor.register(self, descriptor: socket.rawValue, interest: .readable)
        else {
            throw SystemError("watch \(settings.address.text)")
        }
    }

    /// Where it really listens.
    var address: ListenAddress { socket.address }

    /// Lets those connect to a unix socket whom `access` names; throws when that cannot be.
    func change(to access: SocketAccess) throws(SystemError) {
        guard access != configured.access else { return }
        try socket.file?.change(to: access)
        configured.access = access
    }

    /// Its socket, for another process.
    var givenSocket: GivenSocket {
        GivenSocket(
            number: socket.rawValue, configured: configured.address, actual: socket.address,
            file: socket.file)
    }

    /// The keys of its tickets.
    var ticketKeys: TicketKeys { tls.tickets }

    /// Another process has the socket, and its file.
    func giveAway() { socket.file?.giveAway() }

    /// The certificates that it shows.
    var certificates: [CertificateSnapshot] { tls.shown(at: address) }

    /// What it shows of itself; nil where it speaks in the clear.
    var credentials: ServerCredentials? { tls.credentials }

    /// Takes over what a reloaded policy says of time-outs and TLS; heads that are being read keep theirs.
    func follow(
        _ server: ServerSettings, _ settings: ListenerTLS?, _ credentials: ServerCredentials?
    ) {
        limits = AdminLimits(server)
        configured.tls = settings
        tls.replace(credentials)
    }

    /// Uses other certificates from now on; whether they are others.
    func replace(_ credentials: ServerCredentials) -> Bool {
        guard credentials !== tls.credentials else { return false }
        tls.replace(credentials)
        return true
    }

    /// Stops listening for good; connections are closed, except where a response is under way that has an end.
    func close() {
        gateway.reactor.deregister(self, keepingOpen: socket.rawValue)
        // Connections that are still answered keep the listener, and the file would outlive its use.
        socket.file?.remove()
        for connection in connections where connection.isResting || connection.isWatching {
            connection.end()
        }
    }

    /// Closes all connections, whatever is under way.
    func end() {
        handshakes.giveUp()
        for connection in connections { connection.end() }
    }

    override func ready(_ readiness: Readiness) { accept() }

    override func deadlineReached() {
        gateway.reactor.watch(self, descriptor: socket.rawValue, interest: .readable)
    }

    private func accept() {
        for _ in 0..<AdminListener.acceptsPerTurn {
            switch socket.accept() {
            case .connection(let descriptor, _): take(descriptor)
            case .none: return
            case .exhausted:
                let reactor = gateway.reactor
                reactor.watch(self, descriptor: socket.rawValue, interest: [])
                reactor.setDeadline(
                    of: self,
                    to: reactor.now.advanced(byNanoseconds: AdminListener.pauseNanoseconds))
                return
            }
        }
    }

    private func take(_ descriptor: consuming Descriptor) {
        if let credentials = tls.credentials { return shakeHands(over: descriptor, credentials) }
        serve(over: .plain(descriptor))
    }

    private func shakeHands(
        over descriptor: consuming Descriptor, _ credentials: ServerCredentials
    ) {
        // Who is slowest goes.
        if handshakes.count >= AdminLimits.maxConnections { handshakes.giveUpFirst() }
        handshakes.begin(over: descriptor, tls, credentials) { [unowned self] session in
            serve(over: .secured(session))
        }
    }

    private func serve(over transport: consuming Transport) {
        // Whoever holds them all silently must not make probes fail.
        guard connections.count < AdminLimits.maxConnections || closesResting() else { return }
        let connection = AdminConnection(self, transport: transport)
        guard connection.start() else {
            connection.close()
            return
        }
        connections.append(connection)
        connection.advance()
    }

    /// Closes the connection that has rested longest; false where none does.
    private func closesResting() -> Bool {
        let resting = connections.filter { $0.isResting && !$0.hasPendingInput() }
        guard let longest = resting.min(by: { $0.restingSince < $1.restingSince }) else {
            return false
        }
        longest.end()
        return true
    }

    /// A connection is closed.
    func forget(_ connection: AdminConnection) {
        connections.removeAll { $0 === connection }
    }
}
