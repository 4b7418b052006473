// The request's head as the backend gets it (RFC 9110 section 7.6): fields of this hop go, the
// others travel as they came, and the gateway adds who asked and through whom. Framing is written
// anew, never copied.

internal import Admission
internal import Bytes
internal import HTTP1
internal import Policy
internal import Reactor

/// Writes one request's head for one backend.
struct RequestRewriter {
    let host: HostRule
    /// Whether fields with API keys stay here.
    let keepsKeys: Bool
    /// What is left of the request's time, for the backend; nil where there is no deadline, or the
    /// backend is not told.
    let remainingNanoseconds: Int64?
    /// Whether the policy has a deadline of its own, which no field has told yet.
    let hasOwnDeadline: Bool
    /// Whether the request may change to WebSocket, which is then asked for at this hop.
    let asksForWebSocket: Bool
    /// What the body's length differs by from the client's.
    let lengthDifference: Int
    /// Where the path has a name that is replaced.
    let modelRange: Range<Int>?
    /// Whether the client has been told to send its body already.
    let hasAskedForBody: Bool

    /// Whether the backend is asked to report its load.
    let asksForReport: Bool
    /// Whether the client speaks TLS.
    let isSecured: Bool
    /// Whether it is a copy, which says so.
    private(set) var isCopy = false
    /// Whether the route or the pool says something about the head.
    private let isRuled: Bool
    /// Whether the response is read as it passes, so that it may not be compressed.
    let readsResponse: Bool

    init(_ exchange: Exchange, in pool: Pool, keepsKeys: Bool = false) {
        host = pool.settings.host
        isRuled = exchange.hasRules(in: pool)
        self.keepsKeys =
            keepsKeys || pool.keepsKeys || exchange.claim.keepsKeys
            || isRuled && exchange.rules?.hasKey == true
        let deadline = exchange.claim.deadline
        let isTold = pool.deadlines.isPassedOn && deadline != .distantFuture
        remainingNanoseconds = isTold ? deadline.nanoseconds(since: exchange.now) : nil
        hasOwnDeadline = pool.longestNanoseconds != nil
        asksForWebSocket = exchange.asksForTunnel
        lengthDifference = exchange.lengthDifference
        modelRange = exchange.claim.replacedPathRange
        hasAskedForBody = exchange.intake.hasAskedForBody
        readsResponse = exchange.claim.readsResponse
        asksForReport = pool.asksForReports
        isSecured = exchange.isSecured
    }

    /// For a copy of the request for `pool`; what its own pool keeps back is kept back there, too.
    init(copying exchange: Exchange, to pool: Pool) {
        self.init(exchange, in: pool, keepsKeys: exchange.pool?.keepsKeys == true)
        isCopy = true
    }

    // What it is about is handed on and not kept: each property that refers to something is counted.

    /// Appends the head of `exchange`, for `upstream` of `pool`, with the empty line that ends it.
    func append(
        _ head: borrowing RequestHead, of exchange: Exchange, in pool: Pool, for upstream: Upstream,
        peer: borrowing PeerAddress, to output: inout ByteBuffer
    ) {
        let texts = exchange.snapshot.headTexts
        appendStart(head, of: exchange, in: pool, for: upstream, texts, to: &output)
        let trusts = texts.trusts(peer)
        let tellsEnvoyTime = appendFields(
            head, of: exchange, in: pool, texts, trusts: trusts, to: &output)
        if let remainingNanoseconds, hasOwnDeadline, !tellsEnvoyTime {
            output.append("x-envoy-expected-rq-timeout-ms: ")
            output.append(decimal: Int(max(1, remainingNanoseconds / 1_000_000)))
            output.appendLineEnd()
        }
        if case .options = head.method, let hops = MaxForwards(head).hopsLeft {
            output.append("Max-Forwards: ")
            output.append(decimal: hops)
            output.appendLineEnd()
        }
        switch head.framing {
        case .none, .untilClose: break
        case .length(let length):
            output.append(texts.contentLength, decimal: length + lengthDifference)
        case .chunked: output.appendTransferEncodingChunked()
        }
        // In lower case: Triton compares it exactly.
        if asksForReport { output.append("endpoint-load-metrics-format: json\r\n") }
        switch texts.forwardedRule {
        case .append, .set: appendForwarded(head, peer, texts, trusts: trusts, to: &output)
        case .remove, .off: break
        }
        if upstream.worker != nil {
            appendForWorker(head, pool.admission.queueLength, to: &output)
        }
        if asksForWebSocket { output.append("Connection: Upgrade\r\nUpgrade: websocket\r\n") }
        if isCopy { output.append("Penstock-Mirror: 1\r\n") }
        texts.appendEnd(exchange.requestID, isHTTP10: head.version.isHTTP10, to: &output)
    }

    /// Appends what a worker is told besides: how many requests wait here for a place, and to say when it has one.
    private func appendForWorker(
        _ head: borrowing RequestHead, _ waiting: Int, to output: inout ByteBuffer
    ) {
        output.append("Penstock-Queue: ")
        output.append(decimal: waiting)
        output.appendLineEnd()
        // A client's own expectation has travelled on.
        if head.hasBody, !head.expectsContinue || hasAskedForBody {
            output.append("Expect: 100-continue\r\n")
        }
    }

    /// Appends the fields that travel on; whether Envoy's field for the time is among them.
    private func appendFields(
        _ head: borrowing RequestHead, of exchange: Exchange, in pool: Pool, _ texts: HeadTexts,
        trusts: Bool, to output: inout ByteBuffer
    ) -> Bool {
        let editors = isRuled ? exchange.requestEditors(in: pool) : nil
        var dropped = droppedFields(head, texts, trusts: trusts)
        var apart = fieldsApart(texts)
        if let editors {
            dropped.formUnion(editors.dropped)
            if editors.dropsOthers { apart.insert(.other) }
        }
        var tellsEnvoyTime = false
        var index = output.appendFields(of: head, without: dropped, before: apart)
        while index < head.fields.count {
            let field = head.fields[index]
            if editors?.drops(field.known, head.name(of: field)) != true {
                appendApart(field, of: head, &tellsEnvoyTime, to: &output)
            }
            index = output.appendFields(of: head, from: index + 1, without: dropped, before: apart)
        }
        if let editors { appendSetFields(editors, of: exchange, to: &output) }
        return tellsEnvoyTime
    }

    /// Appends a field that is looked at by itself, as far as it travels on.
    @inline(__always)
    private func appendApart(
        _ field: Field, of head: borrowing RequestHead, _ tellsEnvoyTime: inout Bool,
        to output: inout ByteBuffer
    ) {
        if readsResponse, case .acceptEncoding = field.known {
            // Without a coding is right whatever else the client would take (RFC 9110 section
            // 12.5.3).
            output.append("Accept-Encoding: identity\r\n")
        } else if let remainingNanoseconds, isTime(field, head) {
            if case .xEnvoyExpectedTimeout = field.known { tellsEnvoyTime = true }
            output.append(head.name(of: field))
            output.append(": ")
            RequestTimeout.append(
                nanoseconds: remainingNanoseconds, as: field.known,
                value: head.value(of: field), to: &output)
            output.appendLineEnd()
        } else if keepsKeys, asksForWebSocket, APIKey.isSubprotocols(field, in: head) {
            Subprotocols.append(withoutKeys: head.value(of: field), to: &output)
        } else if !keepsKeys || !APIKey.isKey(field, in: head) {
            output.appendField(name: head.name(of: field), value: head.value(of: field))
        }
    }

    /// Whether a field says a time until which the response is wanted.
    private func isTime(_ field: Field, _ head: borrowing RequestHead) -> Bool {
        switch field.known {
        case .grpcTimeout, .xRequestTimeout, .requestTimeout, .xEnvoyExpectedTimeout,
            .xStainlessReadTimeout:
            RequestTimeout.nanoseconds(head.value(of: field), in: field.known) != nil
        default:
            false
        }
    }

    private func droppedFields(
        _ head: borrowing RequestHead, _ texts: HeadTexts, trusts: Bool
    ) -> FieldNames {
        var dropped = trusts ? texts.droppedOfTrusted : texts.droppedOfRequest
        // HTTP/1.0 has no expectations, and without a body there is none, RFC 9110 section 10.1.1.
        if !head.expectsContinue || hasAskedForBody { dropped.insert(.expect) }
        if case .options = head.method { dropped.insert(.maxForwards) }
        return dropped
    }

    /// The fields that are looked at by themselves.
    private func fieldsApart(_ texts: HeadTexts) -> FieldNames {
        var apart = remainingNanoseconds == nil ? FieldNames() : texts.timeouts
        if keepsKeys { apart = remainingNanoseconds == nil ? texts.keys : texts.keysAndTimeouts }
        if readsResponse { apart.insert(.acceptEncoding) }
        // Subprotocols have no name of their own, and one of them may be a key.
        if keepsKeys, asksForWebSocket { apart.insert(.other) }
        return apart
    }

    /// The request line, and the host that counts.
    private func appendStart(
        _ head: borrowing RequestHead, of exchange: Exchange, in pool: Pool, for upstream: Upstream,
        _ texts: HeadTexts, to output: inout ByteBuffer
    ) {
        if isRuled {
            appendRuledLine(head, of: exchange, in: pool, for: upstream, to: &output)
        }
        switch host {
        case .preserve:
            if let range = head.authority {
                appendStart(head, of: exchange, host: head.span(range), texts, to: &output)
            } else {
                appendStart(head, of: exchange, host: upstream.authority, texts, to: &output)
            }
        case .backend:
            appendStart(head, of: exchange, host: upstream.authority, texts, to: &output)
        case .fixed(let name):
            appendStart(head, of: exchange, host: name.utf8.span, texts, to: &output)
        }
    }

    private func appendStart(
        _ head: borrowing RequestHead, of exchange: Exchange, host: borrowing [UInt8],
        _ texts: HeadTexts, to output: inout ByteBuffer
    ) {
        appendStart(head, of: exchange, host: host.span, texts, to: &output)
    }

    /// The target in origin form, RFC 9112 section 3.2: an absolute one has lost its authority to
    /// `Host`.
    private func appendStart(
        _ head: borrowing RequestHead, of exchange: Exchange, host: Span<UInt8>,
        _ texts: HeadTexts, to output: inout ByteBuffer
    ) {
        if !head.path.isEmpty, modelRange == nil, !isRuled {
            output.appendRequestLine(of: head, in: texts.requestStart, host: host)
            return
        }
        if isRuled {
            // The line is there.
        } else if let modelRange {
            output.append(head.span(head.methodRange))
            output.append(0x20)
            output.append(head.span(head.path.lowerBound..<modelRange.lowerBound))
            RequestRewriter.appendModel(exchange.claim.model, to: &output)
            output.append(head.span(modelRange.upperBound..<head.path.upperBound))
            output.append(head.span(head.query))
            output.append(" HTTP/1.1\r\n")
        } else {
            // RFC 9112 section 3.2.4: OPTIONS for a whole server, when the last proxy asks.
            let path = head.method == .options && head.query.isEmpty ? "*" : "/"
            output.appendRequestLine(
                method: head.span(head.methodRange), target: path.utf8.span,
                query: head.span(head.query))
        }
        output.appendField(.host, host)
    }

    /// The model as a segment of a path, RFC 3986 section 3.3.
    static func appendModel(_ model: [UInt8], to output: inout ByteBuffer) {
        for byte in model {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."),
                UInt8(ascii: "_"), UInt8(ascii: "~"), UInt8(ascii: ":"), UInt8(ascii: "@"):
                output.append(byte)
            default:
                output.append(UInt8(ascii: "%"))
                output.append(RequestRewriter.hexadecimal(byte >> 4))
                output.append(RequestRewriter.hexadecimal(byte & 0xf))
            }
        }
    }

    private static func hexadecimal(_ digit: UInt8) -> UInt8 {
        digit < 10 ? 0x30 + digit : 0x37 + digit
    }

    private func appendForwarded(
        _ head: borrowing RequestHead, _ peer: borrowing PeerAddress, _ texts: HeadTexts,
        trusts: Bool, to output: inout ByteBuffer
    ) {
        var appends = false
        if trusts, case .append = texts.forwardedRule { appends = true }
        if !appends, !peer.isEmpty, let range = head.authority {
            // The address was written here.
            // Each by itself: one of the two in a variable would be a copy.
            if isSecured {
                output.append(
                    texts.forwardedSecured, peer.bytes, head.span(range), isFirstChecked: true)
            } else {
                output.append(texts.forwarded, peer.bytes, head.span(range), isFirstChecked: true)
            }
            return
        }
        output.append("X-Forwarded-For: ")
        if appends {
            for field in head.fields where field.known == .xForwardedFor && !field.value.isEmpty {
                output.appendFieldText(head.value(of: field))
                output.append(", ")
            }
        }
        if peer.isEmpty { output.append("unknown") } else { output.appendFieldText(peer.bytes) }
        output.appendLineEnd()
        if appends, let field = head.firstField(.xForwardedProto) {
            output.appendField(.xForwardedProto, head.value(of: field))
        } else {
            output.append(
                isSecured ? "X-Forwarded-Proto: https\r\n" : "X-Forwarded-Proto: http\r\n")
        }
        if appends, let field = head.firstField(.xForwardedHost) {
            output.appendField(.xForwardedHost, head.value(of: field))
        } else if let range = head.authority {
            output.appendField(.xForwardedHost, head.span(range))
        }
    }
}
