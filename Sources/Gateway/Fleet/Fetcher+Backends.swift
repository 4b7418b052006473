// What the gateway itself takes for a response of a backend: what its clients would get, and nothing that they would
// get a 502 for. Else a backend is called well whose every response is refused.

internal import HTTP1
package import Reactor

extension Fetcher {
    /// Asks backends, on `reactor`'s thread; a response with a head that clients' requests would not take is
    /// `notHTTP`.
    package convenience init(askingBackendsIn reactor: Reactor) {
        self.init(reactor: reactor) { Fetcher.isResponse($0, to: $1) }
    }

    private static func isResponse(_ head: [UInt8], to method: String) -> Bool {
        readsHead(head, to: method) { _ in }
    }

    /// Shows the final response's head among those that `head` has to `body`; false where there is none.
    static func readsHead(
        _ head: [UInt8], to method: String, _ body: (borrowing ResponseHead) -> Void
    ) -> Bool {
        var parser = ResponseParser(limits: UpstreamConnection.headLimits)
        parser.begin(requestMethod: method == "HEAD" ? .head : .get)
        var start = 0
        while case .head(let consumed)? = try? parser.next(in: head.span.extracting(start...)) {
            if !parser.head.isInformational {
                body(parser.head)
                return true
            }
            start += consumed
        }
        return false
    }
}
