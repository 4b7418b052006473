// Who is at the other end of a client connection, as text that was rendered once, at accept.

internal import CShims
internal import Glibc
package import Policy

/// A peer's numeric address without its port; empty for a unix socket.
package struct PeerAddress: Sendable {
    private var rendered = InlineArray<46, UInt8>(repeating: 0)
    private var length = 0
    /// The address as IPv6, an IPv4 address mapped (RFC 4291 section 2.5.5.2); 0 for none.
    package private(set) var bits: UInt128 = 0

    /// No address: a unix socket's peer.
    package init() {}

    /// The peer at a numeric IPv4 or IPv6 address, without brackets; nil where `text` is neither.
    package init?(numeric text: String) {
        var storage = sockaddr_storage()
        guard ListeningSocket.fill(&storage, host: text, port: 0) != nil else { return nil }
        self.init(storage)
    }

    /// Reads the address out of what `accept` filled in.
    init(_ storage: borrowing sockaddr_storage) {
        var copy = copy storage
        switch Int32(copy.ss_family) {
        case AF_INET:
            // The family says that the storage holds this structure, which is smaller.
            let address = unsafe withUnsafeBytes(of: &copy) { unsafe $0.load(as: sockaddr_in.self) }
            let number = UInt32(bigEndian: address.sin_addr.s_addr)
            bits = UInt128(0xffff) << 32 | UInt128(number)
            appendIPv4(number)
        case AF_INET6:
            var address = unsafe withUnsafeBytes(of: &copy) {
                unsafe $0.load(as: sockaddr_in6.self)
            }
            // Sixteen bytes in network order.
            bits = UInt128(
                bigEndian: unsafe withUnsafeBytes(of: &address.sin6_addr) {
                    unsafe $0.loadUnaligned(as: UInt128.self)
                })
            appendIPv6(&address.sin6_addr)
        default:
            break
        }
    }

    /// Whether there is no address.
    package var isEmpty: Bool { length == 0 }

    /// The address as text.
    package var text: String { String(decoding: (0..<length).map { rendered[$0] }, as: UTF8.self) }

    /// The text as bytes.
    package var bytes: Span<UInt8> {
        @_lifetime(borrow self)
        get { rendered.span.extracting(0..<length) }
    }

    /// Whether `peers` name this one.
    package func isAmong(_ peers: [TrustedPeer]) -> Bool {
        for peer in peers {
            switch peer {
            case .unixSockets:
                if isEmpty { return true }
            case .network(let network):
                if !isEmpty && bits >= network.lowest && bits <= network.highest { return true }
            }
        }
        return false
    }

    private mutating func appendIPv4(_ address: UInt32) {
        var shift: UInt32 = 24
        while true {
            appendDecimal(UInt8(truncatingIfNeeded: address >> shift))
            if shift == 0 { return }
            append(0x2e)
            shift -= 8
        }
    }

    private mutating func appendIPv6(_ address: inout in6_addr) {
        var buffer = InlineArray<46, CChar>(repeating: 0)
        var span = buffer.mutableSpan
        unsafe span.withUnsafeMutableBufferPointer { storage in
            // 46 bytes hold every address inet_ntop can render, with its terminating zero.
            _ = unsafe inet_ntop(AF_INET6, &address, storage.baseAddress, socklen_t(storage.count))
        }
        var index = 0
        while index < 45 && buffer[index] != 0 {
            append(UInt8(bitPattern: buffer[index]))
            index += 1
        }
    }

    private mutating func appendDecimal(_ value: UInt8) {
        if value >= 100 { append(0x30 + value / 100) }
        if value >= 10 { append(0x30 + value / 10 % 10) }
        append(0x30 + value % 10)
    }

    private mutating func append(_ byte: UInt8) {
        rendered[length] = byte
        length += 1
    }
}
