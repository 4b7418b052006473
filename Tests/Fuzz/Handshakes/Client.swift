// A client of OpenSSL's that writes into memory, the socket to the session, and what the two say to each other.

import Bytes
import CShims
import FuzzSupport
import Glibc

@testable import Reactor

/// A client as there are many.
@safe final class Client {
    /// What it does.
    struct Manner: OptionSet {
        let rawValue: UInt8
        /// Speaks TLS 1.2 at most.
        static let isOld = Manner(rawValue: 1)
        static let speaksHTTP1 = Manner(rawValue: 2)
        static let speaksHTTP2 = Manner(rawValue: 4)
        /// Asks for a name that there is.
        static let names = Manner(rawValue: 8)
        /// Asks for one that there is not.
        static let namesAnother = Manner(rawValue: 16)
        static let hasCertificate = Manner(rawValue: 32)
        /// Has been there before, and goes on with that session.
        static let comesBack = Manner(rawValue: 64)
        /// Asks for new keys before it says something.
        static let asksForKeys = Manner(rawValue: 128)
    }

    /// One context for those with a certificate, one for those without; made once.
    private nonisolated(unsafe) static var contexts: (plain: OpaquePointer, own: OpaquePointer)?

    /// Makes the contexts.
    static func prepare(_ certificate: String, _ key: String) {
        guard let plain = unsafe SSL_CTX_new(TLS_client_method()),
            let own = unsafe SSL_CTX_new(TLS_client_method()),
            unsafe SSL_CTX_use_certificate_file(own, certificate, SSL_FILETYPE_PEM) == 1,
            unsafe SSL_CTX_use_PrivateKey_file(own, key, SSL_FILETYPE_PEM) == 1
        else { fatalError("no client") }
        unsafe contexts = (plain, own)
    }

    private let session: OpaquePointer
    private let incoming: OpaquePointer
    private let outgoing: OpaquePointer
    private let manner: Manner
    private(set) var isConnected = false

    init(_ manner: Manner, _ known: OpaquePointer?) {
        self.manner = manner
        guard let contexts = unsafe Client.contexts,
            let session = unsafe SSL_new(
                manner.contains(.hasCertificate) ? contexts.own : contexts.plain),
            let incoming = unsafe BIO_new(BIO_s_mem()), let outgoing = unsafe BIO_new(BIO_s_mem())
        else { fatalError("no client") }
        unsafe self.session = session
        unsafe self.incoming = incoming
        unsafe self.outgoing = outgoing
        unsafe SSL_set_bio(session, incoming, outgoing)
        unsafe SSL_set_connect_state(session)
        if manner.contains(.isOld) {
            // What the macros SSL_set_max_proto_version and SSL_set_tlsext_host_name stand for.
            _ = unsafe SSL_ctrl(
                session, SSL_CTRL_SET_MAX_PROTO_VERSION, Int(TLS1_2_VERSION), nil)
        }
        var protocols: [UInt8] = []
        if manner.contains(.speaksHTTP2) { protocols += [2] + Array("h2".utf8) }
        if manner.contains(.speaksHTTP1) { protocols += [8] + Array("http/1.1".utf8) }
        if !protocols.isEmpty {
            _ = unsafe SSL_set_alpn_protos(session, protocols, UInt32(protocols.count))
        }
        let name: String? =
            if manner.contains(.namesAnother) {
                "nobody.example"
            } else if manner.contains(.names) {
                "x.wild.example"
            } else {
                nil
            }
        if let name {
            var text = name.utf8CString.map { $0 }
            _ = unsafe SSL_ctrl(
                session, SSL_CTRL_SET_TLSEXT_HOSTNAME, Int(TLSEXT_NAMETYPE_host_name), &text)
        }
        if let known = unsafe known { _ = unsafe SSL_set_session(session, known) }
    }

    deinit { unsafe SSL_free(session) }

    /// Goes on with the handshake, takes what has come, and says what it has to say; its bytes.
    func turn(_ received: [UInt8]) -> [UInt8] {
        ERR_clear_error()
        if !received.isEmpty {
            _ = unsafe BIO_write(incoming, received, Int32(received.count))
        }
        if !isConnected { isConnected = unsafe SSL_do_handshake(session) == 1 }
        if isConnected {
            // Tickets come behind the handshake, and are read like data.
            var waste = [UInt8](repeating: 0, count: 256)
            while unsafe SSL_read(session, &waste, 256) > 0 {}
        }
        return said()
    }

    /// Writes `payload`; its bytes.
    func write(_ payload: [UInt8]) -> [UInt8] {
        ERR_clear_error()
        if manner.contains(.asksForKeys) {
            _ = unsafe SSL_key_update(session, SSL_KEY_UPDATE_REQUESTED)
        }
        if !payload.isEmpty { _ = unsafe SSL_write(session, payload, Int32(payload.count)) }
        return said()
    }

    private func said() -> [UInt8] {
        var bytes: [UInt8] = []
        var piece = [UInt8](repeating: 0, count: 4096)
        while case let count = unsafe BIO_read(outgoing, &piece, 4096), count > 0 {
            bytes += piece.prefix(Int(count))
        }
        return bytes
    }

    /// Its session, for another one; the caller's.
    func takeSession() -> OpaquePointer? {
        // A session of a connection that was broken off is not to be used again.
        unsafe SSL_set_shutdown(session, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN)
        return unsafe SSL_get1_session(session)
    }
}

/// A session, and the client's end of its socket.
final class Wire {
    let session: ServerSession
    private let end: Descriptor
    private var answered = 0

    /// What a handshake of 4 KiB, or a client that is answered, may be sent: certificates, tickets, alerts.
    private static let mostAnswered = 65_536

    init(to listener: Listener, _ tickets: TicketKeys = TicketKeys()) {
        var ends: [Int32] = [0, 0]
        let kind = Int32(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue)
        require(unsafe socketpair(AF_UNIX, kind, 0, &ends) == 0, "no sockets")
        guard let made = ServerSession(Descriptor(owning: ends[0]), listener.credentials, tickets)
        else { fatalError("no session") }
        session = made
        end = Descriptor(owning: ends[1])
    }

    /// Sends all of it, which the socket's buffer has room for.
    func say(_ bytes: ArraySlice<UInt8>) {
        let bytes = Array(bytes)
        let count = unsafe send(end.rawValue, bytes, bytes.count, Int32(MSG_NOSIGNAL))
        require(count == bytes.count, "the socket takes \(count) of \(bytes.count) bytes")
    }

    /// What the session has answered since.
    func hear() -> [UInt8] {
        var bytes: [UInt8] = []
        var piece = [UInt8](repeating: 0, count: 16_384)
        while case let count = unsafe recv(end.rawValue, &piece, piece.count, 0), count > 0 {
            bytes += piece.prefix(count)
        }
        answered += bytes.count
        require(answered <= Wire.mostAnswered, "\(answered) bytes are answered")
        return bytes
    }

    /// Sends nothing more.
    func finish() { _ = shutdown(end.rawValue, Int32(SHUT_WR)) }
}

/// A client and a session that talk until nothing moves.
final class Conversation {
    let client: Client
    private let wire: Wire
    private var changes: [Change]
    private var pieces: Pieces
    private(set) var progress = ServerSession.Progress.waits
    /// What the session has read.
    private(set) var received: [UInt8] = []
    private var sent = 0
    private var isSilent = false

    /// Turns without which no handshake is.
    private static let mostTurns = 50

    init(_ client: Client, _ wire: Wire, _ changes: [Change], _ pieces: Pieces) {
        self.client = client
        self.wire = wire
        self.changes = changes.sorted { $0.place > $1.place }
        self.pieces = pieces
    }

    /// Shakes hands; then the client writes `payload`.
    func run(_ payload: [UInt8]) {
        var turns = 0
        while true {
            turns += 1
            require(turns <= Conversation.mostTurns, "a handshake without an end")
            let said = client.turn(wire.hear())
            if said.isEmpty, turns > 1 { break }
            deliver(said)
        }
        if client.isConnected { deliver(client.write(payload)) }
        _ = client.turn(wire.hear())
        if progress == .waits {
            wire.finish()
            require(wire.session.shakeHands() != .waits, "a client that has gone is waited for")
        }
        wire.session.sayGoodbye()
    }

    private func deliver(_ said: [UInt8]) {
        var bytes = said
        let start = sent
        sent += said.count
        if isSilent { return }
        // The last ones first, so that places stay what they are.
        for change in changes where change.apply(to: &bytes, from: start) { isSilent = true }
        var index = 0
        while index < bytes.count {
            let count = min(bytes.count - index, pieces.next())
            wire.say(bytes[index..<index + count])
            index += count
            step()
        }
    }

    private func step() {
        if progress == .waits { progress = wire.session.shakeHands() }
        guard progress == .done else { return }
        var buffer = ByteBuffer()
        buffer.reserve(4096)
        while case .moved(let count) = wire.session.read(into: &buffer, atMost: 4096) {
            require(count > 0, "nothing was moved")
            for index in buffer.bytes.indices { received.append(buffer.bytes[index]) }
            buffer.removeAll()
            buffer.reserve(4096)
        }
    }
}
