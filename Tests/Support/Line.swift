// A connection in memory, and how much of it its far end has looked at.

import Bytes

@testable import Reactor

/// The state of one connection between the gateway and a peer, whoever looks at it.
final class Line {
    let stream = MemoryStream()
    /// Whether the world's service leaves it alone: it has become something else than a row of requests.
    var isTaken = false
    private var inbox = Inbox()
    private var seen = 0

    /// What the far end has got and not read yet.
    func withInbox<Result>(_ body: (inout Inbox) throws -> Result) rethrows -> Result {
        let count = stream.output.count
        if count > seen {
            inbox.append(stream.written[seen..<count])
            seen = count
        }
        return try body(&inbox)
    }
}
