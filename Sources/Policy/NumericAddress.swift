// IPv4 and IPv6 addresses in figures, by the C library's own reading of them (RFC 4291 section
// 2.2).

import Glibc

/// A numeric address.
struct NumericAddress {
    /// The address as the C library writes it: one spelling for each address.
    var text: String
    var isIPv6: Bool
    /// The address as IPv6; an IPv4 address is mapped (RFC 4291 section 2.5.5.2).
    var bits: UInt128

    /// `nil` when `text` is not a numeric address; brackets and zones are not part of one.
    init?(_ text: String) {
        isIPv6 = text.contains(":")
        guard !text.utf8.contains(0), let bits = Self.bits(text, isIPv6: isIPv6) else { return nil }
        self.bits = bits
        self.text = Self.text(bits, isIPv6: isIPv6)
    }

    var isLoopback: Bool { isIPv6 ? text == "::1" : text.hasPrefix("127.") }

    var isWildcard: Bool { text == "0.0.0.0" || text == "::" }

    private static let mappedPrefix = UInt128(0xffff) << 32

    private static func bits(_ text: String, isIPv6: Bool) -> UInt128? {
        var address = in6_addr()
        // An in6_addr has room for an address of either family.
        guard unsafe inet_pton(isIPv6 ? AF_INET6 : AF_INET, text, &address) == 1 else { return nil }
        return unsafe withUnsafeBytes(of: &address) { bytes in
            let count = isIPv6 ? 16 : 4
            let bits = unsafe bytes.prefix(count).reduce(UInt128(0)) { $0 << 8 | UInt128($1) }
            return isIPv6 ? bits : bits | mappedPrefix
        }
    }

    /// The address of those bits as the C library writes it.
    static func text(_ bits: UInt128, isIPv6: Bool) -> String {
        var address = (isIPv6 ? bits : bits << 96).bigEndian
        return unsafe withUnsafeTemporaryAllocation(of: CChar.self, capacity: Int(INET6_ADDRSTRLEN))
        {
            buffer in
            // INET6_ADDRSTRLEN bytes hold the longest text of either family and its terminator, so
            // there is no failure; the address lives until the call is over.
            _ = unsafe inet_ntop(
                isIPv6 ? AF_INET6 : AF_INET, &address, buffer.baseAddress, socklen_t(buffer.count))
            return unsafe buffer.baseAddress.map { unsafe String(cString: $0) } ?? ""
        }
    }
}
