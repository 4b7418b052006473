// Certificates and keys as PEM files have them, read by OpenSSL, which libcurl does TLS with.
//
// OpenSSL counts the references to its objects and locks them; nothing here changes one after `init`, so that
// threads can share them. Each pointer is that of a live object: its owner frees it in `deinit` alone.

internal import CShims

/// Owns an `X509`.
@safe final class Certificate: Sendable {
    nonisolated(unsafe) let object: OpaquePointer

    init(owning object: OpaquePointer) { unsafe self.object = object }

    deinit { unsafe X509_free(object) }

    /// Whether TLS can sign with its key.
    var isUsable: Bool { unsafe penstock_tls_is_usable(object) != 0 }

    /// Whether `key` is the one that it speaks of.
    func isOf(_ key: PrivateKey) -> Bool {
        let isItsOwn = unsafe X509_check_private_key(object, key.object) == 1
        // That it is another's is an error to OpenSSL, which must not be taken for somebody else's.
        ERR_clear_error()
        return isItsOwn
    }
}

/// Owns an `EVP_PKEY`.
@safe final class PrivateKey: Sendable {
    nonisolated(unsafe) let object: OpaquePointer

    init(owning object: OpaquePointer) { unsafe self.object = object }

    deinit { unsafe EVP_PKEY_free(object) }
}

/// Reads texts in PEM.
enum PEM {
    /// All certificates of a text, in their order; whether one that is damaged follows them.
    static func certificates(
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

    /// The first private key of a text; nil where there is none, or it is locked.
    static func key(in text: [UInt8]) -> PrivateKey? {
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
}
