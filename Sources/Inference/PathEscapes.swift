// Percent-encoding in paths. Servers resolve it before they look for who answers, so `/v1/chat/completion%73` is
// as good to them as the path without it; the gateway has to know what they will read.

internal import Bytes

/// Resolving what a path has encoded (RFC 3986 section 2.1).
enum PathEscapes {
    /// `path` as servers read it; nil where nothing is encoded, which is nearly always.
    static func resolved(_ path: Span<UInt8>) -> [UInt8]? {
        guard hasAny(path) else { return nil }
        var resolved: [UInt8] = []
        resolved.reserveCapacity(path.count)
        var index = 0
        while index < path.count {
            var byte = path[index]
            if byte == UInt8(ascii: "%"), index &+ 2 < path.count,
                let high = ModelPath.digit(path[index &+ 1]),
                let low = ModelPath.digit(path[index &+ 2])
            {
                byte = high << 4 | low
                index &+= 2
            }
            resolved.append(byte)
            index &+= 1
        }
        return resolved
    }

    /// Whether there is a percent sign.
    private static func hasAny(_ path: Span<UInt8>) -> Bool {
        var index = 0
        while path.count &- index >= 8 {
            if WordMask.firstEqual(path.word(at: index), UInt8(ascii: "%")) != 0 { return true }
            index &+= 8
        }
        while index < path.count {
            if path[index] == UInt8(ascii: "%") { return true }
            index &+= 1
        }
        return false
    }
}
