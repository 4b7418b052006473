// One process of a gateway takes over from another: the newer one has the listening sockets too, with whoever waits in them,
// and the older one only serves those that it has accepted.

internal import Admission
package import Policy
package import Reactor

/// A listening socket that another process can have.
package struct GivenSocket {
    /// Its descriptor here.
    package let number: Int32
    /// Which listener it is of, as the policy has that.
    package let configured: ListenAddress
    /// Whether a process of this gateway has made it, and the file of a unix socket with it.
    package let isOwn: Bool

    /// The socket `number` at `actual`, of the listener at `configured`; `file` is that of a unix socket of the gateway's.
    package init(
        number: Int32, configured: ListenAddress, actual: ListenAddress, file: SocketFile?
    ) {
        self.number = number
        self.configured = configured
        isOwn = if case .unix = actual { file != nil } else { true }
    }
}

extension Gateway {
    /// All listening sockets, for another process.
    package var givenSockets: [GivenSocket] {
        let clients = listening.flatMap { listening in
            listening.descriptors.map {
                GivenSocket(
                    number: $0, configured: listening.configured.address,
                    actual: listening.actual, file: listening.file)
            }
        }
        return clients + [workerListener?.givenSocket].compactMap(\.self)
    }

    /// The keys of listeners' tickets, by the listeners' addresses in the policy.
    package var ticketKeys: [(configured: ListenAddress, keys: TicketKeys)] {
        listening.map { ($0.configured.address, $0.tls.tickets) }
            + [workerListener].compactMap(\.self).map {
                ($0.configured.address, $0.tls.tickets)
            }
    }

    /// Units in flight, by the names of pools and the keys of backends.
    package var inFlight: [(pool: String, counts: [String: Int])] {
        members.map { ($0.settings.name, $0.admission.inFlightByBackend) }
    }

    /// Counts what another process of this gateway has in flight in a pool.
    package func holdElsewhere(_ counts: [String: Int], in pool: String) {
        for member in members where member.settings.name == pool {
            member.admission.holdElsewhere(counts, now: reactor.now)
        }
        group.sendToAll { $0.lookAgainEverywhere() }
    }

    /// Drains, after another process has taken over the listeners at `taken`, as the policy has them.
    ///
    /// Their sockets are closed at once: whoever waits in one is the other process's. Connections that rest stay open for
    /// their clients' next requests nearly as long as the drain may take, since nothing is waiting for their end.
    package func handOver(_ taken: Set<ListenAddress>) {
        guard !isDraining else { return }
        for listening in listening where taken.contains(listening.configured.address) {
            listening.file?.giveAway()
        }
        handOverWorkers(taken)
        let numbers = Set(
            listening.filter { taken.contains($0.configured.address) }.map(\.number))
        drain(handedOver: numbers)
    }
}
