// TLS handshakes: what a client sends, in whatever pieces it comes, to a session over a socket of its own.
//
// An input is either the bytes of a client, or a real client and what becomes of its bytes on the way. Whatever they are,
// the session says that it waits, that it stands or why it does not; the same bytes come to the same in any pieces; who has gone is
// not waited for; what is answered is bounded; nobody is let in without the certificate that is asked for, or with another
// protocol; and what is read is what the client has written, up to where it was touched.
//
// OpenSSL's own code is not instrumented: seeds are what leads the fuzzer.

import Bytes
import CShims
import FuzzSupport
import Glibc

@testable import Policy
@testable import Reactor

/// What libFuzzer calls with each input.
@_cdecl("LLVMFuzzerTestOneInput")
func fuzzOne(_ bytes: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    var input = FuzzInput(unsafe copied(bytes, count))
    let flags = input.byte()
    let listener = Listener.all[Int(flags >> 1) % Listener.all.count]
    let pieces = Pieces(seed: input.byte())
    if flags & 1 == 0 {
        receive(input.bytes(.max), at: listener, pieces)
    } else {
        converse(&input, at: listener, pieces)
    }
    return 0
}

/// The bytes of a client, at once and in pieces.
private func receive(_ bytes: [UInt8], at listener: Listener, _ pieces: Pieces) {
    let whole = outcome(of: bytes, at: listener) { .max }
    var sizes = pieces
    let divided = outcome(of: bytes, at: listener) { sizes.next() }
    require(whole == divided, "\(whole) at once, \(divided) in pieces")
    // A client's last word answers ours, which is another one each time.
    require(whole != .done, "a handshake that was written down has ended well")
}

/// What comes of `bytes`, in pieces as large as `piece` says.
private func outcome(
    of bytes: [UInt8], at listener: Listener, _ piece: () -> Int
) -> ServerSession.Progress {
    let wire = Wire(to: listener)
    var sent = 0
    var progress = wire.session.shakeHands()
    require(progress == .waits, "\(progress) before the client has said anything")
    while sent < bytes.count, progress == .waits {
        let count = min(bytes.count - sent, piece())
        wire.say(bytes[sent..<sent + count])
        sent += count
        progress = wire.session.shakeHands()
        _ = wire.hear()
    }
    if progress == .waits {
        wire.finish()
        let last = wire.session.shakeHands()
        require(last != .waits, "a client that has gone is waited for")
        return .waits
    }
    if progress == .failed(.plainHTTP) { wire.session.answerInTheClear() }
    wire.session.sayGoodbye()
    _ = wire.hear()
    return progress
}

/// A real client, whose bytes are changed on the way.
private func converse(_ input: inout FuzzInput, at listener: Listener, _ pieces: Pieces) {
    let manner = Client.Manner(rawValue: input.byte())
    var changes: [Change] = []
    for _ in 0..<input.byte() % 5 { changes.append(Change(&input)) }
    let payload = input.bytes(600)
    let tickets = TicketKeys()
    var session: OpaquePointer?
    if manner.contains(.comesBack) {
        let first = unsafe Conversation(
            Client(manner, nil), Wire(to: listener, tickets), [], pieces)
        first.run([])
        unsafe session = first.client.takeSession()
    }
    defer { unsafe SSL_SESSION_free(session) }
    let conversation = Conversation(
        unsafe Client(manner, session), Wire(to: listener, tickets), changes, pieces)
    conversation.run(payload)
    let isWelcome = listener.welcomes(manner)
    let isIn = conversation.progress == .done
    require(!isIn || isWelcome, "\(manner) is let in by \(listener.settings)")
    if changes.isEmpty {
        require(isIn == isWelcome, "\(conversation.progress) of \(manner)")
        require(!isIn || conversation.received == payload, "what was read is not what was written")
    }
    require(payload.starts(with: conversation.received), "what was read was never written")
}

/// What happens to a client's bytes on the way, once.
struct Change {
    private enum Kind: CaseIterable { case altered, dropped, doubled, inserted, cut }

    private let kind: Kind
    /// Before which byte of all that the client sends.
    let place: Int
    private let value: UInt8

    init(_ input: inout FuzzInput) {
        kind = Kind.allCases[Int(input.byte()) % Kind.allCases.count]
        place = Int(input.byte()) << 8 | Int(input.byte())
        value = input.byte()
    }

    /// Does it to `bytes`, of which the first one is the client's byte number `start`; whether the client is silent from then on.
    func apply(to bytes: inout [UInt8], from start: Int) -> Bool {
        let index = place - start
        guard bytes.indices.contains(index) else { return false }
        switch kind {
        case .altered: bytes[index] ^= max(1, value)
        case .dropped: bytes.removeSubrange(index..<min(bytes.count, index + 1 + Int(value)))
        case .doubled:
            bytes.insert(
                contentsOf: bytes[index..<min(bytes.count, index + 1 + Int(value))], at: index)
        case .inserted: bytes.insert(value, at: index)
        case .cut:
            bytes.removeSubrange(index...)
            return true
        }
        return false
    }
}
