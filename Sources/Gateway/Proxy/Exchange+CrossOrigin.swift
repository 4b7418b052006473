// Pages of other origins (Fetch, section 3.2): on routes with `cors` the gateway answers what browsers ask
// beforehand, and every response of theirs, refusals included, says who may read it. Elsewhere these fields are
// the backend's business, and nothing is looked at.

internal import Bytes
internal import HTTP1
internal import Policy
internal import Reactor

extension Exchange {
    /// What browsers are told about the request's route; nil where it has no `cors`.
    ///
    /// For a request that was refused before it had a route, the one that it would have got.
    @inline(__always) var crossOrigin: CrossOriginTexts? {
        snapshot.routes.hasCrossOrigin ? crossOriginOfRoute : nil
    }

    private var crossOriginOfRoute: CrossOriginTexts? {
        guard intake.isHeadComplete else { return nil }
        let routes = snapshot.routes
        return routeIndex >= 0
            ? routes.crossOrigin(ofRoute: routeIndex) : routes.crossOrigin(for: intake.head)
    }

    /// Appends what browsers are told with a response, if the request's route has something to say.
    func appendCrossOrigin(to output: inout ByteBuffer) {
        guard let crossOrigin else { return }
        appendCrossOrigin(crossOrigin, to: &output)
    }

    /// Appends what browsers are told with a response.
    func appendCrossOrigin(_ crossOrigin: CrossOriginTexts, to output: inout ByteBuffer) {
        Exchange.append(crossOrigin, for: intake.head, to: &output)
    }

    private static func append(
        _ crossOrigin: CrossOriginTexts, for head: borrowing RequestHead,
        to output: inout ByteBuffer
    ) {
        if let range = Exchange.originRange(in: head) {
            crossOrigin.append(for: head.span(range), to: &output)
        } else {
            crossOrigin.append(for: nil, to: &output)
        }
    }

    /// Answers what a browser asks before its page's request; false where the route leaves that to the
    /// backend, or it is no such question.
    ///
    /// The route is that of the request which is to follow, with its method. No key is needed: browsers send
    /// none.
    func answerPreflight(_ head: borrowing RequestHead) -> Bool {
        guard isPreflight(head), let client,
            let method = Exchange.fieldRange("access-control-request-method", in: head)
        else { return false }
        let crossOrigin: CrossOriginTexts
        if let index = snapshot.routes.route(for: head, method: head.span(method)) {
            guard let texts = snapshot.routes.crossOrigin(ofRoute: index) else { return false }
            crossOrigin = texts
            routeIndex = index
            pool = snapshot.pools[snapshot.policy.routes[index].pool]
        } else {
            // The gateway's own list of models belongs to no route.
            guard let texts = snapshot.routes.crossOriginOfModelList(for: head) else {
                return false
            }
            crossOrigin = texts
        }
        beginReply(status: 204)
        client.prepareOutput()
        client.output.appendStatusLine(status: 204)
        shard.appendDate(to: &client.output)
        appendPreflight(crossOrigin, head, to: &client.output)
        client.output.appendField(.xRequestID, requestID)
        outlet.appendConnection(head.version, to: &client.output)
        client.output.appendLineEnd()
        return true
    }

    private func appendPreflight(
        _ crossOrigin: CrossOriginTexts, _ head: borrowing RequestHead,
        to output: inout ByteBuffer
    ) {
        guard let origin = Exchange.originRange(in: head) else {
            return crossOrigin.appendPreflight(for: nil, headers: nil, to: &output)
        }
        if let asked = Exchange.fieldRange("access-control-request-headers", in: head) {
            crossOrigin.appendPreflight(
                for: head.span(origin), headers: head.span(asked), to: &output)
        } else {
            crossOrigin.appendPreflight(for: head.span(origin), headers: nil, to: &output)
        }
    }

    private static func originRange(in head: borrowing RequestHead) -> Range<Int>? {
        fieldRange("origin", in: head)
    }

    /// Where the value of the one field of that name stands; nil where there is none, or several.
    private static func fieldRange(
        _ name: String, in head: borrowing RequestHead
    ) -> Range<Int>? {
        var found: Range<Int>?
        for field in head.fields
        where field.known == .other && head.name(of: field).equals(lowercase: name) {
            if found != nil { return nil }
            found = field.value
        }
        return found
    }
}
