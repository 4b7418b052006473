// The answer's head as the client gets it: the hop's fields go, framing is written for the client's
// version, and what RFC 9110 asks of a proxy is added.

internal import Admission
internal import HTTP1
internal import Policy

/// Writes one answer's head for one client.
struct ResponseRewriter {
    let exchange: Exchange

    /// How a body that came framed one way is framed towards a client of `version`.
    static func framing(of head: borrowing ResponseHead, towards version: Version) -> BodyFraming {
        switch head.framing {
        case .none: .none
        case .length(let length): .length(length)
        case .chunked, .untilClose: version == .http11 ? .chunked : .untilClose
        }
    }

    /// Appends an interim answer, which has no body.
    static func appendInterim(_ head: borrowing ResponseHead, to output: inout ByteBuffer) {
        output.appendStatusLine(status: head.status, reasonPhrase: head.span(head.reasonPhrase))
        for field in head.fields where !field.isHopByHop && !isFraming(field) {
            output.appendField(name: head.name(of: field), value: head.value(of: field))
        }
        output.appendLineEnd()
    }

    /// Appends the head of the answer that makes a tunnel of the connection.
    func appendSwitch(_ head: borrowing ResponseHead, to output: inout ByteBuffer) {
        output.appendStatusLine(status: head.status, reasonPhrase: head.span(head.reasonPhrase))
        for field in head.fields where !field.isHopByHop && !ResponseRewriter.isFraming(field) {
            output.appendField(name: head.name(of: field), value: head.value(of: field))
        }
        output.append("Connection: Upgrade\r\nUpgrade: websocket\r\n")
        output.appendLineEnd()
    }

    /// Appends the final answer's head with the empty line that ends it.
    func append(_ head: borrowing ResponseHead, to output: inout ByteBuffer) {
        if head.reasonPhrase.isEmpty {
            output.appendStatusLine(status: head.status)
        } else {
            output.appendStatusLine(status: head.status, reasonPhrase: head.span(head.reasonPhrase))
        }
        let rates = exchange.pool?.rates(of: exchange.tenant)
        var hasDate = false
        var hasRequestID = false
        for field in head.fields {
            if field.isHopByHop { continue }
            switch field.known {
            case .contentLength, .transferEncoding: continue
            case .date: hasDate = true
            case .xRequestID: hasRequestID = true
            default: break
            }
            if rates != nil, RateFields.isRateField(head.name(of: field)) { continue }
            output.appendField(name: head.name(of: field), value: head.value(of: field))
        }
        appendFraming(head, to: &output)
        if let rates {
            RateFields(rates).append(exchange.dialect, to: &output)
        }
        if let pool = exchange.pool, pool.tellsShares,
            let share = pool.admission.shareWhenBusy(of: exchange.tenant)
        {
            RateLimitFields(share).append(to: &output)
        }
        // RFC 9110 section 6.6.1: a recipient with a clock adds the Date that is missing.
        if !hasDate { exchange.gateway.appendDate(to: &output) }
        if !hasRequestID { output.appendField(.xRequestID, exchange.requestID) }
        if exchange.pool?.answers.saysTimes == true { appendTimes(to: &output) }
        exchange.appendFallback(to: &output)
        if let via = exchange.snapshot.policy.forwarding.via {
            output.append(head.version.isHTTP10 ? "Via: 1.0 " : "Via: 1.1 ")
            output.appendFieldText(via.utf8.span)
            output.appendLineEnd()
        }
        exchange.appendConnection(to: &output)
        output.appendLineEnd()
    }

    /// How long the request waited here and then for the backend, in milliseconds; the second field
    /// is that of the W3C's Server Timing, which browsers show.
    private func appendTimes(to output: inout ByteBuffer) {
        let record = exchange.record
        let queued = Int(max(0, record.queueNanoseconds) / 1_000_000)
        let answered = exchange.now.nanoseconds(since: record.grantedAt)
        output.append("X-Penstock-Queue-Ms: ")
        output.append(decimal: queued)
        output.append("\r\nServer-Timing: queue;dur=")
        output.append(decimal: queued)
        output.append(", backend;dur=")
        output.append(decimal: Int(max(0, answered) / 1_000_000))
        output.appendLineEnd()
    }

    private func appendFraming(_ head: borrowing ResponseHead, to output: inout ByteBuffer) {
        switch exchange.answerFraming {
        case .length(let length):
            output.appendContentLength(length)
        case .chunked:
            output.appendTransferEncodingChunked()
        case .untilClose:
            break
        case .none:
            // The length that a body would have had, for HEAD and 304 (RFC 9110 section 8.6); 204
            // has none.
            if head.status != 204, let field = head.firstField(.contentLength) {
                output.appendField(name: head.name(of: field), value: head.value(of: field))
            }
        }
    }

    private static func isFraming(_ field: Field) -> Bool {
        switch field.known {
        case .contentLength, .transferEncoding: true
        default: false
        }
    }
}
