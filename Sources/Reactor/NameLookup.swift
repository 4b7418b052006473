// One question to the DNS, asked by c-ares and without a thread: its sockets are watched by the reactor, and its
// deadline is the reactor's. libcurl looks names up for those who dial; this tells all addresses there are, and for
// how long that holds.
//
// A channel is opened for each question, so that a changed resolv.conf is heeded. It gets an unretained pointer to
// this object, which closes it, and with that ends all calls, before it goes. c-ares calls back from within calls of
// its own functions only: callbacks note what they are told, and what follows is done when c-ares has returned.

internal import Admission
internal import CShims
internal import Glibc

/// Asks for the addresses, or the servers, that a name stands for.
@safe package final class NameLookup: EventHandler {
    /// What is asked for.
    package enum Question: Sendable {
        /// IPv4 addresses (A).
        case addresses4
        /// IPv6 addresses (AAAA).
        case addresses6
        /// Servers (SRV).
        case services
    }

    /// What came of it.
    package enum Finding: Equatable, Sendable {
        /// Addresses as text, and how many seconds they hold.
        case addresses([String], seconds: UInt32)
        /// Servers.
        case services([ServiceRecord])
        /// The name is there, and has none of what was asked for.
        case none
        /// It is not known, for that reason.
        case failed(String)
    }

    private let reactor: Reactor
    private let then: (Finding) -> Void
    /// Opened in `init`, closed once, in `close`.
    private var channel: ares_channel?
    private var watches: [Int32: LookupSocket] = [:]
    private var finding: Finding?

    /// How long a server has for its answer at the first try, twice as long at each further one; in milliseconds.
    private static let timeoutMilliseconds: Int32 = 1_000
    /// How often each server is asked.
    private static let tries: Int32 = 3

    /// Asks `question` of `name`; calls `then` once, never before this returns, unless it is stopped before.
    ///
    /// `servers` are asked, addresses with or without a port; the system's where there are none. Keep the object until
    /// then, and stop it.
    package init(
        _ question: Question, of name: String, servers: [String], in reactor: Reactor,
        then: @escaping (Finding) -> Void
    ) {
        self.reactor = reactor
        self.then = then
        super.init()
        reactor.register(self)
        open(servers)
        if finding == nil { ask(question, name) }
        arrangeWakeUp()
    }

    deinit { unsafe precondition(channel == nil, "a lookup was let go without being stopped") }

    /// Asks no more; what is not told yet never will be.
    package func stop() {
        close()
        reactor.deregister(self)
    }

    private func open(_ servers: [String]) {
        let context = unsafe Unmanaged.passUnretained(self).toOpaque()
        var code = unsafe penstock_dns_open(
            &channel,
            { context, socket, readable, writable in
                guard let context = unsafe context else { return }
                unsafe Unmanaged<NameLookup>.fromOpaque(context).takeUnretainedValue()
                    .watch(socket, isReadable: readable != 0, isWritable: writable != 0)
            }, context, NameLookup.timeoutMilliseconds, NameLookup.tries)
        if code == 0, !servers.isEmpty {
            // The text is borrowed for the call.
            code = unsafe ares_set_servers_ports_csv(channel, servers.joined(separator: ","))
        }
        if code != 0 { finding = .failed(NameLookup.text(code)) }
    }

    private func ask(_ question: Question, _ name: String) {
        let context = unsafe Unmanaged.passUnretained(self).toOpaque()
        switch question {
        case .addresses4, .addresses6:
            let family = if case .addresses4 = question { AF_INET } else { AF_INET6 }
            unsafe penstock_dns_addresses(
                channel, name, family,
                { context, status, _, found in
                    guard let context = unsafe context else { return }
                    unsafe Unmanaged<NameLookup>.fromOpaque(context).takeUnretainedValue()
                        .take(status, found)
                    unsafe ares_freeaddrinfo(found)
                }, context)
        case .services:
            unsafe penstock_dns_services(
                channel, name,
                { context, status, _, bytes, count in
                    guard let context = unsafe context else { return }
                    // The bytes are c-ares' for the time of this call, and as many as it says.
                    let message = unsafe [UInt8](
                        UnsafeBufferPointer(start: bytes, count: Int(max(0, count))))
                    unsafe Unmanaged<NameLookup>.fromOpaque(context).takeUnretainedValue()
                        .take(status, message)
                }, context)
        }
    }

    private static func text(_ code: Int32) -> String {
        // A constant of the library's.
        unsafe String(cString: ares_strerror(code))
    }

    // MARK: Called back by c-ares

    private func take(_ status: Int32, _ found: UnsafeMutablePointer<ares_addrinfo>?) {
        guard finding == nil else { return }
        var addresses: [String] = []
        var seconds = Int32.max
        // A list of nodes that ends with nil, freed by who calls this.
        var next = unsafe found?.pointee.nodes
        while let node = unsafe next {
            var text = [CChar](repeating: 0, count: Int(INET6_ADDRSTRLEN))
            if unsafe penstock_dns_text(node, &text, text.count) != 0 {
                addresses.append(
                    String(decoding: text.prefix { $0 != 0 }.map { UInt8($0) }, as: UTF8.self))
                seconds = unsafe min(seconds, max(0, node.pointee.ai_ttl))
            }
            unsafe next = node.pointee.ai_next
        }
        finding =
            addresses.isEmpty || status != 0
            ? missing(status) : .addresses(addresses, seconds: UInt32(seconds))
    }

    private func take(_ status: Int32, _ message: [UInt8]) {
        guard finding == nil else { return }
        guard status == 0 else {
            finding = missing(status)
            return
        }
        guard let records = ServiceRecords.read(message) else {
            finding = .failed("the answer is no DNS message")
            return
        }
        finding = records.isEmpty ? Finding.none : .services(records)
    }

    private func missing(_ status: Int32) -> Finding {
        status == 0 || status == ARES_ENODATA ? .none : .failed(NameLookup.text(status))
    }

    private func watch(_ socket: Int32, isReadable: Bool, isWritable: Bool) {
        var interest: Readiness = []
        if isReadable { interest.insert(.readable) }
        if isWritable { interest.insert(.writable) }
        if interest.isEmpty {
            if let watch = watches.removeValue(forKey: socket) {
                reactor.deregister(watch, keepingOpen: socket)
            }
        } else if let watch = watches[socket] {
            reactor.watch(watch, descriptor: socket, interest: interest)
        } else {
            let watch = LookupSocket(self, socket)
            if reactor.register(watch, descriptor: socket, interest: interest) {
                watches[socket] = watch
            }
        }
    }

    // MARK: Driven by the reactor

    /// Time has come for c-ares to ask again, or to give up, or for what is found to be told.
    package override func deadlineReached() {
        if finding == nil {
            unsafe ares_process_fd(channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD)
        }
        goOn()
    }

    fileprivate func drive(_ socket: Int32, _ readiness: Readiness) {
        guard unsafe channel != nil else { return }
        // Errors are found by reading, as ends are.
        let isWritable = readiness.contains(.writable)
        let isReadable = !readiness.isDisjoint(with: [.readable, .failed, .hungUp])
        unsafe ares_process_fd(
            channel, isReadable ? socket : ARES_SOCKET_BAD, isWritable ? socket : ARES_SOCKET_BAD)
        goOn()
    }

    private func goOn() {
        guard let finding else { return arrangeWakeUp() }
        close()
        reactor.deregister(self)
        then(finding)
    }

    private func arrangeWakeUp() {
        let left = finding == nil ? unsafe penstock_dns_timeout(channel) : 0
        guard left >= 0 else { return }
        // A millisecond late rather than early, when there is nothing to be done yet.
        let at = MonotonicClock.now.advanced(byNanoseconds: (Int64(left) + 1) * 1_000_000)
        reactor.setDeadline(of: self, to: at)
    }

    private func close() {
        guard let open = unsafe channel else { return }
        // What is under way is called back with an error, and counts no more.
        if finding == nil { finding = Finding.none }
        unsafe ares_destroy(open)
        unsafe channel = nil
        for (socket, watch) in watches { reactor.deregister(watch, keepingOpen: socket) }
        watches = [:]
    }
}

/// A socket that c-ares wants watched.
private final class LookupSocket: EventHandler {
    private unowned let lookup: NameLookup
    private let socket: Int32

    init(_ lookup: NameLookup, _ socket: Int32) {
        self.lookup = lookup
        self.socket = socket
    }

    override func ready(_ readiness: Readiness) { lookup.drive(socket, readiness) }
}
