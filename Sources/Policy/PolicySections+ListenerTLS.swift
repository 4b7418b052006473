// The keys under a listener's `tls`.

extension PolicySections {
    /// TLS of a listener.
    static let listenerTLS = Section<ListenerTLS>(
        blank: ListenerTLS(),
        keys: [
            Key(
                "certificates", \.certificates,
                .list(
                    of: certificate.kind(),
                    blank: ListenerTLS.Certificate(certificateFile: "", keyFile: ""),
                    counts: 1...64, identity: nil),
                required: true,
                "Certificates with their keys. A client gets the one for the name that it asks for: the exact name, "
                    + "else a wildcard for its first label, else the first of the list. The files are read again "
                    + "when they change."),
            Key(
                "min_version", \.minVersion, .words,
                "The least version of TLS; in quotes, because YAML would take it for a number."),
            Key(
                "strict_sni", \.isNameStrict, .boolean,
                "Whether a client that asks for a name which no certificate has is refused (`unrecognized_name`)."
            ),
            Key(
                "client_ca_file", \.clientAuthorityFile, absolutePath.optional(blank: ""),
                "PEM file of the authorities that clients' certificates are from; read again when it changes."
            ),
            Key(
                "client_certificate", \.clientCertificate, .words,
                "Whether clients are asked for a certificate: `request` serves those without one too, `require` does "
                    + "not. One that no authority of `client_ca_file` vouches for is refused in either case."
            ),
            Key(
                "handshake_timeout", \.handshakeTimeout,
                .duration(Duration.seconds(1)...Duration.seconds(60)),
                "How long a handshake may take."),
            Key(
                "max_handshakes", \.maxHandshakes, .integer(1...100_000),
                "Handshakes under way at once in each thread, an eighth of them for one client network; beyond that "
                    + "the oldest of the network with the most is given up."),
            Key(
                "ticket_rotation", \.ticketRotation,
                Kind<Duration>.duration(.seconds(60)...Duration.seconds(24 * 3600))
                    .optional(blank: .seconds(12 * 3600), absent: "off"),
                "How often the key of session tickets is replaced; the two before it still open theirs. `off` for no "
                    + "tickets."),
        ],
        rules: [
            Rule("client_certificate", "client_ca_file") { tls in
                switch (tls.clientCertificate, tls.clientAuthorityFile) {
                case (.off, .some):
                    Fault(
                        "clients are not asked for certificates, so their authorities are of no use",
                        "set client_certificate: require, or remove client_ca_file")
                case (.request, nil), (.require, nil):
                    Fault(
                        "nothing says which clients' certificates are good",
                        "set client_ca_file too")
                default: nil
                }
            }
        ],
        hints: [
            "certificate_file": "write certificates: [{certificate_file: ..., key_file: ...}]",
            "key_file": "write certificates: [{certificate_file: ..., key_file: ...}]",
            "cert_file": "write certificates: [{certificate_file: ..., key_file: ...}]",
            "ca_file": "write client_ca_file", "alpn": "http/1.1 is what there is",
        ])

    private static let certificate = Section<ListenerTLS.Certificate>(
        blank: ListenerTLS.Certificate(certificateFile: "", keyFile: ""),
        keys: [
            Key(
                "certificate_file", \.certificateFile, absolutePath, required: true,
                "PEM file with the certificate, and behind it those that lead to an authority."),
            Key(
                "key_file", \.keyFile, absolutePath, required: true,
                "PEM file with its key, without a password, closed to everybody but its owner and group."
            ),
        ],
        hints: ["cert_file": "write certificate_file"])
}
