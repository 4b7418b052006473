// A connection to an agent that writes a line to whoever connects, as HAProxy's agents do: nothing is sent, and what
// comes before the line's end, or before the agent closes, is the answer.

internal import Admission
internal import Bytes
internal import Reactor

/// Reads one answer.
final class AgentConnection: StreamConnection {
    private var ended: ((_ text: [UInt8]?) -> Void)?

    /// `ended` is called once, with nil where no answer came, unless it is cancelled.
    init(reactor: Reactor, ended: @escaping (_ text: [UInt8]?) -> Void) {
        self.ended = ended
        super.init(reactor: reactor)
    }

    /// Reads from `transport`, until `deadline` at the latest.
    func begin(_ transport: consuming Transport, until deadline: Instant) {
        open(transport)
        guard start() else { return end(nil) }
        reactor.setDeadline(of: self, to: deadline)
        read()
    }

    /// Gives it up.
    func cancel() {
        ended = nil
        close()
    }

    override func ready(_ readiness: Readiness) {
        if note(readiness) { read() }
    }

    override func deadlineReached() { end(nil) }

    private func read() {
        while fill(highBytes: BackendAgents.mostBytes) > 0 {}
        let text = Self.text(of: input)
        let isWhole = text.contains { $0 == 0x0a || $0 == 0x0d }
        guard isWhole || inputEnded || text.count >= BackendAgents.mostBytes else { return }
        // A connection that breaks cuts a word short.
        end(isWhole || (!text.isEmpty && !isBroken) ? text : nil)
    }

    private static func text(of buffer: borrowing ByteBuffer) -> [UInt8] {
        let bytes = buffer.bytes
        var text: [UInt8] = []
        for index in bytes.indices { text.append(bytes[index]) }
        return text
    }

    private func end(_ text: [UInt8]?) {
        let ended = ended
        self.ended = nil
        close()
        ended?(text)
    }
}
