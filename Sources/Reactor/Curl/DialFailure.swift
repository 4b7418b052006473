// Why a dial failed: the reason, which decides what becomes of its request, and the cause, which tells the
// operator where to look.

package import Admission
internal import CShims

/// A failed dial.
package struct DialFailure: Sendable {
    /// What went wrong, more exactly than a client is told.
    package enum Cause: UInt8, CaseIterable, Sendable {
        /// The name has no address.
        case nameUnknown
        /// Nobody told the name's address in time.
        case nameTimeout
        /// Nobody listens there.
        case refused
        /// No packet gets there.
        case unreachable
        /// The socket's file is not there.
        case socketMissing
        /// The socket's file may not be opened.
        case socketForbidden
        /// Nothing answered in time.
        case timeout
        /// Other dials to the backend took all the time.
        case waitedInLine
        /// A connection stood, and the handshake did not end in time.
        case handshakeTimeout
        /// The handshake failed.
        case handshake
        /// The certificate could not be verified.
        case certificate
        /// The gateway has no descriptors, ports or memory left.
        case exhausted
        /// Something else.
        case other

        /// The value of `cause` in the log.
        package var name: StaticString {
            switch self {
            case .nameUnknown: "name_unknown"
            case .nameTimeout: "name_timeout"
            case .refused: "refused"
            case .unreachable: "unreachable"
            case .socketMissing: "socket_missing"
            case .socketForbidden: "socket_forbidden"
            case .timeout: "timeout"
            case .waitedInLine: "waited_in_line"
            case .handshakeTimeout: "handshake_timeout"
            case .handshake: "handshake"
            case .certificate: "certificate"
            case .exhausted: "exhausted"
            case .other: "other"
            }
        }
    }

    /// What went wrong.
    package let cause: Cause

    /// A failure for that cause.
    package init(_ cause: Cause) { self.cause = cause }

    /// What its request ends with that is tried nowhere else: `connectFailed`, `connectTimeout`,
    /// `tlsFailed`, or `exhausted` for want of descriptors or ports.
    package var reason: Reason {
        switch cause {
        case .nameUnknown, .refused, .unreachable, .socketMissing, .socketForbidden, .other:
            .connectFailed
        case .nameTimeout, .timeout, .waitedInLine, .handshakeTimeout: .connectTimeout
        case .handshake, .certificate: .tlsFailed
        case .exhausted: .exhausted
        }
    }
}

extension DialFailure.Cause {
    /// What libcurl's result means, beside the error of the system that it met last, 0 for none.
    init(_ code: CURLcode, systemError: Int32) {
        // EADDRNOTAVAIL: all ports towards this backend are taken by our own connections.
        if [EMFILE, ENFILE, EADDRNOTAVAIL].contains(systemError) {
            self = .exhausted
            return
        }
        switch code {
        case CURLE_COULDNT_RESOLVE_HOST: self = .nameUnknown
        case CURLE_OPERATION_TIMEDOUT: self = .timeout
        case CURLE_PEER_FAILED_VERIFICATION, CURLE_SSL_ISSUER_ERROR,
            CURLE_SSL_INVALIDCERTSTATUS:
            self = .certificate
        case CURLE_SSL_CONNECT_ERROR, CURLE_SSL_CERTPROBLEM, CURLE_SSL_CIPHER,
            CURLE_SSL_CACERT_BADFILE, CURLE_SSL_ENGINE_INITFAILED, CURLE_SSL_CRL_BADFILE,
            CURLE_SSL_CLIENTCERT:
            self = .handshake
        case CURLE_OUT_OF_MEMORY: self = .exhausted
        default: self.init(systemError: systemError)
        }
    }

    private init(systemError: Int32) {
        self =
            switch systemError {
            case ECONNREFUSED: .refused
            case ENETUNREACH, EHOSTUNREACH, ENETDOWN, EHOSTDOWN: .unreachable
            case ENOENT: .socketMissing
            case EACCES, EPERM: .socketForbidden
            default: .other
            }
    }
}
