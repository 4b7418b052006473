// The process that this one takes over from, if there is one: what it knows, and what it still has in flight.

internal import Gateway
internal import Policy
internal import Reactor

/// An older process of this gateway, which waits to hear that this one serves.
final class Predecessor {
    /// What it knows.
    let text: HandoverText
    private let connection: Int32
    private var channel: HandoverChannel?

    /// The one that the environment tells of; nil where there is none.
    static func found() -> Predecessor? {
        guard let value = ProcessEnvironment.variable(Successor.variable) else { return nil }
        let numbers = value.split(separator: ",").compactMap { Int32($0) }
        guard numbers.count == 2, numbers.allSatisfy({ $0 > 2 }) else { return nil }
        return Predecessor(text: numbers[0], connection: numbers[1])
    }

    private init(text number: Int32, connection: Int32) {
        text = HandoverText(HandoverFile.read(number))
        self.connection = connection
    }

    /// Names the sockets as the policy of the older process does.
    func name(_ sockets: InheritedSockets) {
        for socket in text.sockets {
            guard let address = ListenAddress(written: socket.configured) else { continue }
            sockets.note(
                socket.number, configured: address, isOwn: !text.managed.contains(socket.number))
        }
    }

    /// Says that this process serves and has `taken` sockets; from then on `gateway` counts what the other has in flight.
    func serve(_ taken: [Int32], _ gateway: Gateway, ended: @escaping () -> Void) {
        channel = HandoverChannel(owning: connection, in: gateway.reactor)
        channel?.heard = { [unowned gateway, unowned self] line in
            guard let line else {
                for pool in pools { gateway.holdElsewhere([:], in: pool) }
                return ended()
            }
            heard(line, gateway)
        }
        channel?.say((["ready"] + taken.map { "\($0)" }).joined(separator: " "))
        channel?.begin()
    }

    /// Pools of which something was heard.
    private var pools: Set<String> = []

    private func heard(_ line: String, _ gateway: Gateway) {
        let words = line.split(separator: "\t", omittingEmptySubsequences: false)
        guard words.count >= 2, words[0] == "running" else { return }
        var counts: [String: Int] = [:]
        for index in stride(from: 2, to: words.count - 1, by: 2) {
            counts[String(words[index])] = Int(words[index + 1])
        }
        pools.insert(String(words[1]))
        gateway.holdElsewhere(counts, in: String(words[1]))
    }

    /// Has nothing to do with it any more.
    func stop() {
        channel?.heard = { _ in }
        channel?.close()
        channel = nil
    }
}
