// What the route and the pool of a request say about its path, its fields, its body and its time. What is said is made
// ready beforehand; requests of which nothing is said come by here for one look each.

internal import Admission
internal import Bytes
internal import HTTP1
internal import Policy
internal import Reactor

extension Exchange {
    /// Whether anything is said about the heads of the request in `pool`.
    @inline(__always) func hasRules(in pool: Pool) -> Bool { rules != nil || pool.rules != nil }

    /// Takes over what the route with that index says; false where that refuses the request, which has been
    /// answered then.
    @inline(never)
    func takeRules(ofRoute index: Int, _ head: borrowing RequestHead) -> Bool {
        rules = snapshot.routes.rules(ofRoute: index)
        guard let rules else { return true }
        if intake.bodyLength > rules.maxBodyBytes {
            reply(.bodyTooLarge)
            return false
        }
        if rules.refusesAmbiguousPaths, !snapshot.refusesAmbiguousPaths, isAmbiguous(head) {
            reply(.pathAmbiguous)
            return false
        }
        guard let rewrite = rules.path, !isForServer(head) else { return true }
        claim.rewritePath(rewrite, head)
        if claim.forwardedPath.looksLikeAuthority {
            reply(.pathAmbiguous)
            return false
        }
        return true
    }

    // What has no rules is asked for them often, and by one comparison.

    /// Bytes that the request's body may have.
    @inline(__always) var maxBodyBytes: Int {
        rules == nil ? snapshot.maxBodyBytes : ownMaxBodyBytes
    }

    private var ownMaxBodyBytes: Int { rules?.maxBodyBytes ?? snapshot.maxBodyBytes }

    /// The time-outs of the request's backend.
    @inline(never) func ownTimeouts(in pool: Pool) -> Pool.Timeouts {
        rules?.timeouts(instead: pool.timeouts) ?? pool.timeouts
    }

    /// What is done to the fields of the request.
    func requestEditors(in pool: Pool) -> FieldEditors? {
        FieldEditors(route: rules?.request, pool: pool.rules?.request)
    }

    /// Whether anything may be done to the fields of the response.
    @inline(__always) var isResponseRuled: Bool {
        guard let pool else { return false }
        return hasRules(in: pool)
    }

    /// What is done to the fields of the response.
    var responseEditors: FieldEditors? {
        FieldEditors(route: rules?.response, pool: pool?.rules?.response)
    }

    /// Appends the fields that responses get: those of the route count, as it is nearer to the client.
    @inline(never)
    func appendSetFields(to output: inout ByteBuffer) {
        guard let editors = responseEditors else { return }
        editors.pool?.append(to: &output, hasSecrets: true, besides: editors.route)
        editors.route?.append(to: &output, hasSecrets: true)
    }

    /// Writes what ends a body of chunks, with what travels on of the trailers.
    func endChunks(to connection: UpstreamConnection) {
        guard intake.head.framing.isChunked else { return }
        let editors = pool.flatMap { hasRules(in: $0) ? requestEditors(in: $0) : nil }
        intake.endChunks(to: connection, editors)
    }

    /// Whether the request is for the backend as a whole: `OPTIONS *`, which no path goes before.
    func isForServer(_ head: borrowing RequestHead) -> Bool {
        if head.form == .asterisk { return true }
        return head.path.isEmpty && head.method == .options && head.query.isEmpty
    }

    /// Appends the target that a backend at `base` of `pool` is asked for.
    func appendTarget(
        _ head: borrowing RequestHead, at base: borrowing [UInt8], in pool: Pool,
        to output: inout ByteBuffer
    ) {
        if isForServer(head) {
            output.append(UInt8(ascii: "*"))
            return
        }
        if !claim.forwardedPath.isEmpty {
            let path = claim.forwardedPath
            appendPath(path.span, claim.replacedForwardedRange, at: base, pool, to: &output)
        } else if head.path.isEmpty {
            appendPath("/".utf8.span, nil, at: base, pool, to: &output)
        } else {
            let start = head.path.lowerBound
            let model = claim.replacedPathRange.map {
                ($0.lowerBound - start)..<($0.upperBound - start)
            }
            appendPath(head.span(head.path), model, at: base, pool, to: &output)
        }
        output.append(head.span(head.query))
    }

    /// Appends `path` behind `base`, without what the pool strips, and with another name in the range `model`.
    private func appendPath(
        _ path: Span<UInt8>, _ model: Range<Int>?, at base: borrowing [UInt8], _ pool: Pool,
        to output: inout ByteBuffer
    ) {
        let stripped = pool.rules?.strippedCount(of: path) ?? 0
        output.append(base.span)
        if let model, model.lowerBound >= stripped {
            output.append(path.extracting(stripped..<model.lowerBound))
            RequestRewriter.appendModel(claim.model, to: &output)
            output.append(path.extracting(model.upperBound..<path.count))
        } else if stripped < path.count {
            output.append(path.extracting(stripped..<path.count))
        } else if base.isEmpty {
            output.append(UInt8(ascii: "/"))
        }
    }
}

extension RequestRewriter {
    /// Appends the request line of a request that its route or `pool` has rules for.
    @inline(never)
    func appendRuledLine(
        _ head: borrowing RequestHead, of exchange: Exchange, in pool: Pool,
        for upstream: Upstream, to output: inout ByteBuffer
    ) {
        output.append(head.span(head.methodRange))
        output.append(0x20)
        exchange.appendTarget(head, at: upstream.path, in: pool, to: &output)
        output.append(" HTTP/1.1\r\n")
    }

    /// Appends the fields that the route sets and the pool, which is nearer to the backend.
    @inline(never)
    func appendSetFields(
        _ editors: FieldEditors, of exchange: Exchange, to output: inout ByteBuffer
    ) {
        // A key of the route's own is for its own pools.
        let isElsewhere = exchange.hasFallenBack || isCopy
        editors.route?.append(to: &output, hasSecrets: !isElsewhere, besides: editors.pool)
        editors.pool?.append(to: &output, hasSecrets: true)
    }
}
