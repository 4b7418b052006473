// What a listener shows of itself and whom it takes, read from files where nobody waits for it, and used by the handshakes
// of all threads. Nothing of it changes: a file that is written anew makes another one.

internal import CShims
package import Policy

/// Certificates of a listener, and the authorities of its clients.
@safe package final class ServerCredentials: Sendable {
    /// What files held when they were read, and what else makes it what it is.
    private struct Texts: Equatable, Sendable {
        var settings: ListenerTLS
        var certificates: [[UInt8]] = []
        var keys: [[UInt8]] = []
        var authorities: [UInt8] = []
    }

    /// A certificate as it is shown to operators.
    package struct Shown: Equatable, Sendable {
        /// Its first name.
        package let name: String
        /// When it ends, in seconds since 1970; nil where that cannot be told.
        package let endSeconds: Int64?
    }

    /// How it is spoken.
    package let settings: ListenerTLS
    private let texts: Texts
    private let certificates: [ServerCertificate]
    /// By name; wildcards without their first label.
    private let exact: [String: Int]
    private let wildcards: [String: Int]

    /// The certificates, in the policy's order.
    package var shown: [Shown] {
        certificates.map { Shown(name: $0.label, endSeconds: $0.endSeconds) }
    }

    /// Reads what `settings` names; `known`, where that says the same.
    ///
    /// Throws for all files that cannot be used.
    package static func load(
        _ settings: ListenerTLS, unlessIn known: ServerCredentials? = nil
    ) throws(TLSFaults) -> ServerCredentials {
        var files = PEMFiles()
        var texts = Texts(settings: settings)
        for (index, certificate) in settings.certificates.enumerated() {
            texts.certificates.append(
                files.read(certificate.certificateFile, .certificate(index)))
            texts.keys.append(files.read(certificate.keyFile, .key(index)))
        }
        texts.authorities = files.read(settings.clientAuthorityFile, .clientAuthorities)
        if let known, files.faults.all.isEmpty, known.texts == texts { return known }
        var identities: [PEMFiles.Identity] = []
        for (index, certificate) in settings.certificates.enumerated() {
            let identity = files.identity(
                texts.certificates[index], of: certificate.certificateFile, .certificate(index),
                key: texts.keys[index], of: certificate.keyFile, .key(index))
            if let identity { identities.append(identity) }
        }
        var authorities: [Certificate] = []
        if let file = settings.clientAuthorityFile, !files.faults.isFaulty(.clientAuthorities) {
            authorities = files.authorities(texts.authorities, of: file, .clientAuthorities)
        }
        guard files.faults.all.isEmpty else { throw files.faults }
        var made: [ServerCertificate] = []
        for (index, identity) in identities.enumerated() {
            guard
                let context = unsafe makeContext(
                    identity, settings, authorities, texts.authorities),
                let first = identity.chain.first
            else {
                let file = settings.certificates[index].certificateFile
                files.faults.note(
                    .certificate(index),
                    SystemError(
                        "use \(file)", because: "OpenSSL does not take it; is its key too weak?"))
                continue
            }
            made.append(unsafe ServerCertificate(owning: context, first))
        }
        ERR_clear_error()
        guard files.faults.all.isEmpty else { throw files.faults }
        return ServerCredentials(texts, made)
    }

    private init(_ texts: Texts, _ certificates: [ServerCertificate]) {
        settings = texts.settings
        self.texts = texts
        self.certificates = certificates
        var exact: [String: Int] = [:]
        var wildcards: [String: Int] = [:]
        for (index, certificate) in certificates.enumerated() {
            for name in certificate.names {
                if name.hasPrefix("*.") {
                    let rest = String(name.dropFirst(2))
                    wildcards[rest] = wildcards[rest] ?? index
                } else {
                    exact[name] = exact[name] ?? index
                }
            }
        }
        self.exact = exact
        self.wildcards = wildcards
    }

    /// A context that shows `identity`; nil where OpenSSL refuses.
    private static func makeContext(
        _ identity: PEMFiles.Identity, _ settings: ListenerTLS, _ authorities: [Certificate],
        _ authorityText: [UInt8]
    ) -> OpaquePointer? {
        let least = settings.minVersion == .tls13 ? TLS1_3_VERSION : TLS1_2_VERSION
        guard let context = unsafe penstock_tls_server_context(least) else { return nil }
        var isGood = unsafe give(identity, to: context)
        unsafe penstock_tls_set_name_callback(context, ServerSession.chooseCertificate)
        unsafe penstock_tls_set_tickets(
            context, settings.ticketRotation == nil ? nil : ServerSession.useTicket)
        isGood = unsafe ask(for: settings, authorities, authorityText, context) && isGood
        if !isGood {
            unsafe SSL_CTX_free(context)
            return nil
        }
        return unsafe context
    }

    private static func give(_ identity: PEMFiles.Identity, to context: OpaquePointer) -> Bool {
        guard let own = identity.chain.first,
            unsafe penstock_tls_set_certificate(context, own.object, identity.key.object) == 1
        else { return false }
        // The context keeps references of its own.
        return identity.chain.dropFirst().allSatisfy { certificate in
            unsafe penstock_tls_add_to_chain(context, certificate.object) == 1
        }
    }

    /// Has clients be asked for certificates, where `settings` say so.
    private static func ask(
        for settings: ListenerTLS, _ authorities: [Certificate], _ text: [UInt8],
        _ context: OpaquePointer
    ) -> Bool {
        switch settings.clientCertificate {
        case .off: break
        case .request: unsafe SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nil)
        case .require:
            unsafe SSL_CTX_set_verify(
                context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nil)
        }
        unsafe penstock_tls_verify_partial_chains(context)
        for authority in authorities {
            guard unsafe penstock_tls_add_authority(context, authority.object) == 1 else {
                return false
            }
        }
        // A session is known again only where the same is asked of clients: else it would outlive an authority that was
        // taken out.
        let rule = Array(settings.clientCertificate.rawValue.utf8) + [0] + text
        var digest = [UInt8](repeating: 0, count: 32)
        return unsafe rule.withUnsafeBufferPointer { rule in
            unsafe digest.withUnsafeMutableBufferPointer { digest in
                // 32 bytes are written, and as many read.
                unsafe penstock_sha256(rule.baseAddress, rule.count, digest.baseAddress) == 1
                    && SSL_CTX_set_session_id_context(
                        context, digest.baseAddress, UInt32(digest.count)) == 1
            }
        }
    }

    /// The context that a handshake begins with.
    var first: OpaquePointer { unsafe certificates[0].context }

    /// The context for a client that asks for `name`; nil where it is refused.
    func context(for name: String?) -> OpaquePointer? {
        guard let name else { return unsafe first }
        let wanted = name.lowercased()
        if let index = exact[wanted] { return unsafe certificates[index].context }
        // A wildcard stands for one label (RFC 6125 section 6.4.3).
        if let dot = wanted.firstIndex(of: "."), dot > wanted.startIndex,
            let index = wildcards[String(wanted[wanted.index(after: dot)...])]
        {
            return unsafe certificates[index].context
        }
        return settings.isNameStrict ? nil : unsafe first
    }
}

extension TLSFaults.Setting {
    fileprivate static func certificate(_ index: Int) -> Self {
        Self(path: "certificates[\(index)].certificate_file")
    }

    fileprivate static func key(_ index: Int) -> Self {
        Self(path: "certificates[\(index)].key_file")
    }

    fileprivate static var clientAuthorities: Self { Self(path: "client_ca_file") }
}
