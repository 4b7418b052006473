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

    /// What the gateway shows of itself.
    private struct Identity {
        var chain: [Certificate]
        var key: PrivateKey
    }

    /// What a file of certificates may have, in bytes: the system's authorities take a quarter of a MiB.
    private static let mostBytes = 4 << 20

    /// Reads what `settings` names; `known`, where that says the same.
    ///
    /// Throws for all files that cannot be used.
    package static func load(
        _ settings: TLSSettings, unlessIn known: TLSCredentials? = nil
    ) throws(TLSFaults) -> TLSCredentials {
        var faults = TLSFaults()
        let texts = texts(settings, &faults)
        if let known, faults.all.isEmpty, known.texts == texts { return known }
        let authorities = authorities(texts, settings, &faults)
        let own = identity(texts, settings, &faults)
        guard faults.all.isEmpty else { throw faults }
        do throws(SystemError) {
            return try TLSCredentials(texts, authorities, own)
        } catch {
            faults.note(nil, error)
            throw faults
        }
    }

    private static func texts(_ settings: TLSSettings, _ faults: inout TLSFaults) -> Texts {
        var texts = Texts()
        texts.verifies = settings.verify
        if settings.authorityFile != nil {
            texts.authorities = [read(settings.authorityFile, .authorities, &faults)]
        } else if settings.verify {
            texts.authorities = systemAuthorities()
        }
        texts.certificates = read(settings.certificateFile, .certificate, &faults)
        texts.key = read(settings.keyFile, .key, &faults)
        return texts
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

    /// What a file holds; nothing where none is named or it cannot be read.
    private static func read(
        _ file: String?, _ setting: TLSFaults.Setting, _ faults: inout TLSFaults
    ) -> [UInt8] {
        guard let file else { return [] }
        let bytes: [UInt8]
        do throws(TextFile.Reason) {
            bytes = try TextFile.bytes(path: file, atMost: mostBytes + 1)
        } catch {
            faults.note(setting, SystemError("read \(file)", code: error.code))
            return []
        }
        guard bytes.count <= mostBytes else {
            faults.note(setting, SystemError("use \(file)", because: "it has more than 4 MiB"))
            return []
        }
        return bytes
    }

    private init(
        _ texts: Texts, _ authorities: [Certificate], _ own: Identity?
    ) throws(SystemError) {
        self.texts = texts
        chain = own?.chain ?? []
        key = own?.key
        guard let store = unsafe X509_STORE_new() else {
            throw SystemError("use certificates", because: "there is no memory for them")
        }
        unsafe self.store = store
        // As libcurl does: a certificate in the file is trusted whether it is a root or not.
        _ = unsafe X509_STORE_set_flags(
            store, UInt(X509_V_FLAG_TRUSTED_FIRST) | UInt(X509_V_FLAG_PARTIAL_CHAIN))
        // The store keeps a reference of its own.
        for authority in authorities { unsafe X509_STORE_add_cert(store, authority.object) }
    }

    deinit { unsafe X509_STORE_free(store) }

    private static func authorities(
        _ texts: Texts, _ settings: TLSSettings, _ faults: inout TLSFaults
    ) -> [Certificate] {
        if faults.isFaulty(.authorities) { return [] }
        var found: [Certificate] = []
        for text in texts.authorities {
            let (authorities, isDamaged) = certificates(in: text)
            found += authorities
            guard let file = settings.authorityFile else { continue }
            if authorities.isEmpty {
                faults.note(.authorities, holdsNothing(file))
            } else if isDamaged {
                faults.note(.authorities, TLSCredentials.isDamaged(file, after: authorities.count))
            }
        }
        if found.isEmpty, settings.verify, settings.authorityFile == nil {
            let error = SystemError(
                "verify certificates",
                because:
                    "this system has no authorities; install ca-certificates, or set tls.ca_file")
            faults.note(nil, error)
        }
        return found
    }

    /// Our certificate with what leads from it to an authority, and its key; nil where none is named.
    private static func identity(
        _ texts: Texts, _ settings: TLSSettings, _ faults: inout TLSFaults
    ) -> Identity? {
        guard let file = settings.certificateFile else { return nil }
        let keyFile = settings.keyFile ?? file
        let (chain, isDamaged) = certificates(in: texts.certificates)
        if !faults.isFaulty(.certificate) {
            if chain.isEmpty {
                faults.note(.certificate, holdsNothing(file))
            } else if isDamaged {
                faults.note(.certificate, TLSCredentials.isDamaged(file, after: chain.count))
            }
        }
        if faults.isFaulty(.key) { return nil }
        guard let key = key(in: settings.keyFile == nil ? texts.certificates : texts.key) else {
            let error = SystemError(
                "use \(keyFile)",
                because: "it holds no private key in PEM, or one with a password; give one without")
            faults.note(.key, error)
            return nil
        }
        guard let own = chain.first, !faults.isFaulty(.certificate) else { return nil }
        guard unsafe X509_check_private_key(own.object, key.object) == 1 else {
            let error = SystemError(
                "use \(keyFile)", because: "it is not the key of the certificate in \(file)")
            faults.note(.key, error)
            return nil
        }
        return Identity(chain: chain, key: key)
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
