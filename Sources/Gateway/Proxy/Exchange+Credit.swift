// Requests of another gateway, which this one serves as its worker. What it cannot serve goes back, by the end of the
// connection: the gateway that has the client has its queue and other workers, too.

internal import Admission
internal import HTTP1

extension Exchange {
    /// Whether a request that ends for that reason goes back to the gateway that it is from.
    static func returns(_ reason: Reason) -> Bool {
        switch reason {
        case .queueFull, .queueBytesFull, .waitTooLong, .queueTimeout, .patience, .displaced,
            .noBackend, .draining,
            .connectFailed, .connectTimeout, .tlsFailed, .upstreamClosed, .exhausted:
            true
        default: false
        }
    }

    /// Whether it is the gateway's question whether its worker lives.
    func isSignOfLife(_ head: borrowing RequestHead) -> Bool {
        client?.link != nil && isForServer(head)
    }

    /// A backend has a place and a connection for the request: its body may come.
    func takeBody(_ client: ClientConnection) {
        guard client.link != nil, intake.awaitsContinue, !intake.hasAskedForBody else { return }
        intake.askForBody(client)
    }
}
