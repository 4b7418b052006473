// Accepts connections for one address, and stops accepting when there is no room: the kernel's
// backlog is then the back-pressure that clients feel.

internal import Admission
internal import Policy
internal import Reactor
internal import Telemetry

/// A listening address at work.
final class Listener: EventHandler {
    private let shard: Shard
    private let socket: ListeningSocket
    /// Which listener of the gateway it belongs to, by which a reload recognises it.
    let number: Int
    /// Whether and how TLS is spoken there at this moment.
    private let tls: ServerTLS
    private var isPaused = false
    /// Whether it is paused until a connection ends, and not for want of descriptors or memory.
    private(set) var waitsForRoom = false
    /// Whether it was paused before and nobody has been accepted since.
    private var isPausedAgain = false
    /// Whether it only accepts those who wait already.
    private var isFinishing = false
    /// How many of them it still accepts.
    private var acceptsLeft = 0

    /// Connections accepted in one turn before others get theirs.
    private static let acceptsPerTurn = 64
    /// How long accepting rests when descriptors or memory are short.
    private static let pauseNanoseconds: Int64 = 100_000_000

    /// Registers `socket`, of the gateway's listener `number`, with the shard's reactor.
    init(
        shard: Shard, number: Int, tls: ServerTLS, socket: consuming ListeningSocket
    ) throws(SystemError) {
        self.shard = shard
        self.number = number
        self.tls = tls
        self.socket = socket
        super.init()
        guard shard.reactor.register(self, descriptor: self.socket.rawValue, interest: .readable)
        else {
            throw SystemError("watch \(self.socket.address.text)")
        }
    }

    /// Where it really listens.
    var address: ListenAddress { socket.address }

    override func ready(_ readiness: Readiness) { accept() }

    override func deadlineReached() { resumeAccepting() }

    override func resume() { accept() }

    /// Stops listening for good, when all who wait to be accepted have been: closing would reset them.
    func finish() {
        guard !isFinishing else { return }
        isFinishing = true
        // More than may wait come while they are accepted.
        acceptsLeft = Int(ListeningSocket.backlog)
        socket.refuseFurther()
        accept()
    }

    /// Stops listening at once.
    func close() {
        shard.reactor.deregister(self, keepingOpen: socket.rawValue)
        shard.forget(self)
    }

    /// Accepts again, after a pause, when there is room.
    func resumeAccepting() {
        guard isPaused, slot >= 0 else { return }
        isPaused = false
        waitsForRoom = false
        shard.noteAcceptPauses()
        shard.reactor.watch(self, descriptor: socket.rawValue, interest: .readable)
        // The kernel says nothing where nobody waits, and then it is time to close.
        if isFinishing { shard.reactor.resumeLater(self) }
    }

    private func accept() {
        // A turn that has woken it both ways may have closed it the first time.
        guard slot >= 0, !isPaused else { return }
        for number in 0..<Listener.acceptsPerTurn {
            if isFinishing, acceptsLeft == 0 { return close() }
            guard shard.reserveConnection() || makesRoom(number) else {
                // The kernel says so if somebody waits.
                if number > 0, !isFinishing { return }
                pause(untilRoom: true)
                // Others may have begun to rest by then.
                lookAgain()
                // One may have ended before anybody could see that this listener waits.
                if shard.hasRoomForConnection { resumeAccepting() }
                return
            }
            switch socket.accept() {
            case .connection(let descriptor, let peer):
                isPausedAgain = false
                if isFinishing { acceptsLeft -= 1 }
                shard.accepted(descriptor, peer: peer, tls)
            case .none:
                giveUpReservation()
                if isFinishing { close() }
                return
            case .exhausted:
                giveUpReservation()
                pause(untilRoom: false)
                lookAgain()
                return
            }
        }
        if isFinishing { shard.reactor.resumeLater(self) }
    }

    /// Whether a connection that rests has given way to the one that waits, of which only the first
    /// is known to be there.
    private func makesRoom(_ number: Int) -> Bool {
        number == 0 && shard.makeRoom(isNews: !isPausedAgain) && shard.reserveConnection()
    }

    private func lookAgain() {
        shard.reactor.setDeadline(
            of: self, to: shard.reactor.now.advanced(byNanoseconds: Listener.pauseNanoseconds))
    }

    private func giveUpReservation() {
        shard.group.releaseConnection(at: shard.index)
    }

    private func pause(untilRoom: Bool) {
        guard !isPaused else { return }
        isPaused = true
        waitsForRoom = untilRoom
        shard.noteAcceptPauses()
        if !isPausedAgain { shard.metrics.acceptPauses &+= 1 }
        isPausedAgain = true
        shard.reactor.watch(self, descriptor: socket.rawValue, interest: [])
    }
}
