// The other end of a connection in memory. Whatever it does, the gateway is told at once, as the kernel
// would; while it waits for something, the world's time passes.

import Admission
import Glibc

@testable import Gateway
@testable import Reactor

/// A client's or a backend's end of a connection.
class Peer: Duplex {
    let world: World
    private let line: Line

    init(_ world: World, _ line: Line) {
        self.world = world
        self.line = line
    }

    var stream: MemoryStream { line.stream }

    /// Has the world's service leave this connection alone from now on.
    func takeOver() { line.isTaken = true }

    /// Whether the gateway has closed its end.
    var isClosed: Bool { stream.isClosed }

    /// All that it has got.
    var got: String { String(decoding: stream.written, as: UTF8.self) }

    // MARK: Acts

    /// Sends all of `bytes`; throws when the gateway has closed.
    func send(_ bytes: [UInt8]) throws {
        if stream.isClosed { throw WireError.broken(EPIPE, "") }
        stream.send(bytes)
        wake()
    }

    /// Says that nothing follows; reading goes on.
    func finishSending() {
        stream.end()
        wake()
    }

    /// Goes away in order.
    func close() { finishSending() }

    /// Goes away, so that the gateway sees a reset.
    func reset() {
        stream.reset()
        wake()
    }

    /// Takes so many bytes, and no more until it is called again.
    func take(_ count: Int) {
        stream.room = count
        wake()
    }

    /// Tells the gateway, as edges would, a little too much at worst.
    func wake() {
        var readiness: Readiness = [.readable]
        if stream.room > 0 { readiness.insert(.writable) }
        if stream.isPeerClosed { readiness.insert(.peerClosed) }
        if stream.isReset { readiness.formUnion([.hungUp, .failed]) }
        world.turn { connection?.ready(readiness) }
    }

    /// The gateway's end, while it is open.
    private var connection: StreamConnection? {
        var found: StreamConnection?
        world.gateway.reactor.forEachHandler { handler in
            if let connection = handler as? StreamConnection, connection.isOver(stream) {
                found = connection
            }
        }
        return found
    }

    // MARK: Reading

    func read(until mark: String, within seconds: Double) throws -> String {
        let mark = Array(mark.utf8)
        var looked = 0
        let bytes = try next(within: seconds) { inbox in
            let end = inbox.end(of: mark, from: looked)
            looked = inbox.count
            return end.map { inbox.take($0) }
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    func read(count: Int, within seconds: Double) throws -> [UInt8] {
        try next(within: seconds) { $0.count >= count ? $0.take(count) : nil }
    }

    func readToEnd(within seconds: Double) throws -> String {
        let bytes = try next(within: seconds) { inbox in
            stream.hasEnded && !stream.isCut ? inbox.takeAll() : nil
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    func ends(within seconds: Double) -> Bool {
        do {
            _ = try next(within: seconds) { $0.count > 0 ? $0.takeAll() : nil }
        } catch WireError.timedOut {
            return false
        } catch {
            return true
        }
        return false
    }

    func isSilent(for seconds: Double) -> Bool {
        do {
            _ = try next(within: seconds) { $0.count > 0 ? $0.takeAll() : nil }
        } catch WireError.timedOut {
            return true
        } catch {}
        return false
    }

    /// The next request, if it has come whole.
    func takeRequest() -> Message? {
        let kept = line.withInbox { $0 }
        if let request = try? readRequest(within: 0) { return request }
        line.withInbox { $0 = kept }
        return nil
    }

    /// What `found` takes, when it has come.
    private func next(
        within seconds: Double, _ found: (inout Inbox) -> [UInt8]?
    ) throws -> [UInt8] {
        let end = world.now.advanced(byNanoseconds: Int64(seconds * 1e9))
        while true {
            if let bytes = line.withInbox(found) { return bytes }
            let rest = { String(decoding: self.line.withInbox { $0.takeAll() }, as: UTF8.self) }
            if stream.isCut { throw WireError.broken(ECONNRESET, rest()) }
            if stream.hasEnded { throw WireError.ended(rest()) }
            guard world.now < end else { throw WireError.timedOut(rest()) }
            world.jump(milliseconds: World.step)
        }
    }

}
