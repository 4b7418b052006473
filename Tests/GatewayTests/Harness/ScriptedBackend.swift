// A backend that does what a script says: each connection gets a thread and runs the script from
// accept to close.

import CShims
import Foundation
import Synchronization

@testable import TestSupport

/// A listening socket with a script behind it.
final class ScriptedBackend: Sendable {
    /// What happens on the connection with the given number, from 0.
    ///
    /// It ends when the script returns or throws.
    typealias Script = @Sendable (Wire, Int) throws -> Void

    let place: Place
    private let listener: Int32
    private let log: RequestLog
    private let state = Mutex(State())

    private struct State {
        var isStopped = false
        var accepted = 0
        var open: [Int: Wire] = [:]
    }

    /// Listens at `place` (port 0: any) and runs `script` for each connection.
    init(
        at place: Place = .loopback(port: 0), receiveBuffer: Int32? = nil,
        log: RequestLog = RequestLog(), _ script: @escaping Script
    ) throws {
        self.log = log
        listener = try ScriptedBackend.listen(place, receiveBuffer: receiveBuffer)
        self.place = ScriptedBackend.bound(listener, place)
        onThread { [weak self, listener] in
            // Closed by nobody else: another listener would have its number, and its client, before
            // this thread has noticed.
            defer { _ = close(listener) }
            while true {
                let number = accept(listener, nil, nil)
                guard number >= 0 else { return }
                let wire = Wire(owning: number)
                guard let self else { return wire.close() }
                self.accepted(wire, script)
            }
        }
    }

    deinit { stop() }

    /// The URL for the policy.
    var url: String {
        switch place {
        case .loopback(let port): "http://127.0.0.1:\(port)"
        case .loopback6(let port): "http://[::1]:\(port)"
        case .unix(let path): "http+unix://\(path)"
        }
    }

    /// Connections accepted so far.
    var acceptedCount: Int { state.withLock { $0.accepted } }

    /// Connections whose script still runs.
    var openCount: Int { state.withLock { $0.open.count } }

    /// The requests that scripts have noted.
    var requests: [Message] { log.requests }

    /// Whether a wire is one of this backend's.
    func owns(_ wire: Wire) -> Bool {
        state.withLock { $0.open.values.contains { $0 === wire } }
    }

    /// Stops listening, and closes what is open.
    func stop() {
        let open = state.withLock { state in
            defer { state.isStopped = true }
            return state.isStopped ? nil : state.open
        }
        guard let open else { return }
        // It takes no client any more, and the thread in accept closes it.
        _ = shutdown(listener, Int32(SHUT_RDWR))
        for wire in open.values { _ = shutdown(wire.descriptor, Int32(SHUT_RDWR)) }
        if case .unix(let path) = place { _ = unsafe unlink(path) }
    }

    private func accepted(_ wire: Wire, _ script: @escaping Script) {
        let number = state.withLock { state in
            let number = state.accepted
            state.accepted += 1
            state.open[number] = wire
            return number
        }
        Wire.setNoDelay(wire.descriptor)
        onThread { [self] in
            try? script(wire, number)
            state.withLock { $0.open[number] = nil }
            wire.close()
        }
    }

    private static func listen(_ place: Place, receiveBuffer: Int32?) throws -> Int32 {
        var (number, address, length) = try place.socket()
        // A backend may come back at its place, where the one before it has only just ended.
        Wire.set(number, SO_REUSEADDR, 1)
        if let receiveBuffer { Wire.set(number, SO_RCVBUF, receiveBuffer) }
        guard unsafe penstock_bind(number, &address, length) == 0, Glibc.listen(number, 1024) == 0
        else { throw HarnessError("listen") }
        return number
    }

    fileprivate static func bound(_ number: Int32, _ place: Place) -> Place {
        var storage = sockaddr_storage()
        guard unsafe penstock_socket_name(number, &storage) == 0 else { return place }
        let port = unsafe withUnsafeBytes(of: &storage) {
            unsafe UInt16(bigEndian: $0.load(fromByteOffset: 2, as: UInt16.self))
        }
        return switch place {
        case .loopback: .loopback(port: port)
        case .loopback6: .loopback6(port: port)
        case .unix: place
        }
    }
}

extension ScriptedBackend {
    /// A backend that answers every request with `answer`, on connections that it keeps.
    static func serving(
        at place: Place = .loopback(port: 0),
        _ answer: @escaping @Sendable (Wire, Message) throws -> Void
    ) throws -> ScriptedBackend {
        let log = RequestLog()
        return try ScriptedBackend(at: place, log: log) { wire, _ in
            while true {
                let request = try wire.readRequest(within: 60)
                log.note(request)
                try answer(wire, request)
            }
        }
    }

    /// A backend that answers 200 with the request's body.
    static func echoing(at place: Place = .loopback(port: 0)) throws -> ScriptedBackend {
        try serving(at: place) { wire, request in try wire.answer(request.bodyText) }
    }

    /// A backend that holds every request until the door is open.
    static func held(until go: Door) throws -> ScriptedBackend {
        try serving { wire, _ in
            try go.pass(within: 20)
            try wire.answer("ok")
        }
    }

    /// An address on loopback where nobody listens.
    static func refusingURL() throws -> String {
        var (number, address, length) = try Place.loopback(port: 0).socket()
        _ = unsafe penstock_bind(number, &address, length)
        guard case .loopback(let port) = bound(number, .loopback(port: 0)) else {
            throw HarnessError("bind")
        }
        _ = close(number)
        return "http://127.0.0.1:\(port)"
    }
}

/// The requests that a backend's scripts have noted.
final class RequestLog: Sendable {
    private let noted = Mutex<[Message]>([])

    var requests: [Message] { noted.withLock { $0 } }

    func note(_ request: Message) { noted.withLock { $0.append(request) } }
}

/// A listener that accepts nobody and whose backlog is full: dialling it hangs until it times out.
final class FullBacklog: Sendable {
    private let listener: Int32
    private let fillers: [Int32]
    let url: String

    init() throws {
        var (number, address, length) = try Place.loopback(port: 0).socket()
        guard unsafe penstock_bind(number, &address, length) == 0, Glibc.listen(number, 0) == 0,
            case .loopback(let port) = ScriptedBackend.bound(number, .loopback(port: 0))
        else { throw HarnessError("listen") }
        listener = number
        url = "http://127.0.0.1:\(port)"
        var fillers: [Int32] = []
        for _ in 0..<8 {
            var (filler, target, size) = try Place.loopback(port: port).socket()
            _ = penstock_set_nonblocking(filler)
            _ = unsafe penstock_connect(filler, &target, size)
            fillers.append(filler)
        }
        self.fillers = fillers
        // Time for the handshakes, which no descriptor tells of once the backlog is full.
        usleep(20_000)
    }

    /// Takes the connections in, so that dials which wait may come through.
    func acceptOne() -> Wire? {
        let number = accept(listener, nil, nil)
        return number < 0 ? nil : Wire(owning: number)
    }

    deinit {
        for filler in fillers { _ = close(filler) }
        _ = close(listener)
    }
}
