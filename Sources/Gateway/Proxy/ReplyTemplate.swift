// A response of the gateway's own as it is kept: written once, with gaps for what each request has to
// itself. A refusal is then a few copies.

internal import Admission
internal import Bytes
internal import HTTP1
internal import Inference
internal import Policy

/// A response's text with its gaps.
final class ReplyTemplate {
    /// What answers of the same text have in common.
    struct Kind {
        let answer: LocalReply.Source
        let status: Int
        let reason: Reason
        let dialect: Dialect
        /// Whether the request has an id.
        var hasRequestID = false
        /// Whether only the head is sent.
        var omitsBody = false
        /// Whether it says when to come back.
        var tellsTime = false
        /// Whether proxies like Envoy are told not to try again.
        var saysEnvoyOverloaded = false

        /// Whether the words are the reason's, as they are for most.
        private var isByReason: Bool { if case .reason = answer { true } else { false } }

        /// Whether answers of `other` have the same text, where reason and dialect are the same.
        func hasText(of other: Kind) -> Bool {
            status == other.status && hasRequestID == other.hasRequestID
                && omitsBody == other.omitsBody && tellsTime == other.tellsTime
                && saysEnvoyOverloaded == other.saysEnvoyOverloaded
                && (isByReason && other.isByReason || answer == other.answer)
        }
    }

    /// What goes into a gap.
    private enum Filling {
        case date, contentLength, seconds, milliseconds, limits, requestID, connection
        /// The request's id as a JSON value.
        case quotedID
    }

    private struct Gap {
        var offset: Int
        let filling: Filling
    }

    /// Text under way.
    private struct Draft: ~Copyable {
        var text = ByteBuffer()
        var gaps: [Gap] = []

        mutating func leave(_ filling: Filling) {
            gaps.append(Gap(offset: text.count, filling: filling))
        }

        mutating func append(_ other: borrowing Draft) {
            for gap in other.gaps {
                gaps.append(Gap(offset: text.count + gap.offset, filling: gap.filling))
            }
            text.append(0..<other.text.count, of: other.text)
        }
    }

    let kind: Kind
    private let text: [UInt8]
    /// In the text's order.
    private let gaps: [Gap]
    /// The same for most requests: for those that are told of no limits, and whose connection is
    /// kept without a word.
    let usual: MessageTemplate
    /// The same for those that are told not to try again.
    let unwelcome: MessageTemplate
    /// Bytes of the body without the request's ids in it, and how often it has them.
    private let bodyBytes: Int
    private let quotedIDs: Int

    /// Writes the text of `answer`, which is of that kind.
    init(_ kind: Kind, _ reply: LocalReply) {
        let body = ReplyTemplate.body(reply, kind.dialect)
        var draft = Draft()
        draft.text.appendStatusLine(status: kind.status)
        draft.text.append("Date: ")
        draft.leave(.date)
        draft.text.append("\r\nContent-Type: ")
        draft.text.append(kind.dialect.errorContentType)
        draft.text.append("\r\nContent-Length: ")
        if body.gaps.isEmpty {
            draft.text.append(decimal: body.text.count)
        } else {
            draft.leave(.contentLength)
        }
        if kind.tellsTime {
            draft.text.append("\r\nRetry-After: ")
            draft.leave(.seconds)
            draft.text.append("\r\nretry-after-ms: ")
            draft.leave(.milliseconds)
        }
        draft.text.appendLineEnd()
        if kind.saysEnvoyOverloaded { draft.text.append("x-envoy-overloaded: true\r\n") }
        if reply.isRetryPointless { draft.text.append("x-should-retry: false\r\n") }
        // RFC 9110 section 15.5.2 asks for it; RFC 6750 section 3 has the scheme.
        if kind.status == 401 { draft.text.append("WWW-Authenticate: Bearer\r\n") }
        draft.text.append("X-Penstock-Reason: ")
        draft.text.append(kind.reason.name)
        draft.text.append("\r\nCache-Control: no-store\r\n")
        draft.leave(.limits)
        if kind.hasRequestID {
            draft.text.append(FieldName.xRequestID.spelling)
            draft.text.append(": ")
            draft.leave(.requestID)
            draft.text.appendLineEnd()
        }
        draft.leave(.connection)
        draft.text.appendLineEnd()
        if !kind.omitsBody { draft.append(body) }
        self.kind = kind
        bodyBytes = body.text.count
        quotedIDs = body.gaps.count
        var text: [UInt8] = []
        text.replaceAll(with: draft.text.bytes)
        self.text = text
        gaps = draft.gaps
        usual = ReplyTemplate.template(draft, limits: "")
        unwelcome = ReplyTemplate.template(draft, limits: ReplyTemplate.noRetry)
    }

    private static let noRetry = "x-should-retry: false\r\n"

    /// The text with `limits` for what is said of them.
    private static func template(_ draft: borrowing Draft, limits: String) -> MessageTemplate {
        var template = MessageTemplate()
        var written = 0
        for gap in draft.gaps {
            template.append(draft.text.bytes.extracting(written..<gap.offset))
            written = gap.offset
            switch gap.filling {
            case .date: template.leave(.date)
            case .seconds: template.leave(.first)
            case .milliseconds: template.leave(.second)
            case .contentLength: template.leave(.third)
            case .limits: template.append(limits.utf8.span)
            case .connection: break
            case .requestID: template.leave(.requestID)
            case .quotedID:
                template.append([UInt8(ascii: "\"")].span)
                template.leave(.requestID)
                template.append([UInt8(ascii: "\"")].span)
            }
        }
        template.append(draft.text.bytes.extracting(written..<draft.text.count))
        return template
    }

    private static func body(_ reply: LocalReply, _ dialect: Dialect) -> Draft {
        var draft = Draft()
        let pieces = dialect.errorBody(reply.facts(dialect))
        for index in pieces.indices {
            switch pieces[index] {
            case .nothing: break
            case .text(let text): draft.text.append(text)
            case .status: draft.text.append(decimal: reply.status)
            case .requestID: draft.leave(.quotedID)
            }
        }
        return draft
    }

    /// Appends the response to the request of `exchange`, with what the controller said if it was
    /// asked.
    func append(for exchange: Exchange, _ rejection: Rejection?, to output: inout ByteBuffer) {
        if isUsual(exchange, rejection) {
            if let rejection, rejection.isRetryUnwelcome,
                exchange.pool?.responses.stopsRetries == true
            {
                append(unwelcome, for: exchange, rejection, to: &output)
            } else {
                append(usual, for: exchange, rejection, to: &output)
            }
            return
        }
        let requestID = kind.hasRequestID ? exchange.requestID : []
        let text = text
        var written = 0
        for gap in gaps {
            if gap.offset > written { output.append(text.span.extracting(written..<gap.offset)) }
            written = gap.offset
            switch gap.filling {
            case .date: exchange.shard.appendDateText(to: &output)
            case .contentLength:
                let each = ErrorBodyWriter.quotedCount(requestID.span)
                output.append(decimal: bodyBytes + quotedIDs * each)
            case .seconds: output.append(decimal: rejection?.retryAfterSeconds ?? 0)
            case .milliseconds: output.append(decimal: rejection?.retryAfterMilliseconds ?? 0)
            case .limits:
                ReplyTemplate.appendLimits(rejection, exchange, to: &output)
                exchange.appendCrossOrigin(to: &output)
            case .requestID: output.appendFieldText(requestID.span)
            case .connection:
                exchange.outlet.appendConnection(exchange.intake.head.version, to: &output)
            case .quotedID: ErrorBodyWriter.appendQuoted(requestID.span, to: &output)
            }
        }
        output.append(text.span.extracting(written..<text.count))
    }

    private func append(
        _ template: borrowing MessageTemplate, for exchange: Exchange, _ rejection: Rejection?,
        to output: inout ByteBuffer
    ) {
        exchange.shard.append(
            template, requestID: exchange.requestID, rejection?.retryAfterSeconds ?? 0,
            rejection?.retryAfterMilliseconds ?? 0,
            bodyBytes + quotedIDs * (exchange.requestID.count + 2), to: &output)
    }

    /// Whether the request is answered with the usual text, or that for retries.
    private func isUsual(_ exchange: Exchange, _ rejection: Rejection?) -> Bool {
        guard exchange.outlet.keepsClient, !exchange.intake.head.version.isHTTP10 else {
            return false
        }
        if quotedIDs > 0, !ErrorBodyWriter.isPlain(exchange.requestID) { return false }
        if exchange.snapshot.routes.hasCrossOrigin { return false }
        guard let pool = exchange.pool else { return true }
        if pool.tellsRates { return false }
        guard let rejection else { return true }
        return rejection.share == nil || !pool.tellsShares
    }

    /// Appends what a client should know of its limits, and of its tries.
    private static func appendLimits(
        _ rejection: Rejection?, _ exchange: Exchange, to output: inout ByteBuffer
    ) {
        guard let pool = exchange.pool else { return }
        if let rejection {
            if rejection.isRetryUnwelcome && pool.responses.stopsRetries {
                output.append(noRetry)
            }
            if let share = rejection.share, pool.tellsShares {
                RateLimitFields(share, secondsUntilMore: rejection.retryAfterSeconds).append(
                    to: &output)
            }
        }
        if let rates = pool.rates(of: exchange.claim.tenant, paidBy: exchange.claim.payer) {
            RateFields(rates, secondsUntilMore: rejection?.retryAfterSeconds)
                .append(exchange.claim.dialect, to: &output)
        }
    }
}

/// The responses of the gateway's own that have been written, one for each reason, dialect and method.
///
/// Where the same reason is told in other words, as for what cannot be parsed, the last is kept.
final class ReplyCache {
    private var kept: [ReplyTemplate?] = []
    private let dialects = Dialect.allCases.count

    /// The response of that kind; `answer` says it where it is not kept.
    func template(_ kind: ReplyTemplate.Kind, _ reply: LocalReply) -> ReplyTemplate {
        let reason = Int(kind.reason.rawValue)
        let row = reason * dialects + Int(kind.dialect.rawValue)
        let index = 2 * row + (kind.omitsBody ? 1 : 0)
        if index < kept.count, let found = kept[index], found.kind.hasText(of: kind) {
            return found
        }
        let made = ReplyTemplate(kind, reply)
        if kept.isEmpty {
            kept = Array(repeating: nil, count: 2 * Reason.allCases.count * dialects)
        }
        kept[index] = made
        return made
    }
}
