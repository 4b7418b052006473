// Connects to a port of this machine. The gateway dials with libcurl; the demo's clients need less,
// and use a socket as it is.

internal import Gateway
internal import Glibc
internal import Reactor

/// Begins to connect to a loopback port without waiting; nil when there is no descriptor or no port
/// left.
///
/// Bytes can be written when the connection is made; a refusal shows as a broken connection.
func dialLoopback(port: UInt16) -> Descriptor? {
    let kind = Int32(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue)
    let number = socket(AF_INET, kind, 0)
    guard number >= 0 else { return nil }
    let descriptor = Descriptor(owning: number)
    // Small writes must not wait for acknowledgements of those before.
    var noDelay: Int32 = 1
    // An Int32 that lives through the call, with its own size.
    _ = unsafe setsockopt(
        number, Int32(IPPROTO_TCP), TCP_NODELAY, &noDelay, socklen_t(MemoryLayout<Int32>.size))
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = port.bigEndian
    address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
    let result = unsafe withUnsafePointer(to: &address) { pointer in
        // Every address structure begins as `sockaddr` does; the length tells the kernel which one
        // this is.
        unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { generic in
            unsafe connect(number, generic, socklen_t(MemoryLayout<sockaddr_in>.size))
        }
    }
    guard result == 0 || errno == EINPROGRESS else { return nil }
    return descriptor
}
