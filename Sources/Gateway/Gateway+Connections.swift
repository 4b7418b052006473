// The gateway's client connections: how many there may be, and what is noted when an exchange on
// one of them ends.

internal import Admission
internal import HTTP1
internal import Policy

/// The open client connections, in no order.
struct ConnectionTable {
    private var connections: [ClientConnection] = []
    /// Those that clients made to be served.
    private(set) var proxyCount = 0

    /// Those that were made to the admin listener.
    var adminCount: Int { connections.count - proxyCount }

    mutating func insert(_ connection: ClientConnection) {
        connection.tableIndex = connections.count
        connections.append(connection)
        if connection.role == .proxy { proxyCount += 1 }
    }

    mutating func remove(_ connection: ClientConnection) {
        let index = connection.tableIndex
        guard index >= 0 else { return }
        connection.tableIndex = -1
        if connection.role == .proxy { proxyCount -= 1 }
        let last = connections.removeLast()
        if last !== connection {
            connections[index] = last
            last.tableIndex = index
        }
    }

    /// The connections that are open now, as a list that stays when some of them end.
    var all: [ClientConnection] { connections }
}

extension Gateway {
    /// Connections to the admin listener held at once.
    private static let maxAdminConnections = 64

    /// Whether another client may be accepted.
    var hasRoomForConnection: Bool {
        connections.proxyCount < snapshot.policy.server.maxConnections
    }

    /// Takes in an accepted connection.
    func accepted(
        _ descriptor: consuming Descriptor, peer: PeerAddress, role: ClientConnection.Role
    ) {
        if role == .admin && connections.adminCount >= Gateway.maxAdminConnections {
            metrics.connectionsRejected &+= 1
            return
        }
        let connection = ClientConnection(
            gateway: self, role: role, descriptor: descriptor, peer: peer)
        guard connection.start() else {
            metrics.connectionsRejected &+= 1
            connection.close()
            return
        }
        if role == .proxy { metrics.countConnectionAccepted() }
        connections.insert(connection)
        connection.advance()
    }

    /// Notes that a connection is closed; where accepting waited for room, it goes on.
    func connectionEnded(_ connection: ClientConnection) {
        guard connection.tableIndex >= 0 else { return }
        connections.remove(connection)
        guard connection.role == .proxy else { return }
        metrics.countConnectionClosed()
        for listener in listeners { listener.resumeAccepting() }
        stopIfDrained()
    }

    /// Counts and logs an exchange that has ended.
    func finished(_ exchange: Exchange, _ client: ClientConnection) {
        guard client.role == .proxy else { return }
        let record = exchange.record
        let total = reactor.now.nanoseconds(since: record.startedAt)
        let received = UInt64(client.receivedBytes - client.input.count - record.receivedBefore)
        let sent = UInt64(client.sentBytes - record.sentBefore)
        if let pool = exchange.pool {
            pool.metrics.countEnded(
                status: record.status, reason: record.reason, totalNanoseconds: total)
            pool.metrics.clientReceivedBytes &+= received
            pool.metrics.clientSentBytes &+= sent
            if ExchangeRecord.happened(record.firstByteAt) {
                pool.metrics.observeFirstByte(
                    nanoseconds: record.firstByteAt.nanoseconds(since: record.grantedAt))
            }
        } else {
            metrics.countUnrouted(record.reason)
        }
        logAccess(exchange, client, totalNanoseconds: total, received: received, sent: sent)
    }

    private func logAccess(
        _ exchange: Exchange, _ client: ClientConnection, totalNanoseconds: Int64, received: UInt64,
        sent: UInt64
    ) {
        guard accessLog != nil else { return }
        let record = exchange.record
        var line = AccessRecord(
            wallNanoseconds: ProcessClock.wallNanoseconds(), status: record.status,
            reason: record.reason)
        line.withheld = record.withheld
        line.pool = exchange.pool?.metrics
        line.backend = exchange.backendMetrics
        line.totalNanoseconds = totalNanoseconds
        line.bytesIn = received
        line.bytesOut = sent
        line.attempts = record.attempts
        line.reused = record.isReused
        if ExchangeRecord.happened(record.grantedAt) {
            line.queueNanoseconds = record.queueNanoseconds
            if ExchangeRecord.happened(record.connectedAt) {
                line.connectNanoseconds = record.connectedAt.nanoseconds(since: record.grantedAt)
            }
            if ExchangeRecord.happened(record.firstByteAt) {
                line.firstByteNanoseconds = record.firstByteAt.nanoseconds(since: record.grantedAt)
            }
        }
        // A head that could not be parsed has no ranges to log.
        if exchange.isHeadComplete {
            write(line, exchange.requestID, exchange.parser.head, client.peer)
        } else {
            write(line, exchange.requestID, RequestHead(), client.peer)
        }
    }

    private func write(
        _ line: borrowing AccessRecord, _ requestID: borrowing [UInt8],
        _ head: borrowing RequestHead, _ peer: borrowing PeerAddress
    ) {
        accessLog?.log(
            line, requestID: requestID.span, client: peer.bytes,
            method: head.span(head.methodRange), path: head.span(head.path),
            host: head.span(head.authority ?? 0..<0))
    }
}
