// What systemd is told of how far this process is (sd_notify(3)): datagrams to the socket that it names, without its library.

internal import CShims
internal import Glibc
internal import Policy

/// Tells the service manager, where there is one.
package struct ServiceNotifier {
    private let path: String?
    /// How often it wants to hear that the process works, in nanoseconds; nil for never.
    package let watchdogNanoseconds: Int64?

    /// The one that the environment names.
    package init() {
        path = ProcessEnvironment.variable("NOTIFY_SOCKET").flatMap { path in
            path.hasPrefix("/") || path.hasPrefix("@") ? path : nil
        }
        let microseconds = ProcessEnvironment.variable("WATCHDOG_USEC").flatMap { Int64($0) }
        watchdogNanoseconds =
            path == nil
            ? nil : microseconds.flatMap { (1...86_400_000_000).contains($0) ? $0 * 1_000 : nil }
    }

    /// Whether somebody wants to be told.
    package var isWanted: Bool { path != nil }

    /// Says all of `lines` at once; what cannot be said is left unsaid.
    package func say(_ lines: String...) {
        guard let path else { return }
        let number = socket(
            AF_UNIX, Int32(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue), 0)
        guard number >= 0 else { return }
        let descriptor = Descriptor(owning: number)
        var storage = sockaddr_storage()
        guard var length = ListeningSocket.fill(&storage, path: path) else { return }
        if path.hasPrefix("@") {
            // A name in the abstract begins with a zero, and has none at its end.
            unsafe withUnsafeMutableBytes(of: &storage) { unsafe $0[2] = 0 }
            length -= 1
        }
        let text = Array(lines.joined(separator: "\n").utf8)
        // Both live through the call, and their lengths are their own.
        guard unsafe penstock_connect(descriptor.rawValue, &storage, length) == 0 else { return }
        unsafe text.withUnsafeBytes { bytes in
            _ = unsafe penstock_send(
                descriptor.rawValue, bytes.baseAddress, bytes.count, Int32(MSG_NOSIGNAL))
        }
    }
}
