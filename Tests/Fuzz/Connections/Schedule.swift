// What happens, event by event, as the input's bytes say.

import Admission
import FuzzSupport

@testable import Bytes
@testable import Gateway
@testable import Reactor
@testable import TestSupport

/// One input being played.
struct Schedule {
    private var input: FuzzInput
    private let world: World
    private var clients: [Client] = []
    private var backends: [Backend] = []
    private let secret: UInt64

    private static let maxClients = 6
    private static let maxBackends = 12
    private static let maxEvents = 200
    /// Both water marks' buffers, with room for a head, a read and chunk framing beyond the mark.
    private static let maxBufferedBytes = 2 * (4 + 1 + 16 + 20) * 1024

    init(_ bytes: [UInt8]) {
        input = FuzzInput(bytes)
        let rules = input.byte()
        do {
            world = try World(Stage.policies[Int(rules & 1)], seed: 7)
        } catch {
            fatalError("no gateway: \(error)")
        }
        secret = 0x51ed_2701_93a4_e6c7
    }

    private var gateway: Shard { world.gateway }

    /// Plays the input, then lets everybody go and looks at what is left.
    mutating func run() {
        var events = 0
        while !input.isEmpty && events < Schedule.maxEvents {
            events += 1
            step()
            check()
        }
        settle()
    }

    private mutating func step() {
        let operation = input.byte() & 0x0f
        switch operation {
        case 0: openClient()
        case 1: withClient { $0.send($1.bytes(Int($1.byte()))) }
        case 2: withBackend { $0.send($1.bytes(Int($1.byte()))) }
        case 3: withClient { $0.sendRequest($1.byte()) }
        case 4: turnDials(input.byte())
        case 5: withBackend { $0.answer($1.byte()) }
        case 6: withClient { client, _ in client.peer.finishSending() }
        case 7: withBackend { backend, _ in backend.peer?.finishSending() }
        case 8: turnDials(0)
        case 9: withClient { client, _ in client.peer.reset() }
        case 10: withBackend { backend, _ in backend.peer?.reset() }
        case 11: withClient { $0.peer.take(Int($1.byte()) * 32) }
        case 12: withBackend { $0.peer?.take(Int($1.byte()) * 32) }
        case 13: world.jump(milliseconds: 1 + Int(input.byte()))
        case 14: world.jump(milliseconds: 100 * (1 + Int(input.byte() & 0x3f)))
        default:
            if input.byte() == 0xd0 { world.turn { gateway.drain() } }
        }
    }

    private mutating func openClient() {
        guard clients.count < Schedule.maxClients, !gateway.isDraining,
            gateway.hasRoomForConnection
        else { return }
        clients.append(Client(world.connect(), number: clients.count, secret: secret))
    }

    /// Lets one client do something.
    private mutating func withClient(_ act: (Client, inout FuzzInput) -> Void) {
        guard !clients.isEmpty else { return openClient() }
        let client = clients[Int(input.byte()) % clients.count]
        act(client, &input)
    }

    private mutating func withBackend(_ act: (Backend, inout FuzzInput) -> Void) {
        guard !backends.isEmpty else { return turnDials(0) }
        let backend = backends[Int(input.byte()) % backends.count]
        act(backend, &input)
    }

    private mutating func turnDials(_ kind: UInt8) {
        guard backends.count < Schedule.maxBackends else {
            world.failDial()
            return
        }
        switch kind & 7 {
        case 6: world.failDial(.connectTimeout)
        case 7: world.failDial(.connectFailed)
        default: backends.append(Backend(world.acceptIfDialled()))
        }
    }

    // MARK: What always holds

    private func check() {
        for backend in backends { backend.check() }
        for client in clients { client.check() }
        var buffered = 0
        for connection in gateway.connections.all {
            let held = connection.input.count + connection.output.count
            require(held <= Schedule.maxBufferedBytes, "\(held) bytes are buffered for a client")
            buffered += held
        }
        let inFlight = gateway.pools.reduce(0) { $0 + $1.admission.inFlight }
        // A response whose client has left may hold its permit until it ends.
        let held = gateway.heldPermitCount + gateway.abandonedResponses.count
        require(inFlight == held, "\(inFlight) permits are out")
        // Who waits for his client takes no place, and a backend on trial may be sent one more each time
        // that one takes too long.
        let waiting = gateway.pools.reduce(0) { $0 + waitingForClient($1) }
        require(inFlight - waiting <= 2 + 2, "the limit is not kept")
        let queued = gateway.pools.reduce(0) { $0 + $1.admission.queueLength }
        // A request whose backend could not be connected to comes back whatever waits; no more of
        // them than were in flight.
        require(queued <= 2 + 2, "the queue's bound is not kept")
        require(gateway.openExchangeCount <= clients.count, "more exchanges than clients")
    }

    private func waitingForClient(_ pool: Pool) -> Int {
        pool.upstreams.reduce(0) { sum, upstream in
            let status = upstream.flatMap {
                pool.admission.backend($0.id, now: gateway.reactor.now)
            }
            return sum + (status?.waitingForClient ?? 0)
        }
    }

    /// Lets twelve seconds pass, and more until `isDone`, in which dials fail.
    ///
    /// Requests that wait behind one another may each take a dial to both backends, or a wait.
    private mutating func letTimePass(until isDone: (borrowing Schedule) -> Bool) {
        let most = 12 + 6 * Schedule.maxEvents
        var seconds = 0
        while seconds < 12 || (seconds < most && !isDone(self)) {
            seconds += 1
            world.failDial()
            world.jump(milliseconds: 1_000)
            check()
        }
    }

    /// Everybody takes what there is, time passes, and nothing may be left.
    private mutating func settle() {
        for client in clients { client.peer.take(.max) }
        letTimePass(until: { $0.clients.allSatisfy(\.isSettled) })
        for client in clients { client.checkForeign(clients) }
        for client in clients { require(client.isSettled, "a request was forgotten") }
        for client in clients where !client.hasLeft { client.peer.finishSending() }
        // Who has only closed his side may still wait for answers, and his connection lingers.
        letTimePass(until: {
            $0.gateway.openExchangeCount == 0 && $0.gateway.connections.count == 0
        })
        require(gateway.openExchangeCount == 0, "an exchange is left")
        require(gateway.heldPermitCount == 0, "a permit is left")
        require(gateway.pools.allSatisfy { $0.admission.inFlight == 0 }, "a place is taken")
        require(gateway.pools.allSatisfy { $0.admission.queueLength == 0 }, "the queue has one")
        require(gateway.connections.count == 0, "a client's connection is left")
        require(gateway.dialler.dialCount == 0, "a dial is left")
    }
}
