// The backends' own places of the admin listener, `/backends/POOL/BACKEND`: what is said of one, and where operators say
// it. Whoever changes something has to show the policy's token.

internal import Bytes
internal import Gateway
internal import HTTP1
internal import Policy
internal import Telemetry

extension AdminPages {
    /// The page of a backend whose place is asked for with that head and body; nil where the path is no such place.
    func backendPage(for head: borrowing RequestHead, _ body: [UInt8]) -> AdminPage? {
        let path = head.span(head.path)
        guard path.hasPrefix(AdminPages.backends.span) else { return nil }
        let isChange = head.method == .put
        guard isChange || head.method == .get || head.method == .head else {
            var page = AdminPage(status: 405, "only GET, HEAD and PUT are answered here\n")
            page.allowed = "GET, HEAD, PUT"
            return page
        }
        if isChange, let refusal = access.refusalOfChange(head) { return refusal }
        guard let backend = backend(path.extracting(AdminPages.backends.count..<path.count)) else {
            return AdminPage(
                status: 404,
                "no such backend; write /backends/POOL/BACKEND as /status has them, such as "
                    + "/backends/chat/10.0.0.11:8000\n")
        }
        if isChange {
            do throws(AgentLine.Fault) {
                try gateway.push(body, to: backend)
            } catch {
                return AdminPage(status: 400, "\(error.description)\n")
            }
        }
        var page = AdminPage()
        page.contentType = StatusRenderer.contentType
        gateway.shown(backend)?.render(into: &page.body)
        return page
    }

    private static let backends = Array("/backends/".utf8)

    private func backend(_ place: Span<UInt8>) -> NamedBackend? {
        var end = 0
        while end < place.count, place[end] != UInt8(ascii: "/") { end += 1 }
        guard end < place.count, let pool = place.extracting(0..<end).text.percentDecoded,
            let name = place.extracting(end + 1..<place.count).text.percentDecoded
        else { return nil }
        return gateway.backend(named: name, of: pool)
    }
}
