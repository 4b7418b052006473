// TLS of listeners in full policies.

@testable import Policy

extension FullPolicy {
    /// As it is written.
    static let tlsLines = [
        "tls:",
        "  certificates:",
        "    - certificate_file: /run/tls/a.crt",
        "      key_file: /run/tls/a.key",
        "    - certificate_file: /run/tls/b.crt",
        "      key_file: /run/tls/b.key",
        "  min_version: \"1.3\"",
        "  strict_sni: true",
        "  client_ca_file: /run/tls/clients.crt",
        "  client_certificate: request",
        "  handshake_timeout: 5s",
        "  max_handshakes: 100",
        "  ticket_rotation: 1h",
    ]

    /// What it comes to.
    static var listenerTLS: ListenerTLS {
        var tls = ListenerTLS()
        tls.certificates = ["a", "b"].map { name in
            ListenerTLS.Certificate(
                certificateFile: "/run/tls/\(name).crt", keyFile: "/run/tls/\(name).key")
        }
        tls.minVersion = .tls13
        tls.isNameStrict = true
        tls.clientAuthorityFile = "/run/tls/clients.crt"
        tls.clientCertificate = .request
        tls.handshakeTimeout = .seconds(5)
        tls.maxHandshakes = 100
        tls.ticketRotation = .seconds(3600)
        return tls
    }
}
