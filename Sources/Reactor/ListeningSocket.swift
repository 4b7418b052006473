// Sockets that clients connect to, over TCP or a unix path.

internal import CShims
internal import Glibc
package import Policy

/// A bound, listening socket; a unix socket's file goes with it.
package struct ListeningSocket: ~Copyable, Sendable {
    private let descriptor: Descriptor
    /// Where it listens, with the port the kernel chose where the policy said 0.
    package let address: ListenAddress
    /// The file of a unix socket; nil for TCP, and where a service manager keeps it.
    package let file: SocketFile?

    /// Connections that the kernel holds before they are accepted.
    package static let backlog: Int32 = 4096

    /// The kernel's number for it.
    package var rawValue: Int32 { descriptor.rawValue }

    /// Binds and listens; throws when the address is in use or may not be used.
    ///
    /// `access` says who may connect to a unix socket. With `isBesideOwn` this process listens already on
    /// what overlaps the TCP address; that socket then gets the connections to its own address until it is
    /// closed, or some of them where both have the same.
    package init(
        _ address: ListenAddress, access: SocketAccess = .clients, isBesideOwn: Bool = false
    ) throws(SystemError) {
        switch address {
        case .tcp(let host, let port):
            let bound = try ListeningSocket.bindTCP(
                host: host, port: port, isBesideOwn ? .further : .first)
            self.address = .tcp(host: host, port: ListeningSocket.port(of: bound.rawValue) ?? port)
            descriptor = bound
            file = nil
        case .unix(let path):
            var made: SocketFile?
            descriptor = try ListeningSocket.bindUnix(path: path, access, &made)
            file = made
            self.address = address
        }
    }

    /// Another socket for the TCP address of this one: the kernel spreads connections over them.
    ///
    /// nil for a unix path, which only one socket can have.
    package borrowing func another() throws(SystemError) -> ListeningSocket? {
        guard case .tcp(let host, let port) = address else { return nil }
        let bound = try ListeningSocket.bindTCP(host: host, port: port, .further)
        return ListeningSocket(bound, address)
    }

    /// One that was open when the process began; the file of a unix socket that the gateway has made is this one's from now on.
    init(inheriting socket: consuming InheritedSockets.Socket) {
        address = socket.address
        file =
            if socket.isOwn, case .unix(let path) = socket.address {
                SocketFile(boundAt: path)
            } else {
                nil
            }
        descriptor = socket.descriptor
    }

    /// Where a socket of this process is bound; nil for one that is neither TCP nor a unix socket with a path.
    static func address(of number: Int32) -> ListenAddress? {
        var storage = sockaddr_storage()
        guard unsafe penstock_socket_name(number, &storage) == 0 else { return nil }
        if Int32(storage.ss_family) == AF_UNIX {
            let path = unsafe withUnsafeBytes(of: &storage) { bytes in
                // The path stands behind the family, and ends with a zero or with the storage.
                unsafe Array(bytes[2..<110].prefix { $0 != 0 })
            }
            guard !path.isEmpty, let text = String(validating: path, as: UTF8.self) else {
                return nil
            }
            return .unix(path: text)
        }
        let peer = PeerAddress(storage)
        guard !peer.isEmpty, let port = port(of: number) else { return nil }
        return .tcp(host: peer.text, port: port)
    }

    private init(_ descriptor: consuming Descriptor, _ address: ListenAddress) {
        self.descriptor = descriptor
        self.address = address
        file = nil
    }

    /// Whether this process has sockets already whose address overlaps; a trial is bound and never listens.
    enum Sharing { case first, further, trial }

    // The descriptor is closed after this, so the file is still known by its inode.
    deinit { file?.remove() }

    /// Lets nobody connect any more, where that is possible without refusing those who wait already.
    ///
    /// That is so for a unix socket; those who wait behind one for TCP have to be accepted quickly.
    package borrowing func refuseFurther() {
        // A TCP socket would reset whoever waits.
        if file != nil { _ = shutdown(descriptor.rawValue, Int32(SHUT_RD)) }
    }

    /// One accepted connection.
    package enum Accepted: ~Copyable {
        /// A client; the descriptor is non-blocking.
        case connection(Descriptor, PeerAddress)
        /// Nobody is waiting.
        case none
        /// The process or the machine has no descriptor or memory left; the client stays in the
        /// backlog.
        case exhausted
    }

    /// Accepts one connection.
    package func accept() -> Accepted {
        var storage = sockaddr_storage()
        // The shim writes at most the storage's size.
        let number = unsafe penstock_accept(descriptor.rawValue, &storage)
        guard number >= 0 else {
            switch errno {
            case EMFILE, ENFILE, ENOBUFS, ENOMEM: return .exhausted
            default: return .none
            }
        }
        return .connection(Descriptor(owning: number), PeerAddress(storage))
    }

    static func bindTCP(
        host: String, port: UInt16, _ sharing: Sharing
    ) throws(SystemError) -> Descriptor {
        let attempt = "listen on \(ListenAddress.tcp(host: host, port: port).text)"
        var storage = sockaddr_storage()
        guard let length = fill(&storage, host: host, port: port) else {
            throw SystemError(attempt, code: EADDRNOTAVAIL)
        }
        let family = Int32(storage.ss_family)
        let number = socket(
            family, Int32(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue), 0)
        guard number >= 0 else { throw SystemError(attempt) }
        let descriptor = Descriptor(owning: number)
        setOption(number, SOL_SOCKET, SO_REUSEADDR, 1)
        // What is accepted has it from here.
        setOption(number, Int32(IPPROTO_TCP), TCP_NODELAY, 1)
        // An IPv6 listener takes IPv6 only: both families are two addresses in the policy, never a
        // surprise.
        if family == AF_INET6 { setOption(number, Int32(IPPROTO_IPV6), IPV6_V6ONLY, 1) }
        if sharing == .further { setOption(number, SOL_SOCKET, SO_REUSEPORT, 1) }
        guard bindTo(number, &storage, length) else { throw SystemError(attempt) }
        // The first one is bound without it, so that an address which another process shares with
        // itself, a second Penstock above all, counts as in use.
        if sharing == .first { setOption(number, SOL_SOCKET, SO_REUSEPORT, 1) }
        if sharing == .trial { return descriptor }
        guard listen(number, backlog) == 0 else { throw SystemError(attempt) }
        return descriptor
    }

    /// Binds and listens at a path, and gives the socket's file its owner and mode before anybody can
    /// connect.
    private static func bindUnix(
        path: String, _ access: SocketAccess, _ made: inout SocketFile?
    ) throws(SystemError) -> Descriptor {
        let attempt = "listen on \(ListenAddress.unix(path: path).text)"
        var storage = sockaddr_storage()
        guard let length = fill(&storage, path: path) else {
            throw SystemError(attempt, code: ENAMETOOLONG)
        }
        let kind = Int32(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue)
        let number = socket(AF_UNIX, kind, 0)
        guard number >= 0 else { throw SystemError(attempt) }
        let descriptor = Descriptor(owning: number)
        // Held until it listens: between the two another start would take it for left behind.
        let lock = DirectoryLock.held(aroundFile: path)
        try SocketFile.makeRoom(at: path, isLocked: lock != nil, for: attempt)
        // The file is made with these, less the umask: nobody has more for a moment than he is to have.
        _ = fchmod(number, mode_t(access.mode))
        guard bindTo(number, &storage, length) else { throw SystemError(attempt) }
        guard let file = SocketFile(boundAt: path) else { throw SystemError(attempt, code: ENOENT) }
        do throws(SystemError) {
            try file.change(to: access)
            guard listen(number, backlog) == 0 else { throw SystemError(attempt) }
        } catch {
            file.discard()
            throw error
        }
        extendLifetime(lock)
        made = file
        return descriptor
    }

    private static func bindTo(
        _ number: Int32, _ storage: inout sockaddr_storage, _ length: socklen_t
    ) -> Bool {
        // `length` is what was filled in, at most the storage's size.
        unsafe penstock_bind(number, &storage, length) == 0
    }

    private static func port(of number: Int32) -> UInt16? {
        var storage = sockaddr_storage()
        guard unsafe penstock_socket_name(number, &storage) == 0 else { return nil }
        // In both families the port stands behind the 16-bit family.
        return unsafe withUnsafeBytes(of: &storage) { bytes in
            unsafe UInt16(bigEndian: bytes.load(fromByteOffset: 2, as: UInt16.self))
        }
    }

    /// Fills in a numeric IPv4 or IPv6 address; nil when `host` is neither.
    static func fill(
        _ storage: inout sockaddr_storage, host: String, port: UInt16
    ) -> socklen_t? {
        var four = sockaddr_in()
        four.sin_family = sa_family_t(AF_INET)
        four.sin_port = port.bigEndian
        if unsafe inet_pton(AF_INET, host, &four.sin_addr) == 1 {
            unsafe withUnsafeMutableBytes(of: &storage) { bytes in
                // Both structures begin with the family, and the storage is the larger.
                unsafe bytes.storeBytes(of: four, as: sockaddr_in.self)
            }
            return socklen_t(MemoryLayout<sockaddr_in>.size)
        }
        var six = sockaddr_in6()
        six.sin6_family = sa_family_t(AF_INET6)
        six.sin6_port = port.bigEndian
        if unsafe inet_pton(AF_INET6, host, &six.sin6_addr) == 1 {
            unsafe withUnsafeMutableBytes(of: &storage) { bytes in
                unsafe bytes.storeBytes(of: six, as: sockaddr_in6.self)
            }
            return socklen_t(MemoryLayout<sockaddr_in6>.size)
        }
        return nil
    }

    /// Fills in a unix path; nil when it does not fit.
    static func fill(_ storage: inout sockaddr_storage, path: String) -> socklen_t? {
        let bytes = Array(path.utf8)
        guard !bytes.isEmpty, bytes.count <= 107 else { return nil }
        storage.ss_family = sa_family_t(AF_UNIX)
        unsafe withUnsafeMutableBytes(of: &storage) { target in
            // The path starts behind the 2 bytes of the family; 107 bytes and a zero fit into
            // sun_path.
            for (index, byte) in bytes.enumerated() { unsafe target[2 + index] = byte }
            unsafe target[2 + bytes.count] = 0
        }
        return socklen_t(2 + bytes.count + 1)
    }
}

/// Sets an integer socket option; one that the kernel does not know is left as it is.
func setOption(_ number: Int32, _ level: Int32, _ name: Int32, _ value: Int32) {
    var value = value
    // An Int32 that lives through the call, with its own size.
    _ = unsafe setsockopt(number, level, name, &value, socklen_t(MemoryLayout<Int32>.size))
}
