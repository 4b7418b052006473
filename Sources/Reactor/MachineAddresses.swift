// What this machine is called and which addresses it has, asked of the kernel alone.

internal import CShims
internal import Glibc

/// The machine's own addresses and name.
package enum MachineAddresses {
    /// Numeric addresses of all interfaces, without zones.
    package static func all() -> [String] {
        var first: UnsafeMutablePointer<ifaddrs>?
        guard unsafe getifaddrs(&first) == 0 else { return [] }
        // The list lives until it is freed, and each entry's address is as long as its family says.
        defer { unsafe freeifaddrs(first) }
        var found: [String] = []
        var entry = unsafe first
        while let current = unsafe entry {
            // An interface that has no address has an entry all the same.
            let name = unsafe current.pointee.ifa_addr.flatMap { unsafe text(of: $0) }
            if let name { found.append(name) }
            unsafe entry = current.pointee.ifa_next
        }
        return found
    }

    private static func text(of address: UnsafeMutablePointer<sockaddr>) -> String? {
        let family = Int32(unsafe address.pointee.sa_family)
        let length =
            switch family {
            case AF_INET: MemoryLayout<sockaddr_in>.size
            case AF_INET6: MemoryLayout<sockaddr_in6>.size
            default: 0
            }
        guard length > 0 else { return nil }
        return unsafe withUnsafeTemporaryAllocation(of: CChar.self, capacity: 64) {
            buffer -> String? in
            // 64 bytes hold the longest numeric address with a zone and its terminator.
            guard let start = buffer.baseAddress,
                unsafe getnameinfo(
                    address, socklen_t(length), start, socklen_t(buffer.count), nil, 0,
                    NI_NUMERICHOST) == 0
            else { return nil }
            let text = unsafe String(cString: start)
            return text.split(separator: "%").first.map(String.init)
        }
    }

    /// The machine's name; empty where it has none.
    package static func hostName() -> String {
        unsafe withUnsafeTemporaryAllocation(of: CChar.self, capacity: 256) { buffer in
            // Linux names have 64 bytes at most, and a terminator then.
            guard let start = buffer.baseAddress,
                unsafe gethostname(start, buffer.count - 1) == 0
            else { return "" }
            return unsafe String(cString: start)
        }
    }
}
