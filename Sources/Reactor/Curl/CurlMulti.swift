// libcurl's multi handle, driven by a reactor through its socket and timer callbacks.
//
// No function of libcurl that can call back is called from inside a callback: callbacks only set
// watches and deadlines.

internal import Admission
internal import CShims

/// What an easy handle in a multi handle belongs to: a class, so that a call costs one jump.
package class CurlUser {
    /// Whether its connection stands, and a handshake or the request has begun.
    private(set) final var isConnected = false
    /// Whether the process had no descriptor left for one of its sockets.
    final var isOutOfDescriptors = false

    /// libcurl waits for the peer's bytes now.
    ///
    /// A connection that is made is waited for to be writable.
    final func awaitsBytes() { isConnected = true }

    /// libcurl has done what the handle asked for; the handle is still in the multi handle.
    func done(_ code: CURLcode) {}
}

/// A multi handle in one reactor.
@safe final class CurlMulti {
    private let reactor: Reactor
    /// Made in `init`, cleaned up in `deinit`, used on the reactor's thread only.
    private let pointer: UnsafeMutableRawPointer
    private var timer: CurlTimer?
    private var watches: [Int32: CurlSocket] = [:]
    /// By the easy handle's key.
    private var users: [Int: CurlUser] = [:]

    /// Makes a multi handle for `reactor`.
    init(reactor: Reactor) {
        self.reactor = reactor
        curl_global_init(Int(CURL_GLOBAL_DEFAULT))
        guard let pointer = unsafe curl_multi_init() else {
            preconditionFailure("libcurl is out of memory")
        }
        unsafe self.pointer = pointer
        let timer = CurlTimer(self)
        self.timer = timer
        reactor.register(timer)
        // The callbacks get an unretained pointer to this object, which outlives the multi handle.
        let context = unsafe Unmanaged.passUnretained(self).toOpaque()
        unsafe penstock_curl_multi_set_pointer(pointer, CURLMOPT_SOCKETDATA, context)
        unsafe penstock_curl_multi_set_pointer(pointer, CURLMOPT_TIMERDATA, context)
        unsafe penstock_curl_multi_set_socket_callback(pointer) {
            easy, socket, action, context, _ in
            guard let context = unsafe context else { return 0 }
            unsafe Unmanaged<CurlMulti>.fromOpaque(context).takeUnretainedValue()
                .watch(socket, of: Int(bitPattern: easy), action: action)
            return 0
        }
        unsafe penstock_curl_multi_set_timer_callback(pointer) { _, milliseconds, context in
            guard let context = unsafe context else { return 0 }
            unsafe Unmanaged<CurlMulti>.fromOpaque(context).takeUnretainedValue()
                .setTimer(milliseconds: milliseconds)
            return 0
        }
    }

    deinit {
        // The objects that libcurl's last callbacks would reach are going: it is silenced first.
        unsafe penstock_curl_multi_set_socket_callback(pointer, nil)
        unsafe penstock_curl_multi_set_timer_callback(pointer, nil)
        for key in users.keys { unsafe curl_multi_remove_handle(pointer, .init(bitPattern: key)) }
        for (socket, watch) in watches { reactor.deregister(watch, keepingOpen: socket) }
        if let timer { reactor.deregister(timer) }
        unsafe curl_multi_cleanup(pointer)
    }

    /// Connections that all handles together may have at once; those that ask for more wait.
    func limitConnections(to count: Int) {
        unsafe penstock_curl_multi_set_long(pointer, CURLMOPT_MAX_TOTAL_CONNECTIONS, count)
    }

    /// Has libcurl do what `easy` asks for, and tell `user`, which keeps the handle alive; false when
    /// memory is short.
    func add(_ easy: EasyHandle, of user: CurlUser) -> Bool {
        users[easy.key] = user
        if unsafe curl_multi_add_handle(pointer, easy.pointer) == CURLM_OK { return true }
        users[easy.key] = nil
        return false
    }

    /// Takes a handle out, done or not.
    func remove(_ easy: EasyHandle) {
        users[easy.key] = nil
        unsafe curl_multi_remove_handle(pointer, easy.pointer)
    }

    /// Watches a socket no more; it stays open, and its handle where it is.
    func unwatch(_ socket: Int32) {
        if let watch = watches.removeValue(forKey: socket) {
            reactor.deregister(watch, keepingOpen: socket)
        }
    }

    // MARK: Called back by libcurl

    private func watch(_ socket: Int32, of key: Int, action: Int32) {
        guard action != CURL_POLL_REMOVE else {
            unwatch(socket)
            return
        }
        if action & CURL_POLL_IN != 0 { users[key]?.awaitsBytes() }
        var interest: Readiness = []
        if action & CURL_POLL_IN != 0 { interest.insert(.readable) }
        if action & CURL_POLL_OUT != 0 { interest.insert(.writable) }
        if let watch = watches[socket] {
            reactor.watch(watch, descriptor: socket, interest: interest)
        } else {
            let watch = CurlSocket(self, socket)
            if reactor.register(watch, descriptor: socket, interest: interest) {
                watches[socket] = watch
            }
        }
    }

    private func setTimer(milliseconds: Int) {
        guard let timer else { return }
        let at =
            milliseconds < 0
            ? Instant.distantFuture
            : MonotonicClock.now.advanced(byNanoseconds: Int64(milliseconds) * 1_000_000)
        reactor.setDeadline(of: timer, to: at)
    }

    // MARK: Driven by the reactor

    fileprivate func drive(socket: Int32, _ readiness: Readiness) {
        var action: Int32 = 0
        if readiness.contains(.readable) { action |= CURL_CSELECT_IN }
        if readiness.contains(.writable) { action |= CURL_CSELECT_OUT }
        if !readiness.isDisjoint(with: [.failed, .hungUp]) { action |= CURL_CSELECT_ERR }
        var running: Int32 = 0
        unsafe curl_multi_socket_action(pointer, socket, action, &running)
        tellOfDone()
    }

    fileprivate func driveTimer() {
        var running: Int32 = 0
        // CURL_SOCKET_TIMEOUT is a macro for -1.
        unsafe curl_multi_socket_action(pointer, -1, 0, &running)
        tellOfDone()
    }

    private func tellOfDone() {
        while true {
            var easy: UnsafeMutableRawPointer?
            var code = CURLE_OK
            guard unsafe penstock_curl_next_done(pointer, &easy, &code) == 1 else { return }
            users.removeValue(forKey: Int(bitPattern: easy))?.done(code)
        }
    }
}

/// The deadline that libcurl asked for.
private final class CurlTimer: EventHandler {
    private unowned let multi: CurlMulti

    init(_ multi: CurlMulti) { self.multi = multi }

    override func deadlineReached() { multi.driveTimer() }
}

/// A socket that libcurl wants watched.
private final class CurlSocket: EventHandler {
    private unowned let multi: CurlMulti
    private let socket: Int32

    init(_ multi: CurlMulti, _ socket: Int32) {
        self.multi = multi
        self.socket = socket
    }

    override func ready(_ readiness: Readiness) { multi.drive(socket: socket, readiness) }
}
