// The text of heads that are sent on which is the same for every message, and which of a message's
// fields stay here: both are made when the policy is loaded.

internal import Bytes
internal import HTTP1
internal import Policy
internal import Reactor

/// What one policy makes of heads.
///
/// Its properties are no `static` ones, since each look at those asks whether they are made.
final class HeadTexts {
    /// A request line and Host, for a method with its target, and a host.
    let requestStart = HeadTemplate("", " HTTP/1.1\r\nHost: ", "\r\n")
    /// Who asked, for the client's address and the host.
    let forwarded = HeadTemplate(
        "X-Forwarded-For: ", "\r\nX-Forwarded-Proto: http\r\nX-Forwarded-Host: ", "\r\n")
    /// The same for a client behind TLS.
    let forwardedSecured = HeadTemplate(
        "X-Forwarded-For: ", "\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: ", "\r\n")
    /// For a length.
    let contentLength = HeadTemplate("Content-Length: ", "\r\n")
    /// How long the request waited here, twice, and then for the backend, in milliseconds; the second
    /// field is that of the W3C's Server Timing, which browsers show.
    let times = HeadTemplate(
        "X-Penstock-Queue-Ms: ", "\r\nServer-Timing: queue;dur=", ", backend;dur=", "\r\n")

    /// The fields of a request that stay here, besides those of the hop: what the gateway writes
    /// itself, and what a client says of who asked.
    let droppedOfRequest: FieldNames
    /// The same for a client that is believed.
    let droppedOfTrusted: FieldNames
    /// The fields of a response that stay here.
    let droppedOfResponse = FieldNames(
        [.contentLength, .transferEncoding] + SignalField.names + ReportField.names)
    /// Those of them that are for the gateway: what a backend says of itself.
    let signals = FieldNames(SignalField.names + ReportField.names)
    /// Fields with API keys, with times, and both.
    let keys: FieldNames
    let timeouts: FieldNames
    let keysAndTimeouts: FieldNames
    /// Fields that only their names' bytes tell apart.
    let others = FieldNames([.other])

    /// What becomes of the fields that say who asked.
    let forwardedRule: ForwardingSettings.Forwarded
    private let trustedProxies: [TrustedPeer]
    private let trustsNobody: Bool
    /// What the gateway calls itself in Via; empty where it does not say so.
    private let pseudonym: [UInt8]
    /// A request that has passed gateways of that name so often comes back again and again.
    ///
    /// Once may be a gateway before this one.
    private static let mostPasses = 2

    private let endHTTP10: HeadTemplate
    private let endHTTP11: HeadTemplate
    private let endHTTP10WithoutID: HeadTemplate
    private let endHTTP11WithoutID: HeadTemplate

    init(_ settings: ForwardingSettings) {
        forwardedRule = settings.forwarded
        trustedProxies = settings.trustedProxies
        trustsNobody = settings.trustedProxies.isEmpty
        pseudonym = settings.via.map { Array($0.utf8) } ?? []
        let written: [FieldName] = [
            .host, .contentLength, .transferEncoding, .xRequestID, .endpointLoadMetricsFormat,
            .lookalike,
        ]
        let claims: [FieldName] = [.xForwardedFor, .xForwardedProto, .xForwardedHost]
        // Whose certificate a client has shown: what Envoy and others write, and backends believe.
        let others: [FieldName] = [.forwarded, .xForwardedClientCertificate]
        switch settings.forwarded {
        case .off:
            droppedOfRequest = FieldNames(written)
            droppedOfTrusted = FieldNames(written)
        case .append:
            droppedOfRequest = FieldNames(written + claims + others)
            droppedOfTrusted = FieldNames(written + claims)
        case .set, .remove:
            droppedOfRequest = FieldNames(written + claims + others)
            droppedOfTrusted = droppedOfRequest
        }
        let keys: [FieldName] = [.authorization, .xAPIKey, .apiKey]
        let timeouts: [FieldName] = [
            .grpcTimeout, .xRequestTimeout, .requestTimeout, .xEnvoyExpectedTimeout,
            .xStainlessReadTimeout,
        ]
        self.keys = FieldNames(keys)
        self.timeouts = FieldNames(timeouts)
        keysAndTimeouts = FieldNames(keys + timeouts)
        func via(_ version: String) -> String {
            settings.via.map { "Via: \(version) \($0)\r\n" } ?? ""
        }
        let start = "\(FieldName.xRequestID.spelling): "
        endHTTP10 = HeadTemplate(start, "\r\n\(via("1.0"))\r\n")
        endHTTP11 = HeadTemplate(start, "\r\n\(via("1.1"))\r\n")
        endHTTP10WithoutID = HeadTemplate("\(via("1.0"))\r\n")
        endHTTP11WithoutID = HeadTemplate("\(via("1.1"))\r\n")
    }

    /// Whether a request with this head goes round in a circle, RFC 9110 section 7.6.3.
    func isLooping(_ head: borrowing RequestHead) -> Bool {
        if pseudonym.isEmpty { return false }
        let name = pseudonym
        var passes = 0
        for field in head.fields where field.known == .via {
            passes += ViaField.count(of: name.span, in: head.value(of: field))
        }
        return passes >= HeadTexts.mostPasses
    }

    /// Whether the word of `peer` about who asked is believed.
    func trusts(_ peer: borrowing PeerAddress) -> Bool {
        if trustsNobody { return false }
        return peer.isAmong(trustedProxies)
    }

    /// Appends the end of the head of a message that came in version 1.0, or 1.1: the request's id,
    /// Via and the empty line.
    func appendEnd(_ requestID: borrowing [UInt8], isHTTP10: Bool, to output: inout ByteBuffer) {
        if isHTTP10 {
            output.append(endHTTP10, requestID)
        } else {
            output.append(endHTTP11, requestID)
        }
    }

    /// The same for a head that has an id already.
    func appendEndWithoutID(isHTTP10: Bool, to output: inout ByteBuffer) {
        if isHTTP10 {
            output.append(endHTTP10WithoutID)
        } else {
            output.append(endHTTP11WithoutID)
        }
    }
}
