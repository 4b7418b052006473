// TLS of a listener, as the policy has it: what the gateway shows of itself, and what it asks of clients.

/// How a listener speaks TLS.
package struct ListenerTLS: Hashable, Sendable {
    /// The least version that is spoken.
    package enum Version: String, CaseIterable, Sendable {
        /// TLS 1.2 and 1.3.
        case tls12 = "1.2"
        /// TLS 1.3 alone.
        case tls13 = "1.3"
    }

    /// What clients are asked for.
    package enum ClientCertificate: String, CaseIterable, Sendable {
        /// Nothing.
        case off
        /// A certificate, without which they are served too.
        case request
        /// A certificate, without which they are not served.
        case require
    }

    /// A certificate with its key.
    package struct Certificate: Hashable, Sendable {
        /// A PEM file with the certificate, and behind it what leads to an authority.
        package var certificateFile: String
        /// A PEM file with its key.
        package var keyFile: String

        /// A certificate in `certificateFile` whose key is in `keyFile`.
        package init(certificateFile: String, keyFile: String) {
            self.certificateFile = certificateFile
            self.keyFile = keyFile
        }
    }

    /// The certificates, 1...64: a client gets the one for the name that it asks for, else the first.
    package var certificates: [Certificate] = []
    /// The least version.
    package var minVersion = Version.tls12
    /// Whether a client that asks for a name which no certificate has is refused.
    package var isNameStrict = false
    /// A PEM file of the authorities of clients' certificates; `nil` where none are asked for.
    package var clientAuthorityFile: String?
    /// Whether clients are asked for certificates.
    package var clientCertificate = ClientCertificate.off
    /// How long a handshake may take, 1 s..1 min.
    package var handshakeTimeout = Duration.seconds(10)
    /// Handshakes under way at once in each thread, 1..100,000; an eighth of them for one address.
    package var maxHandshakes = 256
    /// How often the key of session tickets is replaced, 1 min..24 h; `nil` for no tickets.
    package var ticketRotation: Duration? = .seconds(12 * 3600)

    /// All files that it names.
    package var files: [String] {
        certificates.flatMap { [$0.certificateFile, $0.keyFile] }
            + (clientAuthorityFile.map { [$0] } ?? [])
    }

    /// The defaults, without a certificate.
    package init() {}
}
