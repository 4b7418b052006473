// libcurl as the dialler: names, both address families at once, unix sockets, TLS with
// verification.
//
// A plain connection is taken out of libcurl as soon as it stands: while the easy handle is
// removed, libcurl asks to close the socket, and for that one socket the callback does not. From
// then on the socket is an ordinary descriptor of the gateway's and costs nothing in libcurl. A TLS
// connection stays, as a `TLSSession`.

package import Admission
internal import CShims
internal import Glibc
internal import Policy

/// Opens connections to backends with libcurl, in one reactor.
@safe package final class Dialler {
    private let reactor: Reactor
    private let multi: CurlMulti
    /// Dials that libcurl has.
    private var runningCount = 0
    private var spareHandles: [EasyHandle] = []
    /// Dials that wait in their lines.
    private var waitingCount = 0
    /// The socket that libcurl is just giving up to us, -1 for none.
    private var keptSocket: Int32 = -1

    /// Whether dials only wait until `finishHeld` ends them: for tests, and for questions, without a network.
    package var holdsDials = false
    private var held: [Dial] = []

    /// Easy handles kept for the next dials.
    private static let spareHandlesKept = 16

    /// Makes a dialler for `reactor`, which must outlive it.
    package init(reactor: Reactor) {
        self.reactor = reactor
        multi = CurlMulti(reactor: reactor)
    }

    /// Dials under way, and those that wait to be.
    package var dialCount: Int { runningCount + waitingCount }

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
            easy.watchForExhaustion(dial)
            dial.ended = { [unowned self] dial, code in ended(dial, easy, code) }
            guard multi.add(easy, of: dial) else { return false }
        }
        dial.line.started()
        runningCount += 1
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
            guard dial.isWanted else { continue }
            runningCount -= 1
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
        runningCount -= 1
        multi.remove(easy)
        recycle(easy)
        dial.line.ended()
        startNext(in: dial.line)
    }

    // MARK: Setting up

    private func configure(
        _ handle: EasyHandle, _ target: DialTarget, timeoutMilliseconds: Int
    ) {
        let easy = unsafe handle.pointer
        handle.configure(for: target)
        unsafe penstock_curl_set_long(easy, CURLOPT_CONNECT_ONLY, 1)
        // libcurl transfers nothing, so its buffer is never used: the smallest that it takes, instead
        // of 16 KiB for each dial of a burst.
        unsafe penstock_curl_set_long(easy, CURLOPT_BUFFERSIZE, 1024)
        unsafe penstock_curl_set_long(easy, CURLOPT_CONNECTTIMEOUT_MS, timeoutMilliseconds)
        // `easy` is live, and `self` outlives every connection that calls back.
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
    }

    private func recycle(_ easy: EasyHandle) {
        guard spareHandles.count < Dialler.spareHandlesKept else { return }
        easy.reset()
        spareHandles.append(easy)
    }

    // MARK: Called back by libcurl

    private func keeps(_ socket: Int32) -> Bool { socket == keptSocket }

    private func ended(_ dial: Dial, _ easy: EasyHandle, _ code: CURLcode) {
        dial.ended = nil
        dial.easy = nil
        runningCount -= 1
        dial.line.ended()
        end(dial, result(of: dial, easy, code: code))
        startNext(in: dial.line)
    }

    private func result(of dial: Dial, _ easy: EasyHandle, code: CURLcode) -> DialResult {
        var socket: Int32 = -1
        guard code == CURLE_OK, unsafe penstock_curl_get_socket(easy.pointer, &socket) == CURLE_OK,
            socket >= 0
        else {
            let cause = easy.dialFailure(code, of: dial, isSecure: dial.target.isSecure)
            multi.remove(easy)
            recycle(easy)
            return .failed(DialFailure(cause))
        }
        multi.unwatch(socket)
        if dial.target.isSecure {
            return .connected(.secure(TLSSession(owning: easy, in: multi, socket: socket)))
        }
        keptSocket = socket
        multi.remove(easy)
        keptSocket = -1
        multi.unwatch(socket)
        recycle(easy)
        return .connected(.plain(Descriptor(owning: socket)))
    }
}
