// The admin listener's pages. They are made when they are asked for, from what the shards have
// counted; a scrape of a gateway with dozens of backends takes well under a millisecond.

internal import Bytes
internal import Gateway
internal import HTTP1
internal import Policy
internal import Telemetry

/// Makes the pages of a gateway.
struct AdminPages {
    let gateway: Gateway

    /// How long the shards have to tell what they have counted: no turn of a loop takes as long.
    private static let patienceSeconds = 2.0

    /// Calls `then` with the page that a request with `head` and `body` asks for, at once or as soon as the shards
    /// have answered.
    func make(
        for head: RequestHead, _ body: [UInt8] = [],
        _ then: @escaping (consuming AdminPage) -> Void
    ) {
        if let page = backendPage(for: head, body) { return then(page) }
        guard head.method == .get || head.method == .head else {
            return then(AdminPage(status: 405, "only GET and HEAD are answered here\n"))
        }
        guard let page = Name(head.span(head.path)) else {
            return then(
                AdminPage(
                    status: 404, "pages: /metrics /status /healthz /readyz /backends/POOL/BACKEND\n"
                ))
        }
        gateway.observe(within: AdminPages.patienceSeconds) { observed in
            guard let observed else {
                return then(AdminPage(status: 503, "a thread does not answer\n"))
            }
            then(make(page, head, observed))
        }
    }

    private enum Name {
        case metrics, status, health, readiness

        init?(_ path: Span<UInt8>) {
            if path.equals(Array("/metrics".utf8)) {
                self = .metrics
            } else if path.equals(Array("/status".utf8)) {
                self = .status
            } else if path.equals(Array("/healthz".utf8)) {
                self = .health
            } else if path.equals(Array("/readyz".utf8)) {
                self = .readiness
            } else {
                return nil
            }
        }
    }

    private func make(
        _ name: Name, _ head: RequestHead, _ observed: GatewaySnapshot
    ) -> AdminPage {
        switch name {
        case .metrics: return metrics(head, observed)
        case .status:
            var page = AdminPage()
            page.contentType = StatusRenderer.contentType
            StatusRenderer.render(observed, into: &page.body)
            return page
        case .health: return AdminPage("ok\n")
        case .readiness:
            if gateway.isDraining || gateway.isLeaving {
                return AdminPage(status: 503, "draining\n")
            }
            // Where a platform takes who is not ready out of its rotation, nobody would be left to tell
            // clients when to come back.
            let asksBackends = gateway.policy.server.readiness == .backends
            if !asksBackends || gateway.hasWorkingBackend { return AdminPage("ready\n") }
            gateway.tryBackends()
            return AdminPage(status: 503, "no usable backend\n")
        }
    }

    private func metrics(_ head: RequestHead, _ observed: GatewaySnapshot) -> AdminPage {
        var page = AdminPage()
        var format = MetricsFormat.text
        if let field = head.firstField(.accept) {
            format = MetricsFormat(accept: head.value(of: field))
        }
        page.contentType = format.contentType
        PrometheusRenderer.render(observed, format: format, into: &page.body)
        return page
    }
}
