// The request's head as the backend gets it (RFC 9110 section 7.6): fields of this hop go, the
// others travel as they came, and the gateway adds who asked and through whom. Framing is written
// anew, never copied.

internal import Admission
internal import HTTP1
internal import Policy

/// Writes one request's head for one backend.
struct RequestRewriter {
    let exchange: Exchange
    let upstream: Upstream
    let host: HostRule
    let forwarded: ForwardingSettings.Forwarded
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

    init(exchange: Exchange, pool: Pool, upstream: Upstream) {
        self.exchange = exchange
        self.upstream = upstream
        host = pool.settings.host
        forwarded = exchange.snapshot.policy.forwarding.forwarded
        keepsKeys = pool.keepsKeys
        let isTold = pool.deadlines.isPassedOn && exchange.deadline != .distantFuture
        remainingNanoseconds =
            isTold ? exchange.deadline.nanoseconds(since: exchange.now) : nil
        hasOwnDeadline = pool.longestNanoseconds != nil
        asksForWebSocket = exchange.asksForTunnel
        lengthDifference = exchange.lengthDifference
        modelRange = exchange.isModelReplaced ? exchange.modelPathRange : nil
        hasAskedForBody = exchange.hasAskedForBody
    }

    /// Appends the head with the empty line that ends it.
    func append(
        _ head: borrowing RequestHead, peer: borrowing PeerAddress, to output: inout ByteBuffer
    ) {
        appendRequestLine(head, to: &output)
        appendHost(head, to: &output)
        var tellsEnvoyTime = false
        let trusts = peer.isAmong(exchange.snapshot.policy.forwarding.trustedProxies)
        for field in head.fields where keeps(field, of: head, trusts: trusts) {
            if keepsKeys && APIKey.isKey(field, in: head) { continue }
            if let remainingNanoseconds, isTime(field, head) {
                if field.known == .xEnvoyExpectedTimeout { tellsEnvoyTime = true }
                output.append(head.name(of: field))
                output.append(": ")
                RequestTimeout.append(
                    nanoseconds: remainingNanoseconds, as: field.known,
                    value: head.value(of: field), to: &output)
                output.appendLineEnd()
                continue
            }
            output.appendField(name: head.name(of: field), value: head.value(of: field))
        }
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
        case .length(let length): output.appendContentLength(length + lengthDifference)
        case .chunked: output.appendTransferEncodingChunked()
        }
        switch forwarded {
        case .append, .set: appendForwarded(head, peer, trusts: trusts, to: &output)
        case .remove, .off: break
        }
        output.appendField(.xRequestID, exchange.requestID)
        if let via = exchange.snapshot.policy.forwarding.via {
            output.append(head.version.isHTTP10 ? "Via: 1.0 " : "Via: 1.1 ")
            output.appendFieldText(via.utf8.span)
            output.appendLineEnd()
        }
        if asksForWebSocket { output.append("Connection: Upgrade\r\nUpgrade: websocket\r\n") }
        output.appendLineEnd()
    }

    /// Whether a field says a time until which the answer is wanted.
    private func isTime(_ field: Field, _ head: borrowing RequestHead) -> Bool {
        switch field.known {
        case .grpcTimeout, .xRequestTimeout, .requestTimeout, .xEnvoyExpectedTimeout,
            .xStainlessReadTimeout:
            RequestTimeout.nanoseconds(head.value(of: field), in: field.known) != nil
        default:
            false
        }
    }

    private func keeps(_ field: Field, of head: borrowing RequestHead, trusts: Bool) -> Bool {
        if field.isHopByHop { return false }
        switch field.known {
        case .host, .contentLength, .transferEncoding, .xRequestID:
            return false
        case .xForwardedFor, .xForwardedProto, .xForwardedHost:
            return forwarded == .off
        case .forwarded:
            return forwarded == .off || (forwarded == .append && trusts)
        case .expect:
            // HTTP/1.0 has no expectations, and without a body there is none, RFC 9110 section
            // 10.1.1.
            return head.expectsContinue && !hasAskedForBody
        case .maxForwards:
            return head.method != .options
        default:
            return true
        }
    }

    /// The target in origin form, RFC 9112 section 3.2: an absolute one has lost its authority to
    /// `Host`.
    private func appendRequestLine(_ head: borrowing RequestHead, to output: inout ByteBuffer) {
        let method = head.span(head.methodRange)
        let query = head.span(head.query)
        if head.path.isEmpty {
            // RFC 9112 section 3.2.4: OPTIONS for a whole server, when the last proxy asks.
            let path = head.method == .options && head.query.isEmpty ? "*" : "/"
            output.appendRequestLine(method: method, target: path.utf8.span, query: query)
        } else if let modelRange {
            output.append(method)
            output.append(0x20)
            output.append(head.span(head.path.lowerBound..<modelRange.lowerBound))
            appendModel(to: &output)
            output.append(head.span(modelRange.upperBound..<head.path.upperBound))
            output.append(query)
            output.append(" HTTP/1.1\r\n")
        } else {
            output.appendRequestLine(method: method, target: head.span(head.path), query: query)
        }
    }

    /// The model as a segment of a path, RFC 3986 section 3.3.
    private func appendModel(to output: inout ByteBuffer) {
        for byte in exchange.model {
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

    private func appendHost(_ head: borrowing RequestHead, to output: inout ByteBuffer) {
        switch host {
        case .preserve:
            if let range = head.authority {
                output.appendField(.host, head.span(range))
            } else {
                output.appendField(.host, upstream.authority)
            }
        case .backend: output.appendField(.host, upstream.authority)
        case .fixed(let name): output.appendField(.host, name)
        }
    }

    private func appendForwarded(
        _ head: borrowing RequestHead, _ peer: borrowing PeerAddress, trusts: Bool,
        to output: inout ByteBuffer
    ) {
        let appends = trusts && forwarded == .append
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
            output.append("X-Forwarded-Proto: http\r\n")
        }
        if appends, let field = head.firstField(.xForwardedHost) {
            output.appendField(.xForwardedHost, head.value(of: field))
        } else if let range = head.authority {
            output.appendField(.xForwardedHost, head.span(range))
        }
    }
}
