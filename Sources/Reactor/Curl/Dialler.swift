// libcurl as the dialler: names, both address families at once, unix sockets, TLS with
// verification. A multi handle runs in the reactor's own loop, through its socket and timer
// callbacks.
//
// A plain connection is taken out of libcurl as soon as it stands: while the easy handle is
// removed, libcurl asks to close the socket, and for that one socket the callback does not. From
// then on the socket is an ordinary descriptor of the gateway's and costs nothing in libcurl. A TLS
// connection stays, as a `TLSSession`.
//
// No function of libcurl that can call back is called from inside a callback: callbacks only set
// watches and deadlines.

package import Admission
internal import CShims
internal import Glibc
internal import Policy

/// Opens connections to backends with libcurl, in one reactor.
@safe package final class Dialler {
    private let reactor: Reactor
    /// Made in `init`, cleaned up in `deinit`, used on the reactor's thread only.
    private let multi: UnsafeMutableRawPointer
    private var timer: DialTimer?
    private var watches: [Int32: DialSocket] = [:]
    /// By the easy handle's key.
    private var dials: [Int: Dial] = [:]
    private var spareHandles: [EasyHandle] = []
    /// Dials that wait in their lines.
    private var waitingCount = 0
    /// The socket that libcurl is just giving up to us, -1 for none.
    private var keptSocket: Int32 = -1

    /// Whether dials only wait until `finishHeld` ends them: for tests without a network.
    package var holdsDials = false
    private var held: [Dial] = []

    /// Easy handles kept for the next dials.
    private static let spareHandlesKept = 16

    /// Makes a dialler for `reactor`, which must outlive it.
    package init(reactor: Reactor) {
        self.reactor = reactor
        curl_global_init(Int(CURL_GLOBAL_DEFAULT))
        guard let multi = unsafe curl_multi_init() else {
            preconditionFailure("libcurl is out of memory")
        }
        unsafe self.multi = multi
        let timer = DialTimer(self)
        self.timer = timer
        reactor.register(timer)
        // The callbacks get an unretained pointer to this object, which outlives the multi handle.
        let context = unsafe Unmanaged.passUnretained(self).toOpaque()
        unsafe penstock_curl_multi_set_pointer(multi, CURLMOPT_SOCKETDATA, context)
        unsafe penstock_curl_multi_set_pointer(multi, CURLMOPT_TIMERDATA, context)
        unsafe penstock_curl_multi_set_socket_callback(multi) { easy, socket, action, context, _ in
            guard let context = unsafe context else { return 0 }
            unsafe Unmanaged<Dialler>.fromOpaque(context).takeUnretainedValue()
                .watch(socket, of: Int(bitPattern: easy), action: action)
            return 0
        }
        unsafe penstock_curl_multi_set_timer_callback(multi) { _, milliseconds, context in
            guard let context = unsafe context else { return 0 }
            unsafe Unmanaged<Dialler>.fromOpaque(context).takeUnretainedValue()
                .setTimer(milliseconds: milliseconds)
            return 0
        }
    }

    deinit {
        // The objects that libcurl's last callbacks would reach are going: it is silenced first.
        unsafe penstock_curl_multi_set_socket_callback(multi, nil)
        unsafe penstock_curl_multi_set_timer_callback(multi, nil)
        for dial in dials.values {
            if let easy = dial.easy { unsafe curl_multi_remove_handle(multi, easy.pointer) }
        }
        unsafe curl_multi_cleanup(multi)
    }

    /// Dials under way, and those that wait to be.
    package var dialCount: Int { dials.count + waitingCount }

    /// Starts connecting, or waits for its turn in `line`, the line of its target; `completion` is
    /// called once, from a later turn of the loop, unless the dial is cancelled.
    ///
    /// The wait counts as a part of the time-out, which begins at `now`. nil when memory is short.
    package func dial(
        _ target: DialTarget, in line: DialLine, timeoutMilliseconds: Int, now: Instant,
        completion: @escaping (consuming DialResult) -> Void
    ) -> Dial? {
        let deadline = now.advanced(byNanoseconds: Int64(timeoutMilliseconds) * 1_000_000)
        let dial = Dial(target, line, deadline: deadline, completion: completion)
        guard line.hasRoom || holdsDials else {
            waitingCount += 1
            line.join(dial)
            return dial
        }
        return start(dial, timeoutMilliseconds: timeoutMilliseconds) ? dial : nil
    }

    /// Hands a dial to libcurl; false when memory is short.
    private func start(_ dial: Dial, timeoutMilliseconds: Int) -> Bool {
        guard let easy = spareHandles.popLast() ?? EasyHandle.make() else { return false }
        dial.easy = easy
        if holdsDials {
            held.append(dial)
        } else {
            configure(easy, dial.target, timeoutMilliseconds: max(1, timeoutMilliseconds))
            watchForExhaustion(dial, easy)
            guard unsafe curl_multi_add_handle(multi, easy.pointer) == CURLM_OK else {
                return false
            }
        }
        dial.line.started()
        dials[easy.key] = dial
        return true
    }

    /// A dial has ended: those that wait behind it start, as far as there is room and time.
    private func startNext(in line: DialLine) {
        while let dial = line.next() {
            waitingCount -= 1
            let left = dial.deadline.nanoseconds(since: reactor.now) / 1_000_000
            if left <= 0 {
                end(dial, .failed(DialFailure(.waitedInLine)))
            } else if !start(dial, timeoutMilliseconds: Int(left)) {
                end(dial, .failed(DialFailure(.exhausted)))
            }
        }
    }

    private func end(_ dial: Dial, _ result: consuming DialResult) {
        guard let completion = dial.completion else { return }
        dial.completion = nil
        completion(result)
    }

    /// Ends the oldest dial that is held; false, with the result dropped, where none is.
    package func finishHeld(_ result: consuming DialResult) -> Bool {
        while !held.isEmpty {
            let dial = held.removeFirst()
            guard dial.isWanted, let easy = dial.easy else { continue }
            dials[easy.key] = nil
            dial.line.ended()
            end(dial, result)
            return true
        }
        return false
    }

    /// Gives a dial up; its completion is not called.
    ///
    /// One that has ended is left alone.
    package func cancel(_ dial: Dial) {
        guard dial.isWanted else { return }
        dial.completion = nil
        guard let easy = dial.easy else {
            waitingCount -= 1
            dial.line.left()
            return
        }
        guard dials.removeValue(forKey: easy.key) != nil else { return }
        unsafe curl_multi_remove_handle(multi, easy.pointer)
        recycle(easy)
        dial.line.ended()
        startNext(in: dial.line)
    }

    // MARK: Setting up

    private func configure(
        _ handle: EasyHandle, _ target: DialTarget, timeoutMilliseconds: Int
    ) {
        let easy = unsafe handle.pointer
        // libcurl copies strings; `easy` is live, and `self` outlives every connection that calls
        // back.
        unsafe penstock_curl_set_string(easy, CURLOPT_URL, target.url)
        unsafe penstock_curl_set_long(easy, CURLOPT_CONNECT_ONLY, 1)
        unsafe penstock_curl_set_long(easy, CURLOPT_NOSIGNAL, 1)
        // libcurl transfers nothing, so its buffer is never used: the smallest that it takes, instead
        // of 16 KiB for each dial of a burst.
        unsafe penstock_curl_set_long(easy, CURLOPT_BUFFERSIZE, 1024)
        // Giving a dial up would otherwise wait, with the whole loop, for the thread that looks its
        // name up.
        unsafe penstock_curl_set_long(easy, CURLOPT_QUICK_EXIT, 1)
        unsafe penstock_curl_set_long(easy, CURLOPT_CONNECTTIMEOUT_MS, timeoutMilliseconds)
        // A name that has moved is to be found soon, and at once after its former address has refused.
        unsafe penstock_curl_set_long(easy, CURLOPT_DNS_CACHE_TIMEOUT, 5)
        // A proxy named in the environment would quietly change where requests go.
        unsafe penstock_curl_set_string(easy, CURLOPT_PROXY, "")
        unsafe penstock_curl_set_long(
            easy, CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1)
        let context = unsafe Unmanaged.passUnretained(self).toOpaque()
        unsafe penstock_curl_set_pointer(easy, CURLOPT_CLOSESOCKETDATA, context)
        unsafe penstock_curl_set_close(easy) { context, socket in
            if let context = unsafe context,
                unsafe Unmanaged<Dialler>.fromOpaque(context).takeUnretainedValue().keeps(socket)
            {
                return 0
            }
            return close(socket)
        }
        if let path = target.socketPath {
            unsafe penstock_curl_set_string(easy, CURLOPT_UNIX_SOCKET_PATH, path)
        }
        guard target.isSecure else { return }
        secure(handle, target)
    }

    /// Has the handshake use the target's credentials, and no file: they were read before, and this thread
    /// has clients.
    private func secure(_ handle: EasyHandle, _ target: DialTarget) {
        let easy = unsafe handle.pointer
        unsafe penstock_curl_set_long(easy, CURLOPT_SSL_VERIFYPEER, target.verifies ? 1 : 0)
        unsafe penstock_curl_set_long(easy, CURLOPT_SSL_VERIFYHOST, target.verifies ? 2 : 0)
        // A resumed session is not verified again: it would outlive the authorities that vouched for it.
        unsafe penstock_curl_set_long(easy, CURLOPT_SSL_SESSIONID_CACHE, 0)
        // libcurl would go on with the first authorities that it saw.
        unsafe penstock_curl_set_long(easy, CURLOPT_CA_CACHE_TIMEOUT, 0)
        unsafe penstock_curl_set_string(easy, CURLOPT_CAINFO, nil)
        unsafe penstock_curl_set_string(easy, CURLOPT_CAPATH, nil)
        guard let credentials = target.credentials else { return }
        // The dial has its target, and with it the credentials, for as long as its handle may shake hands.
        let context = unsafe Unmanaged.passUnretained(credentials).toOpaque()
        unsafe penstock_curl_set_tls_context(
            easy,
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

    /// Opens the dial's sockets ourselves: libcurl does not tell that descriptors ran out, and what is
    /// our own shortage must not be held against the backend.
    private func watchForExhaustion(_ dial: Dial, _ handle: EasyHandle) {
        let easy = unsafe handle.pointer
        // `dials` keeps the dial as long as its easy handle may open sockets.
        let context = unsafe Unmanaged.passUnretained(dial).toOpaque()
        unsafe penstock_curl_set_pointer(easy, CURLOPT_OPENSOCKETDATA, context)
        unsafe penstock_curl_set_open(easy) { context, _, address in
            guard let context = unsafe context, let address = unsafe address else { return -1 }
            let socket = unsafe penstock_open_socket(address)
            if socket < 0 && (errno == EMFILE || errno == ENFILE) {
                unsafe Unmanaged<Dial>.fromOpaque(context).takeUnretainedValue()
                    .isOutOfDescriptors = true
            }
            return socket
        }
    }

    private func recycle(_ easy: EasyHandle) {
        guard spareHandles.count < Dialler.spareHandlesKept else { return }
        easy.reset()
        spareHandles.append(easy)
    }

    // MARK: Called back by libcurl

    private func watch(_ socket: Int32, of key: Int, action: Int32) {
        // A connection that is made is waited for to be writable; only a handshake reads.
        if action != CURL_POLL_REMOVE, action & CURL_POLL_IN != 0 { dials[key]?.isConnected = true }
        guard action != CURL_POLL_REMOVE else {
            if let watch = watches.removeValue(forKey: socket) {
                reactor.deregister(watch, keepingOpen: socket)
            }
            return
        }
        var interest: Readiness = []
        if action & CURL_POLL_IN != 0 { interest.insert(.readable) }
        if action & CURL_POLL_OUT != 0 { interest.insert(.writable) }
        if let watch = watches[socket] {
            reactor.watch(watch, descriptor: socket, interest: interest)
        } else {
            let watch = DialSocket(self, socket)
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

    private func keeps(_ socket: Int32) -> Bool { socket == keptSocket }

    // MARK: Driven by the reactor

    fileprivate func drive(socket: Int32, _ readiness: Readiness) {
        var action: Int32 = 0
        if readiness.contains(.readable) { action |= CURL_CSELECT_IN }
        if readiness.contains(.writable) { action |= CURL_CSELECT_OUT }
        if !readiness.isDisjoint(with: [.failed, .hungUp]) { action |= CURL_CSELECT_ERR }
        var running: Int32 = 0
        unsafe curl_multi_socket_action(multi, socket, action, &running)
        finishDone()
    }

    fileprivate func driveTimer() {
        var running: Int32 = 0
        // CURL_SOCKET_TIMEOUT is a macro for -1.
        unsafe curl_multi_socket_action(multi, -1, 0, &running)
        finishDone()
    }

    private func finishDone() {
        while true {
            var easy: UnsafeMutableRawPointer?
            var code = CURLE_OK
            guard unsafe penstock_curl_next_done(multi, &easy, &code) == 1 else { return }
            let key = Int(bitPattern: easy)
            guard let dial = dials.removeValue(forKey: key), let handle = dial.easy else {
                continue
            }
            dial.line.ended()
            end(dial, result(of: dial, handle, code: code))
            startNext(in: dial.line)
        }
    }

    private func result(of dial: Dial, _ easy: EasyHandle, code: CURLcode) -> DialResult {
        var socket: Int32 = -1
        guard code == CURLE_OK, unsafe penstock_curl_get_socket(easy.pointer, &socket) == CURLE_OK,
            socket >= 0
        else {
            let cause = dial.isOutOfDescriptors ? .exhausted : cause(of: dial, easy, code: code)
            unsafe curl_multi_remove_handle(multi, easy.pointer)
            recycle(easy)
            return .failed(DialFailure(cause))
        }
        unwatch(socket)
        if dial.target.isSecure {
            return .connected(.secure(unsafe TLSSession(owning: easy, in: multi, socket: socket)))
        }
        keptSocket = socket
        unsafe curl_multi_remove_handle(multi, easy.pointer)
        keptSocket = -1
        unwatch(socket)
        recycle(easy)
        return .connected(.plain(Descriptor(owning: socket)))
    }

    private func unwatch(_ socket: Int32) {
        if let watch = watches.removeValue(forKey: socket) {
            reactor.deregister(watch, keepingOpen: socket)
        }
    }

    private func cause(
        of dial: Dial, _ easy: EasyHandle, code: CURLcode
    ) -> DialFailure.Cause {
        var systemError = 0
        unsafe penstock_curl_get_long(easy.pointer, CURLINFO_OS_ERRNO, &systemError)
        let cause = DialFailure.Cause(code, systemError: Int32(truncatingIfNeeded: systemError))
        guard cause == .timeout else { return cause }
        // Microseconds until the address was there, 0 while it is not.
        var nameFound: curl_off_t = 0
        unsafe penstock_curl_get_offset(easy.pointer, CURLINFO_NAMELOOKUP_TIME_T, &nameFound)
        if nameFound == 0 { return .nameTimeout }
        return dial.target.isSecure && dial.isConnected ? .handshakeTimeout : .timeout
    }
}

/// The deadline that libcurl asked for.
private final class DialTimer: EventHandler {
    private unowned let dialler: Dialler

    init(_ dialler: Dialler) { self.dialler = dialler }

    override func deadlineReached() { dialler.driveTimer() }
}

/// A socket that libcurl wants watched while it connects.
private final class DialSocket: EventHandler {
    private unowned let dialler: Dialler
    private let socket: Int32

    init(_ dialler: Dialler, _ socket: Int32) {
        self.dialler = dialler
        self.socket = socket
    }

    override func ready(_ readiness: Readiness) { dialler.drive(socket: socket, readiness) }
}
