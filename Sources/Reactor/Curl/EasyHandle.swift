// One of libcurl's easy handles, as an object that cleans it up, and what all of them are told.

internal import CShims
internal import Glibc

/// An easy handle, owned.
@safe package final class EasyHandle {
    /// Made in `make`, cleaned up in `deinit`; valid as long as this object lives.
    let pointer: UnsafeMutableRawPointer
    /// Where to connect to, which libcurl does not copy: freed when it is replaced, and after the handle.
    private var connectsTo: UnsafeMutablePointer<curl_slist>?

    private init(owning pointer: UnsafeMutableRawPointer) { unsafe self.pointer = pointer }

    deinit {
        unsafe curl_easy_cleanup(pointer)
        unsafe curl_slist_free_all(connectsTo)
    }

    /// A new handle, or nil when memory is short.
    static func make() -> EasyHandle? {
        guard let pointer = unsafe curl_easy_init() else { return nil }
        return unsafe EasyHandle(owning: pointer)
    }

    /// Forgets all options, so that the handle can serve another time.
    func reset() { unsafe curl_easy_reset(pointer) }

    /// The handle's identity, as libcurl names it in its messages.
    var key: Int { unsafe Int(bitPattern: pointer) }

    /// Tells libcurl where the peer is and whom to trust there.
    ///
    /// The caller keeps `target`, and with it the credentials, for as long as the handle may shake hands.
    func configure(for target: DialTarget) {
        // libcurl copies strings.
        unsafe penstock_curl_set_string(pointer, CURLOPT_URL, target.url)
        unsafe penstock_curl_set_long(pointer, CURLOPT_NOSIGNAL, 1)
        // Giving up would otherwise wait, with the whole loop, for the thread that looks the name up.
        unsafe penstock_curl_set_long(pointer, CURLOPT_QUICK_EXIT, 1)
        // A name that has moved is to be found soon, and at once after its former address has refused.
        unsafe penstock_curl_set_long(pointer, CURLOPT_DNS_CACHE_TIMEOUT, 5)
        // A proxy named in the environment would quietly change where requests go.
        unsafe penstock_curl_set_string(pointer, CURLOPT_PROXY, "")
        unsafe penstock_curl_set_long(pointer, CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1)
        if let path = target.socketPath {
            unsafe penstock_curl_set_string(pointer, CURLOPT_UNIX_SOCKET_PATH, path)
        }
        connect(to: target.connectsTo)
        if target.isSecure { secure(for: target) }
    }

    /// Has libcurl connect to an address that was found for the URL's name, which the handshake still goes by.
    private func connect(to place: String?) {
        let former = unsafe connectsTo
        unsafe connectsTo = place.flatMap { unsafe curl_slist_append(nil, $0) }
        unsafe penstock_curl_set_pointer(pointer, CURLOPT_CONNECT_TO, connectsTo)
        unsafe curl_slist_free_all(former)
    }

    /// Has the handshake use the target's credentials, and no file: they were read before, and this thread
    /// may have clients.
    private func secure(for target: DialTarget) {
        unsafe penstock_curl_set_long(pointer, CURLOPT_SSL_VERIFYPEER, target.verifies ? 1 : 0)
        unsafe penstock_curl_set_long(pointer, CURLOPT_SSL_VERIFYHOST, target.verifies ? 2 : 0)
        // A resumed session is not verified again: it would outlive the authorities that vouched for it.
        unsafe penstock_curl_set_long(pointer, CURLOPT_SSL_SESSIONID_CACHE, 0)
        // libcurl would go on with the first authorities that it saw.
        unsafe penstock_curl_set_long(pointer, CURLOPT_CA_CACHE_TIMEOUT, 0)
        unsafe penstock_curl_set_string(pointer, CURLOPT_CAINFO, nil)
        unsafe penstock_curl_set_string(pointer, CURLOPT_CAPATH, nil)
        guard let credentials = target.credentials else { return }
        let context = unsafe Unmanaged.passUnretained(credentials).toOpaque()
        unsafe penstock_curl_set_tls_context(
            pointer,
            { _, session, context in
                guard let session = unsafe session, let context = unsafe context else {
                    return CURLE_BAD_FUNCTION_ARGUMENT
                }
                let credentials = unsafe Unmanaged<TLSCredentials>.fromOpaque(context)
                    .takeUnretainedValue()
                let isUsed = unsafe credentials.apply(to: OpaquePointer(session))
                return isUsed ? CURLE_OK : CURLE_OUT_OF_MEMORY
            }, context)
    }

    /// Opens the sockets of `user` ourselves: libcurl does not tell that descriptors ran out, and what is our
    /// own shortage must not be held against the backend.
    func watchForExhaustion(_ user: CurlUser) {
        // The multi handle keeps the user as long as its easy handle may open sockets.
        let context = unsafe Unmanaged.passUnretained(user).toOpaque()
        unsafe penstock_curl_set_pointer(pointer, CURLOPT_OPENSOCKETDATA, context)
        unsafe penstock_curl_set_open(pointer) { context, _, address in
            guard let context = unsafe context, let address = unsafe address else { return -1 }
            let socket = unsafe penstock_open_socket(address)
            if socket < 0 && (errno == EMFILE || errno == ENFILE) {
                unsafe Unmanaged<CurlUser>.fromOpaque(context).takeUnretainedValue()
                    .isOutOfDescriptors = true
            }
            return socket
        }
    }

    /// Why the connection of `user` failed, which ended with `code`; `isSecure` says whether a handshake belongs
    /// to it.
    func dialFailure(_ code: CURLcode, of user: CurlUser, isSecure: Bool) -> DialFailure.Cause {
        if user.isOutOfDescriptors { return .exhausted }
        var systemError = 0
        unsafe penstock_curl_get_long(pointer, CURLINFO_OS_ERRNO, &systemError)
        let cause = DialFailure.Cause(code, systemError: Int32(truncatingIfNeeded: systemError))
        guard cause == .timeout else { return cause }
        // Microseconds until the address was there, 0 while it is not.
        var nameFound: curl_off_t = 0
        unsafe penstock_curl_get_offset(pointer, CURLINFO_NAMELOOKUP_TIME_T, &nameFound)
        if nameFound == 0 { return .nameTimeout }
        return isSecure && user.isConnected ? .handshakeTimeout : .timeout
    }
}
