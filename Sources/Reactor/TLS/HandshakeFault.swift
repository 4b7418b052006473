// Why a handshake came to nothing, as far as it matters to operators: whether clients are strangers, or the gateway is
// set up wrongly.

internal import CShims

/// What ended a handshake.
package enum HandshakeFault: Int, Error, CaseIterable, Sendable {
    /// The client has closed the connection.
    case closed
    /// It did not end in time.
    case timeout
    /// There were too many at once.
    case crowded
    /// What came is no TLS, and not HTTP either.
    case notTLS
    /// What came is HTTP in the clear.
    case plainHTTP
    /// Client and gateway have no version, cipher or group in common.
    case nothingShared
    /// The client speaks other protocols than HTTP/1.1 only (ALPN).
    case protocolUnknown
    /// The client asks for a name that no certificate has.
    case nameUnknown
    /// The client has shown no certificate.
    case certificateMissing
    /// The client has shown one that no authority vouches for.
    case certificateRefused
    /// The client has refused ours, or something else of ours.
    case refusedByClient
    /// Something else, memory that is short among it.
    case failed

    /// Its place in `allCases`.
    package var index: Int { rawValue }

    /// What metrics call it.
    package var name: StaticString {
        switch self {
        case .closed: "closed"
        case .timeout: "timeout"
        case .crowded: "crowded"
        case .notTLS: "not_tls"
        case .plainHTTP: "plain_http"
        case .nothingShared: "nothing_shared"
        case .protocolUnknown: "protocol_unknown"
        case .nameUnknown: "name_unknown"
        case .certificateMissing: "certificate_missing"
        case .certificateRefused: "certificate_refused"
        case .refusedByClient: "refused_by_client"
        case .failed: "failed"
        }
    }

    /// What OpenSSL's first error of a call comes to.
    init(error: UInt) {
        guard penstock_tls_library(error) == ERR_LIB_SSL else {
            self = .failed
            return
        }
        switch penstock_tls_reason(error) {
        case SSL_R_HTTP_REQUEST, SSL_R_HTTPS_PROXY_REQUEST: self = .plainHTTP
        case SSL_R_WRONG_VERSION_NUMBER, SSL_R_UNEXPECTED_MESSAGE, SSL_R_BAD_PACKET_LENGTH,
            SSL_R_PACKET_LENGTH_TOO_LONG, SSL_R_RECORD_LENGTH_MISMATCH,
            SSL_R_BAD_RECORD_TYPE, SSL_R_LENGTH_MISMATCH:
            self = .notTLS
        case SSL_R_UNSUPPORTED_PROTOCOL, SSL_R_NO_SHARED_CIPHER, SSL_R_NO_SUITABLE_KEY_SHARE,
            SSL_R_VERSION_TOO_LOW, SSL_R_NO_SHARED_GROUPS, SSL_R_NO_SUITABLE_GROUPS,
            SSL_R_NO_SUITABLE_SIGNATURE_ALGORITHM, SSL_R_NO_SHARED_SIGNATURE_ALGORITHMS,
            SSL_R_INAPPROPRIATE_FALLBACK:
            self = .nothingShared
        case SSL_R_NO_APPLICATION_PROTOCOL: self = .protocolUnknown
        case SSL_R_CALLBACK_FAILED: self = .nameUnknown
        case SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE: self = .certificateMissing
        case SSL_R_CERTIFICATE_VERIFY_FAILED: self = .certificateRefused
        // An alert of the client's: SSL_AD_REASON_OFFSET and its number.
        case 1000...1255: self = .refusedByClient
        default: self = .failed
        }
    }
}
