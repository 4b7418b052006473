// A certificate that a listener shows, with what it is shown for and how long it lasts.

internal import CShims

/// A certificate with its key, as a context for handshakes.
@safe final class ServerCertificate: Sendable {
    /// An `SSL_CTX`, which is not changed any more when `init` is over: threads share it.
    ///
    /// It is this object's own, and each connection keeps a reference besides.
    nonisolated(unsafe) let context: OpaquePointer
    /// The names that it is for, in lower case; the first one is what it is called.
    let names: [String]
    /// When it ends, in seconds since 1970; nil where that cannot be told.
    let endSeconds: Int64?

    /// Names of a certificate that are looked at.
    private static let mostNames = 1_000

    /// Takes over `context`, to which the certificate was given.
    init(owning context: OpaquePointer, _ certificate: Certificate) {
        unsafe self.context = context
        let found = CertificateNames(certificate)
        names = found.dns.prefix(ServerCertificate.mostNames).map { $0.lowercased() }
        let end = unsafe penstock_tls_end(certificate.object)
        endSeconds = end < 0 ? nil : end
        label = names.first ?? found.commonName ?? "unnamed"
    }

    /// What it is called in metrics and pages: its first name.
    let label: String

    deinit { unsafe SSL_CTX_free(context) }
}

/// Names that a certificate has.
@safe struct CertificateNames {
    /// What it says it is for, in its order.
    private(set) var dns: [String] = []
    /// URIs, such as SPIFFE's.
    private(set) var uris: [String] = []
    /// The last common name of its subject.
    private(set) var commonName: String?

    /// The names of `certificate`.
    init(_ certificate: Certificate) { unsafe self.init(certificate.object) }

    /// The names of an `X509` that lives through the call.
    init(_ certificate: OpaquePointer) {
        if let names = unsafe penstock_tls_names(certificate) {
            defer { unsafe GENERAL_NAMES_free(names) }
            for index in 0..<(unsafe penstock_tls_name_count(names)) { unsafe note(names, index) }
        }
        var text: UnsafeMutablePointer<UInt8>?
        let count = unsafe penstock_tls_common_name(certificate, &text)
        guard count >= 0, let text = unsafe text else { return }
        // So many bytes were written, which are freed at once.
        unsafe commonName = CertificateNames.text(text, Int(count))
        unsafe penstock_tls_free(text)
    }

    private mutating func note(_ names: OpaquePointer, _ index: Int32) {
        var kind: Int32 = 0
        // The text belongs to `names`, which live through the call.
        guard let name = unsafe penstock_tls_name(names, index, &kind),
            let bytes = unsafe ASN1_STRING_get0_data(name),
            let text = unsafe CertificateNames.text(bytes, Int(ASN1_STRING_length(name)))
        else { return }
        switch kind {
        case GEN_DNS: dns.append(text)
        case GEN_URI: uris.append(text)
        default: break
        }
    }

    /// What is no text, or has a zero within, is no name: it would be another one to who stops there.
    private static func text(_ bytes: UnsafePointer<UInt8>, _ count: Int) -> String? {
        let all = unsafe UnsafeBufferPointer(start: bytes, count: count)
        guard count > 0, unsafe !all.contains(0) else { return nil }
        return unsafe String(validating: all, as: UTF8.self)
    }
}
