// Ordinary requests by libcurl, in a reactor's loop: for what the gateway itself wants to know of a server, on a
// thread that serves no client.
//
// Each has a connection of its own: a check is to find out whether one can be made, and libcurl would take a
// connection from before a reload for as good as one with the new certificates.

internal import CShims

/// Asks servers, in one reactor.
@safe package final class Fetcher {
    private let multi: CurlMulti
    /// Those under way, by their handles' keys: they keep what libcurl calls back.
    private var fetches: [Int: Fetch] = [:]
    private let takesHead: (_ head: [UInt8], _ method: String) -> Bool

    /// Connections at once; requests beyond wait for one, and their time runs.
    package static let mostConnections = 64
    /// Requests at once, with those that wait.
    package static let mostRequests = 4096

    /// Asks on `reactor`'s thread.
    ///
    /// libcurl takes much for a response. `takesHead` is shown what came before the body, to a request with that
    /// method: the heads of interim responses, the final one and, behind it, a trailer section. Where it says
    /// no, the fetch fails as `notHTTP`.
    package init(
        reactor: Reactor, takesHead: @escaping (_ head: [UInt8], _ method: String) -> Bool
    ) {
        self.takesHead = takesHead
        multi = CurlMulti(reactor: reactor)
        multi.limitConnections(to: Fetcher.mostConnections)
    }

    /// Requests under way.
    package var requestCount: Int { fetches.count }

    /// Begins to ask; `completion` is called once, from a later turn of the loop, unless the fetch is
    /// cancelled.
    ///
    /// `receiving` gets the body of a response with a status of 200 to 299 as it comes, however long it is, in
    /// place of the response; where it says no, the fetch fails as `cutShort`. It may begin and cancel nothing.
    /// nil when memory is short or `mostRequests` are under way.
    package func begin(
        _ request: FetchRequest, receiving: ((_ bytes: [UInt8]) -> Bool)? = nil,
        completion: @escaping (Result<FetchResponse, FetchFailure>) -> Void
    ) -> Fetch? {
        guard fetches.count < Fetcher.mostRequests, let easy = EasyHandle.make() else { return nil }
        let fetch = Fetch(request, easy, receiving) { [unowned self] fetch, result in
            end(fetch)
            completion(judged(result, fetch))
        }
        fetches[easy.key] = fetch
        guard fetch.configure(), multi.add(easy, of: fetch) else {
            fetches[easy.key] = nil
            return nil
        }
        return fetch
    }

    /// Gives a fetch up; its completion is not called.
    ///
    /// One that has ended is left alone.
    package func cancel(_ fetch: Fetch) {
        if fetches[fetch.easy.key] === fetch { end(fetch) }
    }

    private func judged(
        _ result: Result<FetchResponse, FetchFailure>, _ fetch: Fetch
    ) -> Result<FetchResponse, FetchFailure> {
        guard case .success = result, !takesHead(fetch.head, fetch.request.method) else {
            return result
        }
        return .failure(.notHTTP)
    }

    private func end(_ fetch: Fetch) {
        multi.remove(fetch.easy)
        fetches[fetch.easy.key] = nil
    }
}

/// One ordinary request under way; keep it to be able to cancel.
@safe package final class Fetch: CurlUser {
    fileprivate let easy: EasyHandle
    fileprivate let request: FetchRequest
    private let receiving: ((_ bytes: [UInt8]) -> Bool)?
    private let ended: (Fetch, Result<FetchResponse, FetchFailure>) -> Void
    /// Field lines as libcurl wants them, freed in `deinit`.
    private var fields: UnsafeMutablePointer<curl_slist>?
    /// What came before the body, and behind it, as it came.
    fileprivate private(set) var head: [UInt8] = []
    private var body: [UInt8] = []
    private var isTooLarge = false

    fileprivate init(
        _ request: FetchRequest, _ easy: EasyHandle, _ receiving: ((_ bytes: [UInt8]) -> Bool)?,
        ended: @escaping (Fetch, Result<FetchResponse, FetchFailure>) -> Void
    ) {
        self.request = request
        self.easy = easy
        self.receiving = receiving
        self.ended = ended
    }

    /// Bytes of all heads of one response; what comes behind them is not kept, and so not taken for one.
    private static let mostHeadBytes = 256 << 10

    deinit { unsafe curl_slist_free_all(fields) }

    /// Tells libcurl all of it; false when memory is short.
    fileprivate func configure() -> Bool {
        let pointer = unsafe easy.pointer
        easy.configure(for: request.target)
        easy.watchForExhaustion(self)
        let path = request.path.drop { $0 == "/" }
        unsafe penstock_curl_set_string(pointer, CURLOPT_URL, request.target.url + path)
        unsafe penstock_curl_set_long(pointer, CURLOPT_PATH_AS_IS, 1)
        unsafe penstock_curl_set_string(pointer, CURLOPT_PROTOCOLS_STR, "http,https")
        unsafe penstock_curl_set_string(pointer, CURLOPT_USERAGENT, "penstock")
        unsafe penstock_curl_set_long(pointer, CURLOPT_TIMEOUT_MS, request.timeoutMilliseconds)
        if let milliseconds = request.connectTimeoutMilliseconds {
            unsafe penstock_curl_set_long(pointer, CURLOPT_CONNECTTIMEOUT_MS, milliseconds)
        }
        if receiving != nil {
            // Much may be silent for long: whether the peer is still there the kernel finds out in two minutes.
            unsafe penstock_curl_set_long(pointer, CURLOPT_TCP_KEEPALIVE, 1)
            unsafe penstock_curl_set_long(pointer, CURLOPT_TCP_KEEPIDLE, 30)
            unsafe penstock_curl_set_long(pointer, CURLOPT_TCP_KEEPINTVL, 10)
        }
        unsafe penstock_curl_set_long(pointer, CURLOPT_FRESH_CONNECT, 1)
        unsafe penstock_curl_set_long(pointer, CURLOPT_FORBID_REUSE, 1)
        if request.method == "HEAD" {
            unsafe penstock_curl_set_long(pointer, CURLOPT_NOBODY, 1)
        } else {
            unsafe penstock_curl_set_string(pointer, CURLOPT_CUSTOMREQUEST, request.method)
        }
        guard setFields() else { return false }
        setBodies()
        keepHead()
        return true
    }

    private func setFields() -> Bool {
        // libcurl would have the server say that it may go on, and wait a second for it.
        let lines = request.body == nil ? request.fields : request.fields + ["Expect:"]
        for line in lines {
            guard let longer = unsafe curl_slist_append(fields, line) else { return false }
            unsafe fields = longer
        }
        // The list lives as long as this object, which the fetcher keeps until the handle is taken out.
        unsafe penstock_curl_set_pointer(easy.pointer, CURLOPT_HTTPHEADER, fields)
        return true
    }

    private func setBodies() {
        let pointer = unsafe easy.pointer
        if let body = request.body {
            unsafe body.withUnsafeBytes { bytes in
                // The size first: libcurl copies so many bytes.
                unsafe penstock_curl_set_long(pointer, CURLOPT_POSTFIELDSIZE, bytes.count)
                unsafe penstock_curl_set_pointer(
                    pointer, CURLOPT_COPYPOSTFIELDS,
                    UnsafeMutableRawPointer(mutating: bytes.baseAddress))
            }
        }
        // The fetcher keeps this object until the handle is taken out.
        let context = unsafe Unmanaged.passUnretained(self).toOpaque()
        unsafe penstock_curl_set_pointer(pointer, CURLOPT_WRITEDATA, context)
        unsafe penstock_curl_set_write(pointer) { bytes, _, count, context in
            guard let context = unsafe context, let bytes = unsafe bytes else { return 0 }
            // libcurl gives `count` bytes of 1 each.
            let piece = unsafe UnsafeRawBufferPointer(start: bytes, count: count)
            return unsafe Unmanaged<Fetch>.fromOpaque(context).takeUnretainedValue().take(piece)
        }
    }

    private func keepHead() {
        let pointer = unsafe easy.pointer
        // The fetcher keeps this object until the handle is taken out.
        let context = unsafe Unmanaged.passUnretained(self).toOpaque()
        unsafe penstock_curl_set_pointer(pointer, CURLOPT_HEADERDATA, context)
        unsafe penstock_curl_set_header(pointer) { bytes, _, count, context in
            guard let context = unsafe context, let bytes = unsafe bytes else { return 0 }
            // libcurl gives `count` bytes of 1 each: one line with its end.
            let line = unsafe UnsafeRawBufferPointer(start: bytes, count: count)
            unsafe Unmanaged<Fetch>.fromOpaque(context).takeUnretainedValue().keep(line)
            return count
        }
    }

    private func keep(_ line: UnsafeRawBufferPointer) {
        if head.count + line.count <= Fetch.mostHeadBytes { unsafe head.append(contentsOf: line) }
    }

    /// Bytes of the body; answers how many were taken, and libcurl ends where it is not all.
    private func take(_ piece: UnsafeRawBufferPointer) -> Int {
        if let receiving, (200..<300).contains(status) {
            return receiving(unsafe Array(piece)) ? piece.count : 0
        }
        guard body.count + piece.count <= request.mostBytes else {
            isTooLarge = true
            return 0
        }
        unsafe body.append(contentsOf: piece)
        return piece.count
    }

    override func done(_ code: CURLcode) {
        guard code == CURLE_OK else {
            ended(self, .failure(failure(code)))
            return
        }
        var response = FetchResponse(status: status, body: body, head: head)
        response.retryAfterSeconds = retryAfterSeconds
        ended(self, .success(response))
    }

    /// The response's status; 0 before it is known.
    private var status: Int {
        var status = 0
        unsafe penstock_curl_get_long(easy.pointer, CURLINFO_RESPONSE_CODE, &status)
        return status
    }

    private var retryAfterSeconds: Int {
        var seconds: curl_off_t = 0
        unsafe penstock_curl_get_offset(easy.pointer, CURLINFO_RETRY_AFTER, &seconds)
        return max(0, seconds)
    }

    private func failure(_ code: CURLcode) -> FetchFailure {
        if isTooLarge { return .tooLarge }
        // Microseconds until the connection stood, with its handshake; 0 while it does not.
        var connected: curl_off_t = 0
        let time = request.target.isSecure ? CURLINFO_APPCONNECT_TIME_T : CURLINFO_CONNECT_TIME_T
        unsafe penstock_curl_get_offset(easy.pointer, time, &connected)
        switch code {
        case CURLE_OUT_OF_MEMORY: return .exhausted
        case CURLE_UNSUPPORTED_PROTOCOL, CURLE_WEIRD_SERVER_REPLY, CURLE_BAD_CONTENT_ENCODING:
            return .notHTTP
        case _ where connected == 0:
            return .connect(
                easy.dialFailure(code, of: self, isSecure: request.target.isSecure))
        case CURLE_OPERATION_TIMEDOUT: return .timeout
        default: return .cutShort
        }
    }
}
