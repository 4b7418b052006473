// Pages of the gateway's own for clients: what `server.health_paths` names, and the list of models. No
// backend is asked, and a page takes no place of a limit.

internal import Admission
internal import Bytes
internal import HTTP1
internal import Inference
internal import Policy
internal import Reactor
internal import Telemetry

extension Exchange {
    /// Answers a request for a page of the gateway's own; false where it is for none.
    func answerPage(_ head: borrowing RequestHead, _ client: ClientConnection) -> Bool {
        guard head.method == .get || head.method == .head else { return false }
        let routes = snapshot.routes
        if routes.isForHealth(head) {
            answerHealth()
            return true
        }
        guard routes.modelList.answers(head) else { return false }
        if !refusesKey(onRoutes: routes.modelRoutes, head, client) { answerModels() }
        return true
    }

    /// Says whether the gateway takes requests.
    private func answerHealth() {
        if shard.isDraining || shard.isLeaving {
            reply(.draining)
        } else {
            var page = ByteBuffer()
            page.append("ok\n")
            append(page, ofType: "text/plain")
        }
    }

    /// Answers a request for the models that are served.
    private func answerModels() {
        var page = ByteBuffer()
        guard snapshot.routes.modelList.appendBody(for: intake.head, claim.dialect, to: &page)
        else {
            reply(.modelUnknown)
            return
        }
        append(page, ofType: "application/json")
    }

    private func append(_ page: borrowing ByteBuffer, ofType type: String) {
        guard let client else { return }
        beginReply(status: 200)
        client.prepareOutput()
        client.output.appendStatusLine(status: 200)
        shard.appendDate(to: &client.output)
        client.output.append("Content-Type: ")
        client.output.append(type)
        client.output.appendLineEnd()
        client.output.appendContentLength(page.count)
        appendCrossOrigin(to: &client.output)
        client.output.appendField(.xRequestID, requestID)
        outlet.appendConnection(intake.head.version, to: &client.output)
        client.output.appendLineEnd()
        if intake.head.method != .head { client.output.append(0..<page.count, of: page) }
    }
}
