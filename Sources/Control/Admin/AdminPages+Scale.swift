// The pools' own places of the admin listener, `/scale/POOL`: how many backends a pool wants. They are answered at once, from what
// the threads share, and wait for none of them.

internal import Bytes
internal import Gateway
internal import HTTP1
internal import Policy
internal import Telemetry

extension AdminPages {
    /// The page of a pool whose place is asked for with that head; nil where the path is no such place.
    func scalePage(for head: borrowing RequestHead) -> AdminPage? {
        let path = head.span(head.path)
        guard path.hasPrefix(AdminPages.scale.span) else { return nil }
        guard head.method == .get || head.method == .head else {
            return AdminPage(status: 405, "only GET and HEAD are answered here\n")
        }
        let name = path.extracting(AdminPages.scale.count..<path.count).text.percentDecoded
        guard let name, let shown = gateway.scale(ofPool: name) else {
            return AdminPage(
                status: 404,
                "no such pool; write /scale/POOL as the policy has it, such as /scale/chat\n")
        }
        var page = AdminPage()
        page.contentType = StatusRenderer.contentType
        shown.render(into: &page.body)
        return page
    }

    private static let scale = Array("/scale/".utf8)
}
