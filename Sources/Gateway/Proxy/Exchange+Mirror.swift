// Copies of requests for another pool: whether one is made, and of what. It is made as the request is forwarded for the
// first time, of bytes that are in memory anyway, and given to the shard, which sends it when this turn's requests have
// been served. Whatever becomes of it, the request does not come to know.

internal import Admission
internal import Bytes
internal import HTTP1
internal import Policy
internal import Reactor
internal import Telemetry

extension Exchange {
    /// Hands over what is held of the body, as for any request, and decides about a copy.
    @inline(never)
    func forwardBodyAndCopy(
        _ head: borrowing RequestHead, from client: ClientConnection,
        to connection: UpstreamConnection
    ) {
        let headEnd = connection.output.count
        forwardBody(to: connection)
        spread.mayBeCopied = false
        mirror(head, from: client, on: connection, headEnd: headEnd)
    }

    /// Copies the request where its route says so; its head, of which `connection` got `headEnd` bytes, and its body
    /// have just been written.
    private func mirror(
        _ head: borrowing RequestHead, from client: ClientConnection,
        on connection: UpstreamConnection,
        headEnd: Int
    ) {
        guard let settings = snapshot.policy.routes[routeIndex].mirror, !asksForTunnel,
            isChosen(for: settings.share), !shard.isDraining, !Exchange.isCopy(head)
        else { return }
        let pool = snapshot.pools[settings.pool]
        guard let source = bodySource(head, client, connection, headEnd: headEnd),
            source.count <= settings.maxBodyBytes
        else { return pool.metrics.countMirror(.body) }
        guard shard.mirrors.hasRoom(for: source.count + head.bytes.count, settings) else {
            return pool.metrics.countMirror(.bound)
        }
        guard let permit = pool.startCopy() else { return pool.metrics.countMirror(.refused) }
        guard let upstream = pool.upstream(permit.backend) else {
            pool.complete(permit, .failed(.local), ServedWork())
            return pool.metrics.countMirror(.refused)
        }
        var request = ByteBuffer()
        RequestRewriter(copying: self, to: pool).append(
            head, of: self, in: pool, for: upstream, peer: client.peer, to: &request)
        switch source {
        case .none: break
        case .input(let count): request.append(0..<count, of: client.input)
        case .output(let range): request.append(range, of: connection.output)
        }
        shard.mirrors.add(
            MirroredRequest(
                permit, of: pool, in: shard, to: upstream, request: request,
                MirroredRequest.Origin(
                    head: intake.head.copy(), requestID: requestID, peer: client.peer,
                    readsResponse: claim.readsResponse)))
    }

    /// Where all of a body stands.
    private enum BodySource {
        case none
        /// At the beginning of what the client has sent.
        case input(Int)
        /// In what is to be sent to the backend, with its framing.
        case output(Range<Int>)

        var count: Int {
            switch self {
            case .none: 0
            case .input(let count): count
            case .output(let range): range.count
            }
        }
    }

    /// Where the request's body is as a whole; nil where it is nowhere.
    private func bodySource(
        _ head: borrowing RequestHead, _ client: ClientConnection, _ connection: UpstreamConnection,
        headEnd: Int
    ) -> BodySource? {
        if intake.isBodyless { return BodySource.none }
        let written = connection.hasOutput ? connection.output.count : 0
        switch head.framing {
        case .none, .untilClose: return nil
        case .length(let length):
            guard intake.isComplete else {
                let waiting = client.hasInput ? client.input.count : 0
                return intake.bodyBytes == 0 && waiting >= length ? .input(length) : nil
            }
            let count = length + lengthDifference
            return written >= count ? .output(written - count..<written) : nil
        case .chunked:
            // A body in chunks that is complete was written whole, behind the head.
            return intake.isComplete && written > headEnd ? .output(headEnd..<written) : nil
        }
    }

    /// Whether a request is one of that share of all, by its id.
    private func isChosen(for share: Double) -> Bool {
        let id = requestID
        return RouteSplit.unit(RouteSplit.hashKey.hash(id.span) &+ Exchange.mirrorSalt) < share
    }

    /// Keeps this choice from being that of a split's pool.
    private static let mirrorSalt: UInt64 = 0x6d69_7272_6f72_2e31

    /// Whether the request is a copy already.
    private static func isCopy(_ head: borrowing RequestHead) -> Bool {
        for field in head.fields where field.name.count == mirrorField.count {
            if head.name(of: field).equals(lowercase: mirrorField) { return true }
        }
        return false
    }

    private static let mirrorField = Array("penstock-mirror".utf8)
}
