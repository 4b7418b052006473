// The field names that the gateway acts on, recognised once while a head is parsed, so that nothing
// after the parser compares names again.

/// A field name that means something to a proxy; `other` is every name not listed here.
package enum FieldName: UInt8, CaseIterable, Sendable {
    /// `Connection`.
    case connection
    /// `Content-Length`.
    case contentLength
    /// `Transfer-Encoding`.
    case transferEncoding
    /// `Host`.
    case host
    /// `Expect`.
    case expect
    /// `Upgrade`.
    case upgrade
    /// `TE`.
    case te
    /// `Trailer`.
    case trailer
    /// `Keep-Alive`.
    case keepAlive
    /// `Proxy-Connection`.
    case proxyConnection
    /// `Proxy-Authenticate`.
    case proxyAuthenticate
    /// `Proxy-Authorization`.
    case proxyAuthorization
    /// `Via`.
    case via
    /// `X-Forwarded-For`.
    case xForwardedFor
    /// `X-Forwarded-Proto`.
    case xForwardedProto
    /// `X-Forwarded-Host`.
    case xForwardedHost
    /// `X-Forwarded-Client-Cert`.
    case xForwardedClientCertificate
    /// `Forwarded`.
    case forwarded
    /// `X-Request-ID`.
    case xRequestID
    /// `traceparent`.
    case traceparent
    /// `tracestate`.
    case tracestate
    /// `Content-Type`.
    case contentType
    /// `Content-Encoding`.
    case contentEncoding
    /// `Date`.
    case date
    /// `Server`.
    case server
    /// `Authorization`.
    case authorization
    /// `Cookie`.
    case cookie
    /// `X-API-Key`.
    case xAPIKey
    /// `api-key`.
    case apiKey
    /// `grpc-timeout`.
    case grpcTimeout
    /// `x-request-timeout`.
    case xRequestTimeout
    /// `request-timeout`.
    case requestTimeout
    /// `x-envoy-expected-rq-timeout-ms`.
    case xEnvoyExpectedTimeout
    /// `x-stainless-read-timeout`.
    case xStainlessReadTimeout
    /// `x-stainless-retry-count`.
    case xStainlessRetryCount
    /// `x-envoy-attempt-count`.
    case xEnvoyAttemptCount
    /// `grpc-previous-rpc-attempts`.
    case grpcPreviousAttempts
    /// `Retry-After`.
    case retryAfter
    /// `retry-after-ms`.
    case retryAfterMilliseconds
    /// `Accept`.
    case accept
    /// `Accept-Encoding`.
    case acceptEncoding
    /// `User-Agent`.
    case userAgent
    /// `Max-Forwards`.
    case maxForwards
    /// `Priority`.
    case priority
    /// `X-Penstock-Reason`.
    case xPenstockReason
    /// `Sec-WebSocket-Key`.
    case secWebSocketKey
    /// `Sec-WebSocket-Version`.
    case secWebSocketVersion
    /// `Sec-WebSocket-Accept`.
    case secWebSocketAccept
    /// `Penstock-Signal`.
    case penstockSignal
    /// `x-envoy-degraded`.
    case xEnvoyDegraded
    /// `endpoint-load-metrics`.
    case endpointLoadMetrics
    /// `endpoint-load-metrics-json`.
    case endpointLoadMetricsJSON
    /// `endpoint-load-metrics-bin`.
    case endpointLoadMetricsBinary
    /// `endpoint-load-metrics-format`.
    case endpointLoadMetricsFormat
    /// One of the names above with underscores for hyphens. CGI, WSGI and Rack show a program both under
    /// one name (RFC 3875 section 4.1.18), so what counts for the one must not pass as the other.
    case lookalike
    /// Any other name; its bytes are in the head.
    case other

    /// The name as this gateway writes it; empty for `lookalike` and `other`.
    package var spelling: String {
        switch self {
        case .connection: "Connection"
        case .contentLength: "Content-Length"
        case .transferEncoding: "Transfer-Encoding"
        case .host: "Host"
        case .expect: "Expect"
        case .te: "TE"
        case .trailer: "Trailer"
        case .upgrade: "Upgrade"
        case .keepAlive: "Keep-Alive"
        case .proxyConnection: "Proxy-Connection"
        case .proxyAuthenticate: "Proxy-Authenticate"
        case .proxyAuthorization: "Proxy-Authorization"
        case .via: "Via"
        case .xForwardedFor: "X-Forwarded-For"
        case .xForwardedProto: "X-Forwarded-Proto"
        case .xForwardedHost: "X-Forwarded-Host"
        case .xForwardedClientCertificate: "X-Forwarded-Client-Cert"
        case .forwarded: "Forwarded"
        case .xRequestID: "X-Request-ID"
        case .traceparent: "traceparent"
        case .tracestate: "tracestate"
        case .contentType: "Content-Type"
        case .contentEncoding: "Content-Encoding"
        case .date: "Date"
        case .server: "Server"
        case .authorization: "Authorization"
        case .cookie: "Cookie"
        case .xAPIKey: "X-API-Key"
        case .apiKey: "api-key"
        case .grpcTimeout: "grpc-timeout"
        case .xRequestTimeout: "x-request-timeout"
        case .requestTimeout: "request-timeout"
        case .xEnvoyExpectedTimeout: "x-envoy-expected-rq-timeout-ms"
        case .xStainlessReadTimeout: "x-stainless-read-timeout"
        case .xStainlessRetryCount: "x-stainless-retry-count"
        case .xEnvoyAttemptCount: "x-envoy-attempt-count"
        case .grpcPreviousAttempts: "grpc-previous-rpc-attempts"
        case .retryAfter: "Retry-After"
        case .retryAfterMilliseconds: "retry-after-ms"
        case .accept: "Accept"
        case .acceptEncoding: "Accept-Encoding"
        case .userAgent: "User-Agent"
        case .maxForwards: "Max-Forwards"
        case .priority: "Priority"
        case .xPenstockReason: "X-Penstock-Reason"
        case .secWebSocketKey: "Sec-WebSocket-Key"
        case .secWebSocketVersion: "Sec-WebSocket-Version"
        case .secWebSocketAccept: "Sec-WebSocket-Accept"
        case .penstockSignal: "Penstock-Signal"
        case .xEnvoyDegraded: "x-envoy-degraded"
        case .endpointLoadMetrics: "endpoint-load-metrics"
        case .endpointLoadMetricsJSON: "endpoint-load-metrics-json"
        case .endpointLoadMetricsBinary: "endpoint-load-metrics-bin"
        case .endpointLoadMetricsFormat: "endpoint-load-metrics-format"
        case .lookalike, .other: ""
        }
    }
}
