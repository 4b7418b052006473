// IPv4 and IPv6 addresses in figures, by the C library's own reading of them (RFC 4291 section
// 2.2).

import Glibc

/// A numeric address.
struct NumericAddress {
    /// The address as the C library writes it: one spelling for each address.
    var text: String
    var isIPv6: Bool

    /// `nil` when `text` is not a numeric address; brackets and zones are not part of one.
    init?(_ text: String) {
        isIPv6 = text.contains(":")
        guard !text.utf8.contains(0),
            let canonical = Self.canonical(text, isIPv6 ? AF_INET6 : AF_INET)
        else { return nil }
        self.text = canonical
    }

    var isLoopback: Bool { isIPv6 ? text == "::1" : text.hasPrefix("127.") }

    var isWildcard: Bool { text == "0.0.0.0" || text == "::" }

    private static func canonical(_ text: String, _ family: Int32) -> String? {
        var address = in6_addr()
        // An in6_addr has room for an address of either family.
        guard unsafe inet_pton(family, text, &address) == 1 else { return nil }
        return unsafe withUnsafeTemporaryAllocation(of: CChar.self, capacity: Int(INET6_ADDRSTRLEN))
        {
            buffer in
            // INET6_ADDRSTRLEN bytes hold the longest text of either family and its terminator.
            unsafe inet_ntop(family, &address, buffer.baseAddress, socklen_t(buffer.count)).map {
                unsafe String(cString: $0)
            }
        }
    }
}
