// What the demo's clients and backends have in common: a socket on the reactor with a buffer each
// way. The gateway's own connections are not used for this, so that what the demo shows does not
// rest on itself.

internal import Bytes
internal import Gateway
internal import Reactor

/// A buffered, non-blocking connection; subclasses act in `received`, `ended` and on their
/// deadline.
class LoopbackConnection: EventHandler {
    /// The loop this connection lives in.
    final let reactor: Reactor
    /// Bytes received and not yet used.
    final var input = ByteBuffer()
    /// Bytes to be sent.
    final var output = ByteBuffer()
    /// Where the owner's table keeps this connection.
    final var tableIndex = -1

    private final var descriptor: Descriptor?
    private final var hasEnded = false

    /// Bytes read at once, and buffered at most: nothing in the demo is larger.
    private static let inputBytes = 64 * 1024

    /// Takes the socket over; `start` comes next.
    init(reactor: Reactor, descriptor: consuming Descriptor) {
        self.reactor = reactor
        self.descriptor = consume descriptor
    }

    /// Whether the connection is open on our side.
    final var isOpen: Bool { descriptor != nil }

    /// Begins to watch the socket; false, with the connection closed, when the kernel refuses.
    final func start() -> Bool {
        guard let number = descriptor?.rawValue else { return false }
        if reactor.register(self, descriptor: number) { return true }
        descriptor = nil
        return false
    }

    /// New bytes are in `input`.
    func received() {}

    /// The peer has closed, or the connection is broken; nothing follows what `received` saw.
    func ended() {}

    override final func ready(_ readiness: Readiness) {
        if readiness.contains(.writable) { flush() }
        let isClosing = !readiness.isDisjoint(with: [.peerClosed, .hungUp, .failed])
        if isClosing || readiness.contains(.readable) { receive(untilEnd: isClosing) }
        if hasEnded && isOpen { ended() }
    }

    /// Reads what is there; a short read shows that nothing is left, unless the peer's end is.
    private func receive(untilEnd: Bool) {
        while isOpen && !hasEnded {
            input.reserve(4096)
            let room = min(input.freeCount, LoopbackConnection.inputBytes)
            let result = descriptor?.read(into: &input, atMost: room) ?? .ended
            guard case .moved(let count) = result else {
                if result != .wouldBlock { hasEnded = true }
                return
            }
            received()
            if input.count > LoopbackConnection.inputBytes { hasEnded = true }
            if count < room && !untilEnd { return }
        }
    }

    /// Sends what is taken now; the rest goes when the socket is writable again.
    final func flush() {
        while isOpen && !output.isEmpty {
            let result = descriptor?.write(from: &output) ?? .ended
            guard case .moved = result else {
                if result != .wouldBlock { hasEnded = true }
                return
            }
        }
    }

    /// Closes at once; with `reset` the peer sees a connection that broke, as when a process is
    /// killed.
    final func close(reset: Bool = false) {
        guard let number = descriptor?.rawValue else { return }
        if reset { descriptor?.resetOnClose() }
        reactor.deregister(self, keepingOpen: number)
        descriptor = nil
    }
}
