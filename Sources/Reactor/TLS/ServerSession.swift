// A TLS connection that a client has opened, by OpenSSL over our socket. OpenSSL reads and writes the socket itself: bytes
// in memory in between would be copied once more, and take more memory.
//
// OpenSSL keeps errors for a thread, and asks what was the last one: they are cleared before each call, or one
// connection's fault would be another's.

internal import Admission
internal import Bytes
internal import CShims
internal import Glibc
internal import Policy

/// One TLS connection.
@safe package final class ServerSession {
    /// The `SSL`, this object's own.
    ///
    /// What callbacks find of this object is looked at only within calls that it makes.
    private let session: OpaquePointer
    private let descriptor: Descriptor
    /// What it was opened with, which has to live as long.
    fileprivate let credentials: ServerCredentials
    fileprivate let tickets: TicketKeys
    /// Whether OpenSSL has given it up: nothing more may be written then.
    private var isBroken = false
    /// Whether the last read has to write something before it can go on: a client may ask for new keys at any time
    /// (RFC 8446 section 4.6.3).
    private(set) var readsAfterWriting = false
    /// Whether the last read gave up although more may have come: it has read records without data for long enough.
    private(set) var holdsBack = false
    /// Records without data, one behind the other.
    private var emptyRecords = 0

    /// Records that one call reads, and how many without data there may be: new keys are asked for after gigabytes.
    private static let recordsPerRead = 16
    private static let mostEmptyRecords = 1_000

    /// How far a handshake is.
    package enum Progress: Equatable {
        /// It is over, and the connection stands.
        case done
        /// It waits for the client.
        case waits
        /// There will be no connection.
        case failed(HandshakeFault)
    }

    /// A session over `descriptor`, a client's, that has not begun; nil where memory is short.
    package init?(
        _ descriptor: consuming Descriptor, _ credentials: ServerCredentials, _ tickets: TicketKeys
    ) {
        guard let session = unsafe SSL_new(credentials.first) else { return nil }
        unsafe self.session = session
        self.descriptor = descriptor
        self.credentials = credentials
        self.tickets = tickets
        unsafe SSL_set_accept_state(session)
        guard unsafe SSL_set_fd(session, self.descriptor.rawValue) == 1 else { return nil }
    }

    deinit { unsafe SSL_free(session) }

    /// The connection's socket, for readiness.
    package var socket: Int32 { descriptor.rawValue }

    // MARK: Handshake

    /// Goes on with the handshake.
    package func shakeHands() -> Progress {
        ERR_clear_error()
        // Callbacks of this call look this object up, and of no other.
        unsafe penstock_tls_set_app_data(session, Unmanaged.passUnretained(self).toOpaque())
        let code = unsafe SSL_do_handshake(session)
        unsafe penstock_tls_set_app_data(session, nil)
        if code == 1 {
            if isResumed, unsafe SSL_version(session) < TLS1_3_VERSION {
                // Nothing of ours follows the client's last word, and it may wait for that to be acknowledged.
                setOption(descriptor.rawValue, Int32(IPPROTO_TCP), TCP_QUICKACK, 1)
            }
            return hasExpired ? .failed(.certificateRefused) : .done
        }
        switch unsafe SSL_get_error(session, code) {
        case SSL_ERROR_WANT_READ, SSL_ERROR_WANT_WRITE: return .waits
        case SSL_ERROR_SSL:
            isBroken = true
            return .failed(HandshakeFault(error: ERR_peek_error()))
        default:
            isBroken = true
            return .failed(.closed)
        }
    }

    /// Whether it goes on with an earlier session.
    package var isResumed: Bool { unsafe SSL_session_reused(session) == 1 }

    /// Whether the client's certificate has ended: a session that goes on does not show it anew.
    private var hasExpired: Bool {
        guard settings.clientCertificate != .off, isResumed,
            let certificate = unsafe SSL_get0_peer_certificate(session)
        else { return false }
        return unsafe penstock_tls_end(certificate) * 1_000_000_000
            < MonotonicClock.now.nanoseconds + MonotonicClock.nanosecondsToWall
    }

    /// What the client's certificate says, if it has shown one: that was verified.
    package var clientNames: ClientNames? {
        guard settings.clientCertificate != .off,
            let certificate = unsafe SSL_get0_peer_certificate(session)
        else { return nil }
        return ClientNames(unsafe CertificateNames(certificate))
    }

    private var settings: ListenerTLS { credentials.settings }

    /// Answers a client that speaks HTTP without TLS, so that a person sees why there is nothing.
    package func answerInTheClear() {
        let body = "this port speaks TLS: write https://\n"
        let head =
            "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\n"
            + "Content-Length: \(body.utf8.count)\r\nConnection: close\r\n\r\n"
        let text = Array((head + body).utf8)
        // What the socket does not take at once is not worth waiting for.
        unsafe text.withUnsafeBytes { bytes in
            _ = unsafe penstock_send(
                descriptor.rawValue, bytes.baseAddress, bytes.count, Int32(MSG_NOSIGNAL))
        }
    }

    // MARK: Bytes

    /// Reads decrypted bytes: what a few records have, however small they are.
    ///
    /// There may be more than the socket's readiness tells: read until `wouldBlock`, and once more later where it
    /// `holdsBack`.
    func read(into buffer: inout ByteBuffer, atMost limit: Int) -> TransferResult {
        penstock_tls_forget_errors()
        readsAfterWriting = false
        holdsBack = false
        var result = TransferResult.wouldBlock
        var total = 0
        var records = 0
        buffer.withFreeStorage(atMost: limit) { bytes, free in
            while total < free.count {
                guard records < ServerSession.recordsPerRead else {
                    holdsBack = total == 0
                    break
                }
                records += 1
                var count = 0
                errno = 0
                let code = unsafe bytes.withUnsafeMutableBytes { storage in
                    // The range lies within the storage: ByteBuffer computed it from the storage's own count, and
                    // less than that was filled.
                    unsafe SSL_read_ex(
                        session, storage.baseAddress?.advanced(by: free.lowerBound + total),
                        free.count - total, &count)
                }
                if code == 1 {
                    total += count
                    emptyRecords = 0
                    // What else was received already; the socket is asked by the next call.
                    if unsafe SSL_has_pending(session) == 1 { continue }
                    break
                }
                // Nothing has come where the socket said so; else it was a record without data.
                result = failure(code, isReading: true)
                if result != .wouldBlock || readsAfterWriting || errno == EAGAIN { break }
                emptyRecords += 1
                if emptyRecords > ServerSession.mostEmptyRecords {
                    isBroken = true
                    result = .failed(0)
                    break
                }
            }
            return total
        }
        // What went wrong behind the data is met again.
        return total > 0 ? .moved(total) : result
    }

    /// Writes from the front of the buffer until all is written or nothing more is taken, and drops what was taken.
    func write(from buffer: inout ByteBuffer) -> TransferResult {
        unsafe ServerSession.write(session, from: &buffer) { failure($0, isReading: false) }
    }

    /// The same for any session, a backend's too; `failure` says what a call that returned another code than 1 came to.
    static func write(
        _ session: OpaquePointer, from buffer: inout ByteBuffer,
        failure: (Int32) -> TransferResult
    ) -> TransferResult {
        penstock_tls_forget_errors()
        var total = 0
        while !buffer.isEmpty {
            var count = 0
            let code: Int32
            do {
                let bytes = buffer.bytes
                code = unsafe bytes.withUnsafeBytes { storage in
                    // The pointer and the count are those of one live span.
                    unsafe SSL_write_ex(session, storage.baseAddress, storage.count, &count)
                }
            }
            guard code == 1 else {
                let failure = failure(code)
                return total > 0 && failure == .wouldBlock ? .moved(total) : failure
            }
            buffer.drop(count)
            total += count
        }
        return total > 0 ? .moved(total) : .wouldBlock
    }

    private func failure(_ code: Int32, isReading: Bool) -> TransferResult {
        switch unsafe SSL_get_error(session, code) {
        case SSL_ERROR_WANT_READ: return .wouldBlock
        case SSL_ERROR_WANT_WRITE:
            if isReading { readsAfterWriting = true }
            return .wouldBlock
        case SSL_ERROR_ZERO_RETURN: return .ended
        default:
            isBroken = true
            return .failed(0)
        }
    }

    /// Whether anything has come that was not read yet, the end included; one system call.
    func hasPendingInput() -> Bool {
        unsafe SSL_has_pending(session) == 1 || descriptor.hasPendingInput()
    }

    /// Bytes of TLS that were written and that the peer has not taken yet; nil where the kernel does not tell.
    func unsentBytes() -> Int? { descriptor.unsentBytes() }

    /// Tells the peer that nothing follows.
    func shutdownWriting() {
        sayGoodbye()
        descriptor.shutdownWriting()
    }

    /// Says that the connection ends here, as far as that is possible at once (RFC 8446 section 6.1).
    func sayGoodbye() {
        guard !isBroken, unsafe SSL_get_shutdown(session) & SSL_SENT_SHUTDOWN == 0 else { return }
        ERR_clear_error()
        if unsafe SSL_shutdown(session) < 0 { isBroken = true }
    }

    /// Makes closing reset the connection.
    func resetOnClose() {
        isBroken = true
        descriptor.resetOnClose()
    }

    // MARK: Callbacks

    /// The session of which OpenSSL speaks, within a call that it has made.
    private static func of(_ session: OpaquePointer?) -> ServerSession? {
        guard let session = unsafe session,
            let data = unsafe penstock_tls_app_data(session)
        else { return nil }
        return unsafe Unmanaged<ServerSession>.fromOpaque(data).takeUnretainedValue()
    }

    /// Chooses the certificate by the name that the client asks for (RFC 6066 section 3).
    static let chooseCertificate:
        @convention(c) (OpaquePointer?, UnsafeMutablePointer<Int32>?, UnsafeMutableRawPointer?) ->
            Int32 = { session, alert, _ in
                guard let own = unsafe ServerSession.of(session) else {
                    return SSL_TLSEXT_ERR_ALERT_FATAL
                }
                // The text belongs to the session.
                let name = unsafe penstock_tls_wanted_name(session).map {
                    unsafe String(cString: $0)
                }
                guard let context = unsafe own.credentials.context(for: name) else {
                    unsafe alert?.pointee = Int32(SSL_AD_UNRECOGNIZED_NAME)
                    return SSL_TLSEXT_ERR_ALERT_FATAL
                }
                unsafe SSL_set_SSL_CTX(session, context)
                return SSL_TLSEXT_ERR_OK
            }

    /// Readies OpenSSL to close a ticket, or to open one: 1 that it can, 2 that a new one is to be given besides, 0 that
    /// the ticket is nobody's, and less than that for what failed (SSL_CTX_set_tlsext_ticket_key_evp_cb(3)).
    static let useTicket: penstock_tls_ticket_callback = { session, name, iv, cipher, mac, closes in
        guard let own = unsafe ServerSession.of(session), let name = unsafe name else { return -1 }
        if closes == 1 {
            let rotation = own.settings.ticketRotation?.wholeNanoseconds ?? .max
            guard let key = own.tickets.current(rotation: rotation, now: MonotonicClock.now) else {
                return -1
            }
            return unsafe penstock_tls_close_ticket(key, name, iv, cipher, mac) == 1 ? 1 : -1
        }
        // OpenSSL lends as many bytes as a name has.
        let wanted = unsafe Array(
            UnsafeBufferPointer(start: name, count: Int(PENSTOCK_TLS_TICKET_NAME)))
        guard let (key, isNewest) = own.tickets.key(named: wanted) else { return 0 }
        guard unsafe penstock_tls_open_ticket(key, iv, cipher, mac) == 1 else { return -1 }
        // In TLS 1.3 clients should use a ticket once (RFC 8446 section C.4), so each gets another.
        let isUsedUp = unsafe session.map { unsafe SSL_version($0) == TLS1_3_VERSION } ?? false
        return isNewest && !isUsedUp ? 1 : 2
    }
}
