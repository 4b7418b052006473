// The kernel's readiness queue. Sockets are registered once, edge-triggered, for everything: who
// stops reading just stops, and remembers that there was more, so that back-pressure costs no
// system call.

internal import CShims
internal import Glibc

/// What a descriptor has become ready for.
public struct Readiness: OptionSet, Sendable {
    /// epoll's bits.
    public let rawValue: UInt32

    /// Makes a set from epoll's bits.
    public init(rawValue: UInt32) { self.rawValue = rawValue }

    /// Bytes, a connection or the end can be read.
    package static let readable = Readiness(rawValue: 0x001)
    /// Bytes can be written.
    package static let writable = Readiness(rawValue: 0x004)
    /// The connection is broken.
    package static let failed = Readiness(rawValue: 0x008)
    /// Both sides are closed.
    package static let hungUp = Readiness(rawValue: 0x010)
    /// The peer has closed its side, though unread bytes may be left.
    package static let peerClosed = Readiness(rawValue: 0x2000)
    /// Whatever says that nothing, or nothing more, comes from the peer.
    package static let ended: Readiness = [.failed, .hungUp, .peerClosed]
    /// Report changes only, not states.
    package static let edgeTriggered = Readiness(rawValue: 1 << 31)

    /// What every stream is registered for.
    package static let stream: Readiness = [.readable, .writable, .peerClosed, .edgeTriggered]
}

/// An epoll instance and the events of its last wait.
@safe struct Epoll: ~Copyable {
    private let descriptor: Descriptor
    /// Room for `batch` events, allocated in `init` and freed in `deinit`.
    private let events: UnsafeMutablePointer<epoll_event>

    /// Events taken from the kernel at once.
    static let batch = 256

    init() throws(SystemError) {
        let number = epoll_create1(Int32(EPOLL_CLOEXEC))
        guard number >= 0 else { throw SystemError("create an epoll instance") }
        descriptor = Descriptor(owning: number)
        unsafe events = .allocate(capacity: Epoll.batch)
    }

    deinit { unsafe events.deallocate() }

    /// Starts watching `number`; `token` comes back with its events.
    ///
    /// False when the kernel refuses.
    func add(_ number: Int32, _ interest: Readiness, token: UInt64) -> Bool {
        penstock_epoll_control(
            descriptor.rawValue, EPOLL_CTL_ADD, number, interest.rawValue, token) == 0
    }

    /// Changes what `number` is watched for.
    func modify(_ number: Int32, _ interest: Readiness, token: UInt64) {
        _ = penstock_epoll_control(
            descriptor.rawValue, EPOLL_CTL_MOD, number, interest.rawValue, token)
    }

    /// Stops watching `number`, which is still open.
    func remove(_ number: Int32) {
        _ = penstock_epoll_control(descriptor.rawValue, EPOLL_CTL_DEL, number, 0, 0)
    }

    /// Waits for events, for at most `milliseconds` (-1: for ever), and returns how many there are.
    func wait(milliseconds: Int32) -> Int {
        // `events` has room for `batch` and lives as long as this value.
        let count = unsafe epoll_wait(
            descriptor.rawValue, events, Int32(Epoll.batch), milliseconds)
        return max(0, Int(count))
    }

    /// The event at `index`, below what `wait` returned.
    func event(at index: Int) -> (token: UInt64, readiness: Readiness) {
        precondition(index >= 0 && index < Epoll.batch)
        // The index was just checked against the allocation.
        return unsafe (
            penstock_epoll_data(events, Int32(index)),
            Readiness(rawValue: penstock_epoll_events(events, Int32(index)))
        )
    }
}
