// Whom a pool's connections trust, and what they show of themselves: certificates that are read and parsed
// once, where nobody waits for it, and used by the dials of all threads.
//
// OpenSSL counts the references to its objects and locks them; nothing here changes one after `init`, so that
// threads can share them. Each pointer is that of a live object: its owner frees it in `deinit` alone.

internal import CShims
internal import Glibc
package import Policy

/// Certificates towards backends.
@safe package final class TLSCredentials: Sendable {
    /// What files held when they were read.
    private struct Texts: Equatable, Sendable {
        var verifies = true
        /// One text for each file.
        var authorities: [[UInt8]] = []
        var certificates: [UInt8] = []
        var key: [UInt8] = []
    }

    private let texts: Texts
    /// The authorities that are trusted, an `X509_STORE`.
    private nonisolated(unsafe) let store: OpaquePointer
    /// Our certificate and what leads from it to an authority.
    private let chain: [Certificate]
    /// Its key.
    private let key: PrivateKey?

    /// Owns an `X509`.
    @safe private final class Certificate: Sendable {
        nonisolated(unsafe) let object: OpaquePointer
        init(owning object: OpaquePointer) { unsafe self.object = object }
        deinit { unsafe X509_free(object) }
    }

    /// Owns an `EVP_PKEY`.
    @safe private final class PrivateKey: Sendable {
        nonisolated(unsafe) let object: OpaquePointer
        init(owning object: OpaquePointer) { unsafe self.object = object }
        deinit { unsafe EVP_PKEY_free(object) }
    }

    /// What a file of certificates may have, in bytes: the system's authorities take a quarter of a MiB.
    private static let mostBytes = 4 << 20

    /// Reads what `settings` names; `known`, where that says the same.
    ///
    /// Throws for the first file that cannot be used.
    package static func load(
        _ settings: TLSSettings, unlessIn known: TLSCredentials? = nil
    ) throws(SystemError) -> TLSCredentials {
        var texts = Texts()
        texts.verifies = settings.verify
        if let file = settings.authorityFile {
            texts.authorities = [try read(file)]
        } else if settings.verify {
            texts.authorities = systemAuthorities()
        }
        if let file = settings.certificateFile { texts.certificates = try read(file) }
        if let file = settings.keyFile { texts.key = try read(file) }
        if let known, known.texts == texts { return known }
        return try TLSCredentials(texts, settings)
    }

    /// What the file and the folder hold that libcurl was built to trust; what cannot be read counts for
    /// nothing.
    private static func systemAuthorities() -> [[UInt8]] {
        var paths: [String] = []
        // libcurl's texts last as long as the process.
        if let file = unsafe penstock_curl_authority_file() {
            paths.append(unsafe String(cString: file))
        }
        if let folder = unsafe penstock_curl_authority_folder() {
            paths += hashedFiles(in: unsafe String(cString: folder))
        }
        return paths.compactMap { path in
            do throws(TextFile.Reason) {
                return try TextFile.bytes(path: path, atMost: mostBytes)
            } catch {
                return nil
            }
        }
    }

    /// The files of a folder that OpenSSL looks for there: those named by a hash, and a number.
    private static func hashedFiles(in folder: String) -> [String] {
        guard let listing = unsafe opendir(folder) else { return [] }
        defer { unsafe closedir(listing) }
        var paths: [String] = []
        // An entry lasts until the next one is asked for; its name is copied at once.
        while let entry = unsafe readdir(listing) {
            let name = unsafe String(cString: penstock_entry_name(entry))
            let parts = name.utf8.split(separator: UInt8(ascii: "."))
            if parts.count == 2, parts[0].count == 8, Int(parts[1].first ?? 0) - 0x30 < 10 {
                paths.append("\(folder)/\(name)")
            }
        }
        return paths.sorted()
    }

    private static func read(_ file: String) throws(SystemError) -> [UInt8] {
        let bytes: [UInt8]
        do throws(TextFile.Reason) {
            bytes = try TextFile.bytes(path: file, atMost: mostBytes + 1)
        } catch {
            throw SystemError("read \(file)", code: error.code)
        }
        guard bytes.count <= mostBytes else {
            throw SystemError("use \(file)", because: "it has more than 4 MiB")
        }
        return bytes
    }

    private init(_ texts: Texts, _ settings: TLSSettings) throws(SystemError) {
        self.texts = texts
        if let file = settings.certificateFile {
            let own = try TLSCredentials.identity(texts, file, settings.keyFile ?? file)
            chain = own.chain
            key = own.key
        } else {
            chain = []
            key = nil
        }
        guard let store = unsafe X509_STORE_new() else {
            throw SystemError("use certificates", because: "there is no memory for them")
        }
        unsafe self.store = store
        // As libcurl does: a certificate in the file is trusted whether it is a root or not.
        _ = unsafe X509_STORE_set_flags(
            store, UInt(X509_V_FLAG_TRUSTED_FIRST) | UInt(X509_V_FLAG_PARTIAL_CHAIN))
        try trust(settings)
    }

    deinit { unsafe X509_STORE_free(store) }

    private func trust(_ settings: TLSSettings) throws(SystemError) {
        var count = 0
        for text in texts.authorities {
            let (authorities, isDamaged) = TLSCredentials.certificates(in: text)
            if let file = settings.authorityFile {
                if authorities.isEmpty { throw TLSCredentials.holdsNothing(file) }
                if isDamaged { throw TLSCredentials.isDamaged(file, after: authorities.count) }
            }
            // The store keeps a reference of its own.
            for authority in authorities { unsafe X509_STORE_add_cert(store, authority.object) }
            count += authorities.count
        }
        guard count > 0 || !settings.verify else {
            throw SystemError(
                "verify certificates",
                because:
                    "this system has no authorities; install ca-certificates, or set tls.ca_file")
        }
    }

    private static func identity(
        _ texts: Texts, _ file: String, _ keyFile: String
    ) throws(SystemError) -> (chain: [Certificate], key: PrivateKey) {
        let (chain, isDamaged) = certificates(in: texts.certificates)
        guard let own = chain.first else { throw holdsNothing(file) }
        if isDamaged { throw TLSCredentials.isDamaged(file, after: chain.count) }
        guard let key = key(in: texts.key.isEmpty ? texts.certificates : texts.key) else {
            throw SystemError(
                "use \(keyFile)",
                because: "it holds no private key in PEM, or one with a password; give one without")
        }
        guard unsafe X509_check_private_key(own.object, key.object) == 1 else {
            throw SystemError(
                "use \(keyFile)", because: "it is not the key of the certificate in \(file)")
        }
        return (chain, key)
    }

    private static func holdsNothing(_ file: String) -> SystemError {
        SystemError("use \(file)", because: "it holds no certificate in PEM")
    }

    private static func isDamaged(_ file: String, after count: Int) -> SystemError {
        SystemError("use \(file)", because: "the certificate after the first \(count) is damaged")
    }

    /// All certificates of a text in PEM, in their order; whether one that is damaged follows them.
    private static func certificates(
        in text: [UInt8]
    ) -> (certificates: [Certificate], isDamaged: Bool) {
        var found: [Certificate] = []
        var isDamaged = false
        unsafe read(text) { reader in
            while let certificate = unsafe penstock_tls_read_certificate(reader) {
                found.append(unsafe Certificate(owning: certificate))
            }
            isDamaged = penstock_tls_ended_early() != 0
        }
        return (found, isDamaged)
    }

    /// The first private key of a text in PEM; nil where there is none, or it is locked.
    private static func key(in text: [UInt8]) -> PrivateKey? {
        var found: PrivateKey?
        unsafe read(text) { reader in
            if let key = unsafe penstock_tls_read_key(reader) {
                found = unsafe PrivateKey(owning: key)
            }
        }
        return found
    }

    /// Lends `body` a reader of `text`, which lives for the call.
    private static func read(_ text: [UInt8], _ body: (OpaquePointer) -> Void) {
        unsafe text.withUnsafeBytes { bytes in
            guard let reader = unsafe BIO_new_mem_buf(bytes.baseAddress, Int32(bytes.count))
            else { return }
            unsafe body(reader)
            unsafe BIO_free(reader)
        }
        // The end of the text is an error to OpenSSL, which must not be taken for somebody else's.
        ERR_clear_error()
    }

    /// Has a handshake, which is a `SSL_CTX`, use them; false where memory is short.
    func apply(to context: OpaquePointer) -> Bool {
        // The context keeps references of its own.
        unsafe SSL_CTX_set1_cert_store(context, store)
        guard let own = chain.first, let key else { return true }
        guard unsafe SSL_CTX_use_certificate(context, own.object) == 1,
            unsafe SSL_CTX_use_PrivateKey(context, key.object) == 1
        else { return false }
        for certificate in chain.dropFirst() {
            guard unsafe penstock_tls_add_to_chain(context, certificate.object) == 1 else {
                return false
            }
        }
        return true
    }
}
