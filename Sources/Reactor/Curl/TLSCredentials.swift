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

    /// Reads what `settings` names; `known`, where that says the same.
    ///
    /// Throws for all files that cannot be used.
    package static func load(
        _ settings: TLSSettings, unlessIn known: TLSCredentials? = nil
    ) throws(TLSFaults) -> TLSCredentials {
        var files = PEMFiles()
        let texts = texts(settings, &files)
        if let known, files.faults.all.isEmpty, known.texts == texts { return known }
        let authorities = authorities(texts, settings, &files)
        let own = identity(texts, settings, &files)
        guard files.faults.all.isEmpty else { throw files.faults }
        do throws(SystemError) {
            return try TLSCredentials(texts, authorities, own)
        } catch {
            files.faults.note(nil, error)
            throw files.faults
        }
    }

    private static func texts(_ settings: TLSSettings, _ files: inout PEMFiles) -> Texts {
        var texts = Texts()
        texts.verifies = settings.verify
        if settings.authorityFile != nil {
            texts.authorities = [files.read(settings.authorityFile, .authorities)]
        } else if settings.verify {
            texts.authorities = systemAuthorities()
        }
        texts.certificates = files.read(settings.certificateFile, .certificate)
        texts.key = files.read(settings.keyFile, .key)
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
                return try TextFile.bytes(path: path, atMost: PEMFiles.mostBytes)
            } catch {
                return nil
            }
        }
    }

    /// The files of a folder that OpenSSL looks for there: those named by a hash, and a number.
    private static func hashedFiles(in folder: String) -> [String] {
        let names = try? FolderListing.names(in: folder) { name in
            let parts = name.utf8.split(separator: UInt8(ascii: "."))
            return parts.count == 2 && parts[0].count == 8 && Int(parts[1].first ?? 0) - 0x30 < 10
        }
        return (names ?? []).map { "\(folder)/\($0)" }
    }

    private init(
        _ texts: Texts, _ authorities: [Certificate], _ own: PEMFiles.Identity?
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
        _ texts: Texts, _ settings: TLSSettings, _ files: inout PEMFiles
    ) -> [Certificate] {
        if files.faults.isFaulty(.authorities) { return [] }
        if let file = settings.authorityFile {
            return texts.authorities.flatMap { files.authorities($0, of: file, .authorities) }
        }
        let found = texts.authorities.flatMap { PEM.certificates(in: $0).certificates }
        if found.isEmpty, settings.verify {
            let error = SystemError(
                "verify certificates",
                because:
                    "this system has no authorities; install ca-certificates, or set tls.ca_file")
            files.faults.note(nil, error)
        }
        return found
    }

    /// Our certificate with what leads from it to an authority, and its key; nil where none is named.
    private static func identity(
        _ texts: Texts, _ settings: TLSSettings, _ files: inout PEMFiles
    ) -> PEMFiles.Identity? {
        guard let file = settings.certificateFile else { return nil }
        return files.identity(
            texts.certificates, of: file, .certificate,
            key: settings.keyFile == nil ? texts.certificates : texts.key,
            of: settings.keyFile ?? file, .key)
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
