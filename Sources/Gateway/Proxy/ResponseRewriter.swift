// The response's head as the client gets it: the hop's fields go, framing is written for the client's
// version, and what RFC 9110 asks of a proxy is added.

internal import Admission
internal import Bytes
internal import HTTP1
internal import Policy

/// Writes one response's head for one client.
struct ResponseRewriter {
    let exchange: Exchange
    let texts: HeadTexts

    init(exchange: Exchange) {
        self.exchange = exchange
        texts = exchange.snapshot.headTexts
    }

    /// How a body that came framed one way is framed towards a client of `version`.
    static func framing(of head: borrowing ResponseHead, towards version: Version) -> BodyFraming {
        switch head.framing {
        case .none: .none
        case .length(let length): .length(length)
        case .chunked, .untilClose: version == .http11 ? .chunked : .untilClose
        }
    }

    /// Appends an interim response, which has no body.
    ///
    /// This and the other heads return which fields there were.
    func appendInterim(
        _ head: borrowing ResponseHead, to output: inout ByteBuffer
    ) -> FieldNames {
        let seen = appendStartOfOther(head, to: &output)
        output.appendLineEnd()
        return seen
    }

    /// Appends the head of the response that makes a tunnel of the connection.
    func appendSwitch(
        _ head: borrowing ResponseHead, to output: inout ByteBuffer
    ) -> FieldNames {
        let seen = appendStartOfOther(head, to: &output)
        if exchange.isResponseRuled { exchange.appendSetFields(to: &output) }
        output.append("Connection: Upgrade\r\nUpgrade: websocket\r\n")
        output.appendLineEnd()
        return seen
    }

    /// Appends the final response's head with the empty line that ends it.
    func append(_ head: borrowing ResponseHead, to output: inout ByteBuffer) -> FieldNames {
        let pool = exchange.pool
        let rates = pool?.rates(of: exchange.claim.tenant, paidBy: exchange.claim.payer)
        let crossOrigin = exchange.crossOrigin
        let isRuled = exchange.isResponseRuled
        let seen = appendStart(
            head, isRuled: isRuled, replacesRates: rates != nil,
            replacesCrossOrigin: crossOrigin != nil,
            to: &output)
        appendFraming(head, to: &output)
        if let rates {
            RateFields(rates).append(exchange.claim.dialect, to: &output)
        }
        if let pool, pool.tellsShares,
            let share = pool.admission.shareWhenBusy(of: exchange.claim.tenant)
        {
            RateLimitFields(share).append(to: &output)
        }
        // RFC 9110 section 6.6.1: a recipient with a clock adds the Date that is missing.
        if !seen.contains(.date) { exchange.shard.appendDate(to: &output) }
        if isRuled { exchange.appendSetFields(to: &output) }
        if let crossOrigin { exchange.appendCrossOrigin(crossOrigin, to: &output) }
        if pool?.responses.saysTimes == true { appendTimes(to: &output) }
        exchange.appendFallback(to: &output)
        exchange.outlet.appendConnection(exchange.intake.head.version, to: &output)
        let isHTTP10 = head.version.isHTTP10
        if seen.contains(.xRequestID) {
            texts.appendEndWithoutID(isHTTP10: isHTTP10, to: &output)
        } else {
            texts.appendEnd(exchange.requestID, isHTTP10: isHTTP10, to: &output)
        }
        return seen
    }

    /// Appends the status line and the fields that travel on of a response that is not the final one.
    ///
    /// What the gateway says in the backend's place it says in the final one alone.
    private func appendStartOfOther(
        _ head: borrowing ResponseHead, to output: inout ByteBuffer
    ) -> FieldNames {
        let rates = exchange.pool?.rates(
            of: exchange.claim.tenant, paidBy: exchange.claim.payer)
        return appendStart(
            head, isRuled: exchange.isResponseRuled, replacesRates: rates != nil,
            replacesCrossOrigin: exchange.crossOrigin != nil, to: &output)
    }

    /// Appends the status line and the fields that travel on, and returns which names there were.
    private func appendStart(
        _ head: borrowing ResponseHead, isRuled: Bool, replacesRates: Bool,
        replacesCrossOrigin: Bool, to output: inout ByteBuffer
    ) -> FieldNames {
        let editors = isRuled ? exchange.responseEditors : nil
        var seen = FieldNames()
        var dropped = texts.droppedOfResponse
        var looksAtOthers = replacesRates || replacesCrossOrigin
        if let editors {
            dropped.formUnion(editors.dropped)
            if editors.dropsOthers { looksAtOthers = true }
        }
        let apart = looksAtOthers ? texts.others : FieldNames()
        var index = output.appendStart(of: head, without: dropped, before: apart, noting: &seen)
        while index < head.fields.count {
            let field = head.fields[index]
            let name = head.name(of: field)
            let isReplaced =
                replacesRates && RateFields.isRateField(name)
                || replacesCrossOrigin && CrossOriginTexts.isOwnField(name)
            if !isReplaced, editors?.drops(field.known, name) != true {
                output.appendField(name: name, value: head.value(of: field))
            }
            index = output.appendFields(
                of: head, from: index + 1, without: dropped, before: apart, noting: &seen)
        }
        return seen
    }

    private func appendTimes(to output: inout ByteBuffer) {
        let queued = Int(max(0, exchange.record.queueNanoseconds) / 1_000_000)
        let answered = exchange.now.nanoseconds(since: exchange.attempt.times.grantedAt)
        output.append(
            texts.times, decimals: queued, queued, Int(max(0, answered) / 1_000_000))
    }

    private func appendFraming(_ head: borrowing ResponseHead, to output: inout ByteBuffer) {
        switch exchange.outlet.framing {
        case .length(let length):
            output.append(texts.contentLength, decimal: length)
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
}
