// Checks `host[:port]`, in Host and in request targets alike.

internal import Bytes

/// The grammar of an authority without user information, RFC 3986 section 3.2.
enum Authority {
    /// Whether `range` of `bytes` is `host[:port]` with a host that is not empty.
    ///
    /// The host is a registered name, an IPv4 address or an IPv6 address in brackets (no zone, no
    /// future version); the port is empty or 0 to 65535.
    static func isValid(
        _ bytes: Span<UInt8>, _ range: Range<Int>, needsPort: Bool = false
    ) -> Bool {
        guard let first = range.first else { return false }
        if isUsual(bytes, range, needsPort: needsPort) { return true }
        var end = range.lowerBound
        if bytes[first] == UInt8(ascii: "[") {
            while end < range.upperBound, bytes[end] != UInt8(ascii: "]") { end &+= 1 }
            guard end < range.upperBound, isIPv6(bytes, (first &+ 1)..<end) else { return false }
            end &+= 1
        } else {
            while end < range.upperBound, bytes[end] != UInt8(ascii: ":") { end &+= 1 }
            guard end > first, isName(bytes, first..<end) else { return false }
        }
        if end == range.upperBound { return !needsPort }
        guard bytes[end] == UInt8(ascii: ":") else { return false }
        return isPort(bytes, (end &+ 1)..<range.upperBound, mayBeEmpty: !needsPort)
    }

    /// Whether `range`, which is not empty, is a name of letters, digits, full stops and hyphens, with
    /// a port of one to five digits if there is one: what most of them are.
    @inline(__always)
    private static func isUsual(
        _ bytes: Span<UInt8>, _ range: Range<Int>, needsPort: Bool
    ) -> Bool {
        let whole = bytes.extracting(first: range.upperBound)
        var rest = whole.extracting(droppingFirst: range.lowerBound)
        let index = rest.skipPlainHost(of: whole)
        if index == rest.count { return !needsPort }
        let digits = rest.count &- index &- 1
        guard whole.count >= 8, digits > 0, digits <= 5, rest[index] == UInt8(ascii: ":"),
            digits &+ 1 < range.count,
            let port = WordMask.number(whole.word(at: whole.count &- 8), digits)
        else { return false }
        return port <= 65_535
    }

    /// Whether all of `range` may stand in a name; it may be empty.
    private static func isName(_ bytes: Span<UInt8>, _ range: Range<Int>) -> Bool {
        var index = range.lowerBound
        while index < range.upperBound {
            if bytes[index] == UInt8(ascii: "%") {
                guard range.upperBound &- index > 2, ByteClass.hexadecimal(bytes[index &+ 1]) < 16,
                    ByteClass.hexadecimal(bytes[index &+ 2]) < 16
                else { return false }
                index &+= 3
            } else {
                guard ByteClass.isHostName(bytes[index]) else { return false }
                index &+= 1
            }
        }
        return true
    }

    private static func isPort(
        _ bytes: Span<UInt8>, _ range: Range<Int>, mayBeEmpty: Bool
    ) -> Bool {
        if range.isEmpty { return mayBeEmpty }
        guard range.count <= 5 else { return false }
        var port = 0
        let digits = bytes.extracting(range)
        for index in 0..<digits.count {
            guard ByteClass.isDigit(digits[index]) else { return false }
            port = port &* 10 &+ Int(digits[index] &- 0x30)
        }
        return port <= 65_535
    }

    /// Eight groups of up to four digits, or fewer around one `::`; the last two may be IPv4.
    private static func isIPv6(_ bytes: Span<UInt8>, _ range: Range<Int>) -> Bool {
        let end = range.upperBound
        var index = range.lowerBound
        var groups = 0
        var hasGap = false
        if range.count >= 2, bytes[index] == UInt8(ascii: ":"),
            bytes[index &+ 1] == UInt8(ascii: ":")
        {
            hasGap = true
            index &+= 2
            if index == end { return true }
        }
        while index < end {
            let start = index
            while index < end, ByteClass.hexadecimal(bytes[index]) < 16 { index &+= 1 }
            if index < end, bytes[index] == UInt8(ascii: ".") {
                guard isIPv4(bytes, start..<end) else { return false }
                groups &+= 2
                break
            }
            guard index > start, index &- start <= 4 else { return false }
            groups &+= 1
            if index == end { break }
            guard bytes[index] == UInt8(ascii: ":") else { return false }
            index &+= 1
            if index == end { return false }
            if bytes[index] == UInt8(ascii: ":") {
                if hasGap { return false }
                hasGap = true
                index &+= 1
            }
        }
        return hasGap ? groups <= 7 : groups == 8
    }

    private static func isIPv4(_ bytes: Span<UInt8>, _ range: Range<Int>) -> Bool {
        var parts = 0
        var digits = 0
        var value = 0
        for index in range {
            let byte = bytes[index]
            if ByteClass.isDigit(byte) {
                if digits > 0 && value == 0 { return false }
                digits &+= 1
                value = value &* 10 &+ Int(byte &- 0x30)
                if value > 255 { return false }
            } else {
                guard byte == UInt8(ascii: "."), digits > 0 else { return false }
                parts &+= 1
                digits = 0
                value = 0
            }
        }
        return parts == 3 && digits > 0
    }
}
