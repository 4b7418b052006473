// What a worker has of one gateway: the connections there, whether they wait or carry a request, and what is on its way.

internal import Admission
internal import Bytes
internal import HTTP1
internal import Logging
internal import Policy
internal import Reactor

/// A worker's connections to one gateway.
final class GatewayLink {
    private unowned let credits: Credits
    private let shard: Shard
    private let place: CreditSettings.Place
    private let target: DialTarget
    private let line = DialLine()
    private let request: (_ isControl: Bool) -> [UInt8]
    /// The connection that is no credit, over which the gateway asks for signs of life.
    private var control: ClientConnection?
    private var controlDial: Dial?
    private var controlHandshake: CreditHandshake?
    private var controlPause = CreditPause()
    private var connections: [ObjectIdentifier: ClientConnection] = [:]
    private var handshakes: [ObjectIdentifier: CreditHandshake] = [:]
    private var dials: [Int: Dial] = [:]
    private var dialCount = 0
    private var pause = CreditPause()
    private var waiting = 0
    private var waitingSaidAt = Instant(nanoseconds: .min / 2)
    private var bareSince: Instant?
    private var hadSince: Instant?
    /// Connections that the gateway lets be there, as far as it has said so of late.
    private var most = Int.max
    private var mostSaidAt = Instant(nanoseconds: .min / 2)
    private var watch = SilenceWatch()
    /// What the log was told: of failures, by kind, and whether it says that the gateway is reached.
    private var lines = QuietLines(Trouble.allCases.count)
    private var isReached = false
    private var isStopped = false
    /// Whether connections end because they are closed here.
    private var isClosing = false

    /// For how long it counts what a gateway says of its queue, and that it takes no more connections.
    private static let waitingNanoseconds: Int64 = 1_000_000_000
    private static let mostNanoseconds: Int64 = 30_000_000_000
    private static let dialMilliseconds = 5_000

    /// What the log tells of, each kind in lines of its own.
    private enum Trouble: Int, CaseIterable {
        case notReached, refuses, asksToWait

        var text: String { self == .notReached ? "gateway not reached" : "gateway refuses" }
    }

    init(
        _ credits: Credits, to place: CreditSettings.Place, in shard: Shard,
        asking request: @escaping (_ isControl: Bool) -> [UInt8]
    ) {
        self.credits = credits
        self.shard = shard
        self.place = place
        self.request = request
        target = DialTarget(place.address, credentials: place.credentials)
        bareSince = shard.reactor.now
    }

    private var now: Instant { shard.reactor.now }

    /// Where it leads, as it was written.
    var label: String { place.address.label }

    /// How it stands now, for the plan.
    func look() -> CreditPlan.Place {
        var idle = handshakes.count + dials.count
        var busy = 0
        for connection in connections.values {
            if connection.isIdle { idle += 1 } else { busy += 1 }
        }
        if idle + busy == 0 {
            bareSince = bareSince ?? now
        } else if bareSince != nil {
            bareSince = nil
            hadSince = now
        }
        if now.nanoseconds(since: mostSaidAt) >= GatewayLink.mostNanoseconds { most = .max }
        let isFresh = now.nanoseconds(since: waitingSaidAt) < GatewayLink.waitingNanoseconds
        return CreditPlan.Place(
            idle: idle, busy: busy, waiting: isFresh ? waiting : 0, most: most,
            isReachable: now >= pause.endsAt && !isStopped, isProven: !connections.isEmpty,
            bareSince: bareSince, hadSince: hadSince)
    }

    // MARK: Opening

    /// Opens so many connections more.
    func open(_ count: Int) {
        for _ in 0..<count where !isStopped && now >= pause.endsAt { dial() }
    }

    private func dial() {
        let number = dialCount
        dialCount += 1
        let dial = shard.dialler.dial(
            target, in: line, timeoutMilliseconds: GatewayLink.dialMilliseconds, now: now
        ) { [unowned self] result in
            dials[number] = nil
            switch consume result {
            case .connected(let transport): shakeHands(over: transport)
            case .failed(let failure): failed(.notReached, "\(failure.cause.name)")
            }
        }
        guard let dial else { return failed(.notReached, "out of memory") }
        dials[number] = dial
    }

    private func shakeHands(over transport: consuming Transport) {
        let handshake = CreditHandshake(self, transport, in: shard.reactor, isControl: false)
        handshakes[ObjectIdentifier(handshake)] = handshake
        handshake.watchForDeath()
        guard handshake.begin(request(false)) else {
            handshakes[ObjectIdentifier(handshake)] = nil
            handshake.close()
            return failed(.notReached, "out of descriptors")
        }
    }

    /// Opens the connection that is no credit, where there is none and the gateway is there.
    func keepControl() {
        guard !isStopped, !connections.isEmpty, now >= controlPause.endsAt, control == nil,
            controlDial == nil, controlHandshake == nil
        else { return }
        controlDial = shard.dialler.dial(
            target, in: line, timeoutMilliseconds: GatewayLink.dialMilliseconds, now: now
        ) { [unowned self] result in
            controlDial = nil
            guard case .connected(let transport) = consume result else { return missControl() }
            let handshake = CreditHandshake(self, transport, in: shard.reactor, isControl: true)
            controlHandshake = handshake
            handshake.watchForDeath()
            if !handshake.begin(request(true)) { missControl() }
        }
        if controlDial == nil { missControl() }
    }

    private func missControl() {
        controlHandshake = nil
        controlPause.failed(random: shard.drawSeed(), now: now)
    }

    /// A connection has changed sides: the gateway asks, and is answered here.
    func accepted(_ handshake: CreditHandshake, _ transport: consuming Transport, early: [UInt8]) {
        if handshake.isControl {
            controlHandshake = nil
            return serve(transport, early: early, isControl: true)
        }
        handshakes[ObjectIdentifier(handshake)] = nil
        credits.lookSoon()
        serve(transport, early: early, isControl: false)
        guard !isReached else { return }
        isReached = true
        shard.logger.notice("gateway serves from here", metadata: ["gateway": "\(label)"])
    }

    private func serve(_ transport: consuming Transport, early: [UInt8], isControl: Bool) {
        guard !isStopped, !shard.hasEnded, shard.reserveConnection() else { return }
        _ = shard.group.assign(acceptedBy: shard.index)
        let connection = ClientConnection(
            shard: shard, transport: transport, peer: PeerAddress())
        connection.link = self
        // It may end at once.
        if isControl {
            control = connection
        } else {
            connections[ObjectIdentifier(connection)] = connection
        }
        if !early.isEmpty { connection.takeIn(early) }
        shard.serve(connection)
        // The kernel may have refused to watch it.
        if !connection.isOpen { ended(connection) }
    }

    /// A connection was not taken.
    func refused(_ handshake: CreditHandshake, _ refusal: CreditRefusal) {
        if handshake.isControl { return missControl() }
        handshakes[ObjectIdentifier(handshake)] = nil
        if refusal.status == 503, !connections.isEmpty {
            // It takes us, and has enough of us.
            most = connections.count
            mostSaidAt = now
            return credits.lookSoon()
        }
        let why =
            refusal.status == 0
            ? "the connection ended in its handshake" : "\(refusal.status) \(refusal.text)"
        failed(.refuses, why, retryAfterSeconds: refusal.retryAfterSeconds)
    }

    private func failed(_ trouble: Trouble, _ why: String, retryAfterSeconds: Int? = nil) {
        pause.failed(
            askedSeconds: retryAfterSeconds, random: shard.drawSeed(), now: now)
        if connections.isEmpty { isReached = false }
        credits.lookSoon()
        // A handshake that was cut when the gateway ended is another thing than that nobody is there.
        let kind = retryAfterSeconds == nil ? trouble : .asksToWait
        guard let times = lines.note(kind.rawValue, now: now) else { return }
        shard.logger.warning(
            "\(trouble.text)",
            metadata: ["gateway": "\(label)", "cause": "\(why)", "times": "\(times)"])
    }

    // MARK: Closing

    /// Closes so many of those that wait, or are only coming; how many it could.
    ///
    /// What has just been asked is answered.
    @discardableResult
    func close(_ count: Int) -> Int {
        isClosing = true
        defer { isClosing = false }
        var left = count
        for (number, dial) in dials where left > 0 {
            dials[number] = nil
            shard.dialler.cancel(dial)
            left -= 1
        }
        for (key, handshake) in handshakes where left > 0 {
            handshakes[key] = nil
            handshake.giveUp()
            left -= 1
        }
        for connection in Array(connections.values) where left > 0 && connection.isIdle {
            if connection.hasPendingInput() { continue }
            connection.end()
            left -= 1
        }
        return count - left
    }

    /// Opens nothing more, and closes what waits; requests that are under way end by themselves.
    func stop() {
        isStopped = true
        close(.max)
        if let controlDial { shard.dialler.cancel(controlDial) }
        controlDial = nil
        controlHandshake?.giveUp()
        controlHandshake = nil
        control?.abandon()
    }

    // MARK: What connections tell

    /// A connection has ended, for whatever reason.
    func ended(_ connection: ClientConnection) {
        if connection === control {
            control = nil
            if connection.receivedBytes == 0 { missControl() }
            return
        }
        guard connections.removeValue(forKey: ObjectIdentifier(connection)) != nil else { return }
        // A gateway that takes connections and ends them at once is one that could not be reached.
        if connection.receivedBytes == 0, !isClosing {
            pause.failed(random: shard.drawSeed(), now: now)
        }
        credits.lookSoon()
    }

    /// Whether a request that has come is to be served; it says how many others wait where it came from.
    ///
    /// The connection that is no credit carries nothing but questions whether the worker lives.
    func takes(_ head: borrowing RequestHead, on connection: ClientConnection) -> Bool {
        if connection === control {
            controlPause.succeeded()
            return head.method == .options
        }
        pause.succeeded()
        for field in head.fields where head.name(of: field).equals(lowercase: "penstock-queue") {
            waiting = max(0, min(Int(head.value(of: field).text) ?? 0, CreditPlan.mostWaiting))
            waitingSaidAt = now
        }
        return true
    }

    /// Ends connections whose gateway's machine is gone although something is on its way to it.
    func lookForSilence() {
        var all = connections
        if let control { all[ObjectIdentifier(control)] = control }
        let looks = all.map { ($0, unansweredMilliseconds: $1.unansweredMilliseconds) }
        for key in watch.look(looks) { all[key]?.abandon() }
    }
}
