// Networks as `10.1.0.0/16` and `2001:db8::/32` (RFC 4632, RFC 4291 section 2.3); an address alone is
// a network of one.

/// A network of IPv4 or IPv6 addresses.
package struct Network: Hashable, Sendable {
    /// The lowest address, as IPv6; IPv4 addresses are mapped (RFC 4291 section 2.5.5.2).
    package let lowest: UInt128
    /// Bits of it that all addresses of the network share, 0..128.
    package let prefixLength: Int
    /// The network as a policy writes it.
    package let text: String

    /// The network of `lowest`, which has no bits beyond the prefix.
    package init(lowest: UInt128, prefixLength: Int, text: String) {
        self.lowest = lowest
        self.prefixLength = prefixLength
        self.text = text
    }

    /// The highest address, as IPv6.
    package var highest: UInt128 { lowest | Network.hostBits(prefixLength) }

    /// What differs between networks, however they are written.
    var identity: String { "\(lowest)/\(prefixLength)" }

    private static func hostBits(_ prefixLength: Int) -> UInt128 {
        prefixLength == 0 ? .max : (UInt128(1) << (128 - prefixLength)) - 1
    }

    /// Reads a network.
    static func parse(_ text: String) throws(Fault) -> Network {
        let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        guard let address = NumericAddress(String(parts[0])) else {
            throw Fault(
                "\(text.quoted) is not a network",
                "write one such as 10.1.0.0/16, 2001:db8::/32 or 10.1.2.3")
        }
        let most = address.isIPv6 ? 128 : 32
        var length = most
        if parts.count == 2 {
            guard let number = Int(parts[1]), (0...most).contains(number),
                parts[1].allSatisfy(\.isASCIIDigit)
            else {
                throw Fault(
                    "\(String(parts[1]).quoted) is not the length of a prefix",
                    "write 0 to \(most)")
            }
            length = number
        }
        let prefixLength = length + 128 - most
        let lowest = address.bits & ~hostBits(prefixLength)
        guard lowest == address.bits else {
            let first = NumericAddress.text(lowest, isIPv6: address.isIPv6)
            throw Fault(
                "\(text.quoted) has bits beyond its prefix", "write \(first)/\(length)")
        }
        return Network(
            lowest: lowest, prefixLength: prefixLength,
            text: length == most ? address.text : "\(address.text)/\(length)")
    }
}

extension Kind<Network> {
    /// A network.
    static var network: Kind {
        .text(
            "a network such as 10.1.0.0/16", pattern: "^[0-9A-Fa-f:.]+(/[0-9]{1,3})?$",
            parse: Network.parse, write: { $0.text })
    }
}
