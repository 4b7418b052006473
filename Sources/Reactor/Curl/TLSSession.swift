// A TLS connection that libcurl dialled and keeps. It is handed over with the first read: from then on its bytes go
// through OpenSSL alone, which libcurl has used until then. libcurl's own calls look for the connection among all that it
// has, and read a kilobyte of it at a time, with two system calls for each record.
//
// The easy handle must stay in the multi handle that dialled it for as long as the connection
// lives: taking it out closes the connection, and that is how this one is closed.
//
// OpenSSL keeps errors for a thread, and asks what was the last one: they are cleared before each call, or one
// connection's fault would be another's.

internal import Bytes
internal import CShims

/// One established TLS connection.
@safe package final class TLSSession {
    private let easy: EasyHandle
    /// Where `easy` was added.
    private let multi: CurlMulti
    /// The connection's socket, which libcurl owns.
    let socket: Int32
    /// The `SSL`, of which this object has a reference beside libcurl's; nil before the first read, and where libcurl
    /// has none.
    private var session: OpaquePointer?

    /// Takes ownership of a connected easy handle.
    init(owning easy: EasyHandle, in multi: CurlMulti, socket: Int32) {
        self.easy = easy
        self.multi = multi
        self.socket = socket
    }

    deinit {
        // libcurl says goodbye and closes the socket.
        multi.remove(easy)
        if let session = unsafe session { unsafe SSL_free(session) }
    }

    /// Reads decrypted bytes: what has come, as far as there is room.
    ///
    /// There may be more than the socket's readiness tells: read until `wouldBlock`.
    func read(into buffer: inout ByteBuffer, atMost limit: Int) -> TransferResult {
        guard let session = unsafe session else { return readFirst(into: &buffer, atMost: limit) }
        penstock_tls_forget_errors()
        var result = TransferResult.wouldBlock
        buffer.withFreeStorage(atMost: limit) { bytes, free in
            var total = 0
            while total < free.count {
                var count = 0
                let code = unsafe bytes.withUnsafeMutableBytes { storage in
                    // The range lies within the storage: ByteBuffer computed it from the storage's own count, and
                    // less than that was filled.
                    unsafe SSL_read_ex(
                        session, storage.baseAddress?.advanced(by: free.lowerBound + total),
                        free.count - total, &count)
                }
                guard code == 1 else {
                    // What went wrong behind the data is met again.
                    if total == 0 { result = unsafe failure(session, code) }
                    break
                }
                total += count
                // What else was received already; the socket is asked by the next call.
                guard unsafe SSL_has_pending(session) == 1 else { break }
            }
            if total > 0 { result = .moved(total) }
            return total
        }
        return result
    }

    /// Reads once by libcurl, which then tells of its session.
    private func readFirst(into buffer: inout ByteBuffer, atMost limit: Int) -> TransferResult {
        var result = TransferResult.wouldBlock
        buffer.withFreeStorage(atMost: limit) { bytes, free in
            var count = 0
            let code = unsafe bytes.withUnsafeMutableBytes { storage in
                // The range lies within the storage: ByteBuffer computed it from the storage's own
                // count.
                unsafe curl_easy_recv(
                    easy.pointer, storage.baseAddress?.advanced(by: free.lowerBound), free.count,
                    &count)
            }
            switch code {
            case CURLE_OK: result = count > 0 ? .moved(count) : .ended
            case CURLE_AGAIN: result = .wouldBlock
            default: result = .failed(0)
            }
            return code == CURLE_OK ? count : 0
        }
        takeOver()
        return result
    }

    private func takeOver() {
        guard let found = unsafe penstock_curl_tls_session(easy.pointer),
            unsafe penstock_tls_use_socket(found, socket) == 1
        else { return }
        // libcurl frees its own reference when the handle is taken out.
        unsafe SSL_up_ref(found)
        unsafe session = found
    }

    /// Writes from the front of the buffer until all is written or nothing more is taken, and drops what was taken.
    func write(from buffer: inout ByteBuffer) -> TransferResult {
        guard let session = unsafe session else { return writeFirst(from: &buffer) }
        return unsafe ServerSession.write(session, from: &buffer) {
            unsafe failure(session, $0)
        }
    }

    /// Writes once by libcurl.
    private func writeFirst(from buffer: inout ByteBuffer) -> TransferResult {
        var count = 0
        let code: CURLcode
        do {
            let bytes = buffer.bytes
            code = unsafe bytes.withUnsafeBytes { storage in
                // The pointer and the count are those of one live span.
                unsafe curl_easy_send(easy.pointer, storage.baseAddress, storage.count, &count)
            }
        }
        if code == CURLE_OK && count > 0 {
            buffer.drop(count)
            return .moved(count)
        }
        return code == CURLE_OK || code == CURLE_AGAIN ? .wouldBlock : .failed(0)
    }

    private func failure(_ session: OpaquePointer, _ code: Int32) -> TransferResult {
        switch unsafe SSL_get_error(session, code) {
        // A peer that asks for new keys is answered with the next write.
        case SSL_ERROR_WANT_READ, SSL_ERROR_WANT_WRITE: .wouldBlock
        case SSL_ERROR_ZERO_RETURN: .ended
        default: .failed(0)
        }
    }
}
