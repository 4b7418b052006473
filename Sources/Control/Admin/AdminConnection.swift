// A connection to the admin listener: requests are answered one after the other, each with a page. It
// reads short bodies of PUT: another request that has one gets its response, and the connection ends.
//
// A watcher's gets an event each second instead of an end. Who has not taken one gets no further one until it has, and
// then with what it missed: what waits for it is never more than one event.

internal import Admission
internal import Bytes
internal import Gateway
internal import HTTP1
internal import Policy
internal import Reactor
internal import Telemetry

/// One accepted connection.
final class AdminConnection: StreamConnection {
    private enum State {
        /// Between requests, or within a head.
        case reading
        /// Within a body.
        case readingBody
        /// The page waits for what the shards have counted.
        case waiting
        /// The response is being sent; another request may follow or not.
        case sending(keeps: Bool)
        /// An event is sent each second, and what arrives is thrown away.
        case watching
        /// Our side is closed; what still arrives is thrown away, so that the response can be read.
        case lingering
    }

    /// It stays until the connection has ended, also when the policy has another address.
    private let listener: AdminListener
    private let pages: AdminPages
    private var parser: RequestParser
    private var state = State.reading
    /// When the present state began, or a byte last left.
    private var stateSince: Instant
    private var isHeadBegun = false
    private var body: [UInt8] = []
    private var isAdvancing = false
    /// Up to which second a watcher has the history's rows.
    private(set) var watchedSecond: Int64 = 0
    /// Bytes that a watcher has taken, when that was last looked at.
    private var takenBytes = 0

    private static let highBytes = 128 * 1024
    private static let mostBodyBytes = 4096
    /// How long, and for how many bytes, a closed client's input is still read.
    private static let lingerNanoseconds: Int64 = 2_000_000_000
    private static let lingerBytes = 1 << 20

    init(_ listener: AdminListener, transport: consuming Transport) {
        self.listener = listener
        pages = AdminPages(gateway: listener.gateway, dashboard: listener.dashboard)
        parser = RequestParser(limits: listener.limits.head)
        stateSince = listener.gateway.reactor.now
        super.init(reactor: listener.gateway.reactor)
        open(transport)
    }

    /// Whether nothing is being read or answered.
    var isResting: Bool {
        if case .reading = state { !isHeadBegun && !hasInput && !hasOutput } else { false }
    }

    /// Since when.
    var restingSince: Instant { stateSince }

    override func ready(_ readiness: Readiness) {
        if note(readiness) { advance() }
    }

    override func resume() { advance() }

    /// Does what can be done, and arranges the next time-out.
    func advance() {
        guard !isAdvancing else { return }
        isAdvancing = true
        while isOpen, step() {}
        isAdvancing = false
        guard isOpen else { return }
        releaseBuffers()
        reactor.setDeadline(of: self, to: deadline)
    }

    /// One round.
    ///
    /// Returns whether anything moved.
    private func step() -> Bool {
        if isBroken {
            end()
            return false
        }
        switch state {
        case .reading: return readHead()
        case .readingBody: return readBody()
        case .waiting: return false
        case .sending(let keeps): return send(keeps: keeps)
        case .watching: return watch()
        case .lingering: return throwAwayInput()
        }
    }

    private func change(to next: State) {
        state = next
        stateSince = reactor.now
    }

    // MARK: Requests

    private func readHead() -> Bool {
        if !hasInput, fill(highBytes: AdminConnection.highBytes) == 0 {
            if inputEnded { end() }
            return false
        }
        if !isHeadBegun {
            isHeadBegun = true
            stateSince = reactor.now
        }
        do throws(ParseError) {
            let event = try parser.next(in: input)
            switch event {
            case .needMoreData(let consumed):
                input.drop(consumed)
                if fill(highBytes: AdminConnection.highBytes) > 0 { return true }
                if inputEnded { end() }
                return false
            case .head(let consumed):
                input.drop(consumed)
                isHeadBegun = false
                let takesBody = listener.control == nil ? Method.put : .post
                if parser.head.method == takesBody, parser.head.hasBody {
                    body.removeAll()
                    change(to: .readingBody)
                } else {
                    answer(AdminRequest(parser.head), keeps: !parser.head.hasBody)
                }
                return true
            case .body, .end:
                preconditionFailure("a body before its head")
            }
        } catch {
            isHeadBegun = false
            reply(AdminPage(status: error.status, "\(error.message)\n"), keeps: false)
            return true
        }
    }

    private func readBody() -> Bool {
        do throws(ParseError) {
            switch try parser.next(in: input) {
            case .needMoreData(let consumed):
                input.drop(consumed)
                if fill(highBytes: AdminConnection.highBytes) > 0 { return true }
                if inputEnded { end() }
                return false
            case .body(let consumed, let content):
                guard body.count + content.count <= AdminConnection.mostBodyBytes else {
                    let most = AdminConnection.mostBodyBytes
                    reply(
                        AdminPage(status: 413, "a body has at most \(most) bytes\n"), keeps: false)
                    return true
                }
                keep(content, of: input)
                input.drop(consumed)
                return true
            case .end(let consumed):
                input.drop(consumed)
                answer(AdminRequest(parser.head), keeps: true)
                return true
            case .head: preconditionFailure("a head in a body")
            }
        } catch {
            reply(AdminPage(status: error.status, "\(error.message)\n"), keeps: false)
            return true
        }
    }

    private func keep(_ content: Range<Int>, of source: borrowing ByteBuffer) {
        let bytes = source.bytes
        for index in content { body.append(bytes[index]) }
    }

    private func answer(_ request: AdminRequest, keeps: Bool) {
        change(to: .waiting)
        let answered = { [weak self] (page: consuming AdminPage) in
            guard let self, isOpen else { return }
            body.removeAll()
            reply(page, to: request, keeps: request.head.keepAlive && keeps)
            advance()
        }
        guard let control = listener.control else {
            return pages.make(for: request, body, answered)
        }
        guard let author = peerCredentials else { return end() }
        control.make(for: request.head, body, by: author, answered)
    }

    private func reply(_ page: consuming AdminPage, to request: AdminRequest? = nil, keeps: Bool) {
        var page = page
        var keeps = keeps
        if page.watchedSecond != nil {
            keeps = false
            if !listener.dashboard.join(self) { page = AdminPages.tooManyWatchers }
        }
        prepareOutput()
        page.append(to: &output, answering: request, keeps: keeps)
        parser.reset()
        if let second = page.watchedSecond {
            watchedSecond = second
            change(to: .watching)
        } else {
            change(to: .sending(keeps: keeps))
        }
    }

    // MARK: Ends

    private func send(keeps: Bool) -> Bool {
        if flush() > 0 { stateSince = reactor.now }
        guard !hasOutput else { return false }
        if keeps {
            change(to: .reading)
        } else {
            shutdownWriting()
            change(to: .lingering)
        }
        return true
    }

    // MARK: Watching

    /// Whether it is a watcher's.
    var isWatching: Bool { if case .watching = state { true } else { false } }

    /// Whether it is a watcher's that has taken all that it was sent.
    var isReadyForEvent: Bool { isWatching && isOpen && !hasOutput }

    /// Sends a watcher an event, with which it has the history's rows up to `second`.
    func send(event: Span<UInt8>, upTo second: Int64) {
        prepareOutput()
        output.append(event)
        watchedSecond = second
        advance()
    }

    private func watch() -> Bool {
        _ = flush()
        let count = fill(highBytes: AdminConnection.highBytes)
        input.removeAll()
        // Who closes its side has gone: nobody else would end this.
        if inputEnded || isBroken { end() }
        return isOpen && count > 0
    }

    /// Ends the connection of a watcher that has taken nothing of what it was sent for too long.
    ///
    /// The kernel takes megabytes for it, so that is asked what is left.
    func endIfStalled() {
        guard isWatching else { return }
        let unsent = unsentBytes() ?? 0
        let taken = sentBytes - unsent
        if taken != takenBytes || unsent == 0 && !hasOutput {
            takenBytes = taken
            stateSince = reactor.now
        } else if reactor.now.nanoseconds(since: stateSince)
            >= listener.limits.writeStallNanoseconds
        {
            end()
        }
    }

    // MARK: The end

    private func throwAwayInput() -> Bool {
        let count = fill(highBytes: AdminConnection.highBytes)
        input.removeAll()
        if inputEnded || isBroken || receivedBytes > AdminConnection.lingerBytes {
            end()
            return false
        }
        return count > 0
    }

    /// Closes the connection.
    func end() {
        guard isOpen else { return }
        close()
        listener.forget(self)
        if isWatching { listener.dashboard.leave(self) }
    }

    // MARK: Time

    private var deadline: Instant {
        let limits = listener.limits
        let most: Int64? =
            switch state {
            case .reading where isHeadBegun, .readingBody: limits.headNanoseconds
            case .reading: limits.keepAliveNanoseconds
            // Pages have a time-out of their own.
            case .waiting: nil
            // Whether an event is taken is looked at with the next one.
            case .watching: nil
            case .sending: limits.writeStallNanoseconds
            case .lingering: AdminConnection.lingerNanoseconds
            }
        return most.map { stateSince.advanced(byNanoseconds: $0) } ?? .distantFuture
    }

    override func deadlineReached() {
        guard reactor.now >= deadline else { return advance() }
        let isAwaited =
            switch state {
            case .reading: isHeadBegun
            case .readingBody: true
            default: false
            }
        if isAwaited {
            reply(AdminPage(status: 408, "the request did not arrive in time\n"), keeps: false)
            advance()
        } else {
            end()
        }
    }
}
