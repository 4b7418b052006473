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
    let dashboard: Dashboard

    /// How long the shards have to tell what they have counted: no turn of a loop takes as long.
    private static let patienceSeconds = 2.0

    /// Who may see them.
    var access: AdminAccess {
        AdminAccess(settings: gateway.policy.admin, token: gateway.policy.adminToken)
    }

    /// Calls `then` with the page that `request` asks for with `body`, at once or as soon as the shards have answered.
    func make(
        for request: AdminRequest, _ body: [UInt8] = [],
        _ then: @escaping (consuming AdminPage) -> Void
    ) {
        let name = Name(of: request.head)
        if name?.isForAll != true, let refusal = access.refusal(of: request.head) {
            return then(refusal)
        }
        if let page = backendPage(for: request.head, body) { return then(page) }
        if let page = scalePage(for: request.head) { return then(page) }
        guard request.head.method == .get || request.head.method == .head else {
            return then(AdminPage(status: 405, "only GET and HEAD are answered here\n"))
        }
        guard let name else {
            return then(
                AdminPage(
                    status: 404,
                    "pages: / /events /metrics /status /healthz /readyz /scale/POOL "
                        + "/backends/POOL/BACKEND\n"))
        }
        if name == .dashboard { return then(dashboardPage) }
        if name == .events, dashboard.isFull { return then(AdminPages.tooManyWatchers) }
        gateway.observe(within: AdminPages.patienceSeconds, withTraffic: name == .metrics) {
            observed in
            guard let observed else {
                return then(AdminPage(status: 503, "a thread does not answer\n"))
            }
            then(make(name, request.head, observed))
        }
    }

    /// Calls `then` with what the gateway does and did of late; with nil where a thread does not answer.
    func observe(_ then: @escaping (GatewaySnapshot?) -> Void) {
        gateway.observe(within: AdminPages.patienceSeconds, withTraffic: false) { observed in
            then(observed.map { dashboard.completed($0) })
        }
    }

    private enum Name: String, CaseIterable {
        case dashboard = "/"
        case events = "/events"
        case metrics = "/metrics"
        case status = "/status"
        case health = "/healthz"
        case readiness = "/readyz"

        init?(of head: borrowing RequestHead) {
            let path = head.span(head.path)
            // A target in absolute form may have none.
            if path.isEmpty {
                self = .dashboard
                return
            }
            for name in Name.allCases where path.equals(name.rawValue) {
                self = name
                return
            }
            return nil
        }

        /// Whether it says nothing but whether the gateway is there, which probes ask that know no token and no name.
        var isForAll: Bool { self == .health || self == .readiness }
    }

    private func make(
        _ name: Name, _ head: borrowing RequestHead, _ observed: GatewaySnapshot
    ) -> AdminPage {
        switch name {
        case .dashboard: return dashboardPage
        case .events: return events(head, observed)
        case .metrics: return metrics(head, observed)
        case .status:
            var page = AdminPage()
            page.contentType = StatusRenderer.contentType
            StatusRenderer.render(dashboard.completed(observed), into: &page.body)
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

    private func metrics(_ head: borrowing RequestHead, _ observed: GatewaySnapshot) -> AdminPage {
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

// MARK: - The dashboard

extension AdminPages {
    private var dashboardPage: AdminPage {
        var page = AdminPage()
        page.contentType = "text/html; charset=utf-8"
        page.securityPolicy = DashboardPage.securityPolicy
        let bytes = DashboardPage.bytes
        page.body.append(bytes.span)
        return page
    }

    /// What whoever comes too late is told.
    static var tooManyWatchers: AdminPage {
        AdminPage(
            status: 503,
            "\(Dashboard.mostWatchers) are watching already, which is as many as may; close one of them\n"
        )
    }

    private static let lastEvent = Array("last-event-id".utf8)

    /// The first event: all of the history, or what who has been here before has not had.
    private func events(_ head: borrowing RequestHead, _ observed: GatewaySnapshot) -> AdminPage {
        var page = AdminPage()
        page.contentType = "text/event-stream"
        if head.method == .head { return page }
        var second: Int64 = 0
        for field in head.fields
        where head.span(field.name).equalsIgnoringCase(AdminPages.lastEvent.span) {
            second = Int64(head.value(of: field).text) ?? 0
        }
        page.body.append("retry: 2000\n")
        page.watchedSecond = dashboard.appendEvent(observed, after: second, to: &page.body)
        return page
    }
}
