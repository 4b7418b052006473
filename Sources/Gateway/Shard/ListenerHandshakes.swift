// TLS handshakes of a listener that the controlling thread has: operators' and workers'. Clients' are their shard's, which has
// bounds for each network, and ends them soon where it drains.

internal import Admission
internal import Policy
package import Reactor
internal import Telemetry

/// The handshakes that are under way at one listener.
package final class ListenerHandshakes {
    private unowned let gateway: Gateway
    private let pace = HandshakePace()
    private var underWay: [Handshake] = []

    /// None so far, of a listener of `gateway`'s.
    package init(of gateway: Gateway) { self.gateway = gateway }

    /// How many there are.
    package var count: Int { underWay.count }

    /// Begins one over a connection that was accepted, as `tls` has it; `serve` is called where it succeeds.
    package func begin(
        over descriptor: consuming Descriptor, _ tls: ServerTLS,
        _ credentials: ServerCredentials, serve: @escaping (ServerSession) -> Void
    ) {
        guard let session = ServerSession(descriptor, credentials, tls.tickets) else { return }
        let reactor = gateway.reactor
        let began = reactor.now
        let handshake = Handshake(session, in: reactor, pace: pace) {
            [unowned self] ended, result in
            underWay.removeAll { $0 === ended }
            switch result {
            case .success(let session):
                gateway.metrics.countHandshake(
                    isResumed: session.isResumed, nanoseconds: reactor.now.nanoseconds(since: began)
                )
                serve(session)
            case .failure(let fault): gateway.metrics.countHandshake(failed: fault)
            }
        }
        underWay.append(handshake)
        let timeout = credentials.settings.handshakeTimeout.wholeNanoseconds
        if !handshake.start(timeoutNanoseconds: timeout) {
            underWay.removeAll { $0 === handshake }
        }
    }

    /// Gives up the one that began first, for others who come.
    package func giveUpFirst() {
        guard !underWay.isEmpty else { return }
        underWay.removeFirst().giveUp()
        gateway.metrics.countHandshake(failed: .crowded)
    }

    /// Gives up all.
    package func giveUp() {
        for handshake in underWay { handshake.giveUp() }
        underWay = []
    }
}
