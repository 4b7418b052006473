// The admin listener's four pages. They are made when they are asked for, from snapshots, on the
// leading reactor's thread; a scrape of a gateway with dozens of backends takes well under a millisecond.

internal import Admission
internal import Bytes
internal import HTTP1
internal import Policy
internal import Reactor
internal import Telemetry

/// Answers requests to the admin listener.
struct AdminService {
    /// Bodies shorter than this are sent as they are: compressing them would gain nothing.
    private static let compressFromBytes = 1024

    /// A page, or what is wrong with the request.
    private struct Page: ~Copyable {
        var status = 200
        var contentType = "text/plain; charset=utf-8"
        var body = ByteBuffer()

        init(status: Int = 200, _ text: String = "") {
            self.status = status
            body.append(text)
        }
    }

    /// Answers the request that `exchange` has read, as soon as all reactors have told what they
    /// have counted.
    func reply(_ exchange: Exchange, _ client: ClientConnection) {
        if exchange.shard.group.count > 1, AdminService.showsCounters(exchange.head) {
            exchange.stage = .gathering
            exchange.shard.gather(for: exchange)
        } else {
            reply(exchange, client, with: [])
        }
    }

    private static func showsCounters(_ head: borrowing RequestHead) -> Bool {
        let path = head.span(head.path)
        return path.equals(Array("/metrics".utf8)) || path.equals(Array("/status".utf8))
    }

    /// Responses with what the other reactors have counted.
    func reply(_ exchange: Exchange, _ client: ClientConnection, with reports: [ReactorReport]) {
        let method = exchange.head.method
        let page: Page
        if method == .get || method == .head {
            page = makePage(exchange.shard, exchange.head, reports)
        } else {
            page = Page(status: 405, "only GET and HEAD are answered here\n")
        }
        exchange.record.status = page.status
        exchange.isResponseBegun = true
        exchange.stage = .delivering
        if !exchange.isRequestComplete { exchange.decideDiscarding() }
        client.prepareOutput()
        append(page, exchange, omitsBody: method == .head, to: &client.output)
    }

    private func makePage(
        _ shard: Shard, _ head: borrowing RequestHead, _ reports: [ReactorReport]
    ) -> Page {
        let path = head.span(head.path)
        if path.equals(Array("/metrics".utf8)) { return metrics(shard, head, reports) }
        if path.equals(Array("/status".utf8)) {
            var page = Page()
            page.contentType = StatusRenderer.contentType
            StatusRenderer.render(shard.observe(with: reports), into: &page.body)
            return page
        }
        if path.equals(Array("/healthz".utf8)) { return Page("ok\n") }
        if path.equals(Array("/readyz".utf8)) {
            if shard.isDraining { return Page(status: 503, "draining\n") }
            // Where a platform takes who is not ready out of its rotation, nobody would be left to tell
            // clients when to come back.
            let asksBackends = shard.snapshot.policy.server.readiness == .backends
            return !asksBackends || shard.hasUsableBackend
                ? Page("ready\n") : Page(status: 503, "no usable backend\n")
        }
        return Page(status: 404, "pages: /metrics /status /healthz /readyz\n")
    }

    private func metrics(
        _ shard: Shard, _ head: borrowing RequestHead, _ reports: [ReactorReport]
    ) -> Page {
        var page = Page()
        var format = MetricsFormat.text
        if let field = head.firstField(.accept) {
            format = MetricsFormat(accept: head.value(of: field))
        }
        page.contentType = format.contentType
        PrometheusRenderer.render(
            shard.observe(with: reports), format: format, into: &page.body)
        return page
    }

    private func append(
        _ page: borrowing Page, _ exchange: Exchange, omitsBody: Bool, to output: inout ByteBuffer
    ) {
        var compressed = ByteBuffer()
        let isCompressed =
            page.body.count >= AdminService.compressFromBytes
            && wantsGzip(exchange.head)
            && Gzip.compress(page.body.bytes, into: &compressed)
        output.appendStatusLine(status: page.status)
        exchange.shard.appendDate(to: &output)
        output.appendField(.contentType, page.contentType)
        if page.status == 405 { output.append("Allow: GET, HEAD\r\n") }
        output.append("Cache-Control: no-store\r\nVary: Accept, Accept-Encoding\r\n")
        if isCompressed { output.append("Content-Encoding: gzip\r\n") }
        output.appendContentLength(isCompressed ? compressed.count : page.body.count)
        exchange.appendConnection(to: &output)
        output.appendLineEnd()
        if omitsBody { return }
        if isCompressed { output.append(compressed.bytes) } else { output.append(page.body.bytes) }
    }

    private func wantsGzip(_ head: borrowing RequestHead) -> Bool {
        var encodings = AcceptEncoding()
        for field in head.fields where field.known == .acceptEncoding {
            encodings.consider(head.value(of: field))
        }
        return encodings.wantsGzip
    }
}
