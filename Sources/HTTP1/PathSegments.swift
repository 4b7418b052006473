// Paths that servers read in different ways: one that a route allows here may be another one there.
// RFC 3986 section 6.2.2 lets a server take dot segments out of a path, decode what need not be encoded, and
// do it in either order; some decode a slash, and some take a backslash for one.

internal import Bytes

/// What a path's segments are for who decodes them.
package enum PathSegments {
    /// Whether the path means another one to some servers: it has dot segments, encoded or not, a
    /// backslash, a zero byte, or a slash that is encoded.
    ///
    /// In `names`, where a path names something that may have slashes, an encoded one is taken for what
    /// it is; dot segments between such are not.
    package static func areAmbiguous(in path: Span<UInt8>, names: Range<Int>? = nil) -> Bool {
        guard mayBeAmbiguous(path) else { return false }
        var dots = 0
        var others = false
        var index = 0
        while index < path.count {
            let start = index
            let byte = decoded(path, &index)
            switch byte {
            case UInt8(ascii: "/"):
                let isEncoded = index - start > 1
                if isEncoded, names?.contains(start) != true { return true }
                if !others, dots == 1 || dots == 2 { return true }
                dots = 0
                others = false
            case UInt8(ascii: "."): dots += 1
            case UInt8(ascii: "\\"), 0: return true
            default: others = true
            }
        }
        return !others && (dots == 1 || dots == 2)
    }

    /// Whether there is anything of which ambiguous paths are made; most paths have none of it.
    private static func mayBeAmbiguous(_ path: Span<UInt8>) -> Bool {
        var index = 0
        while path.count &- index >= 8 {
            let word = path.word(at: index)
            // A byte that is equal to one of them differs from the two others only.
            let plain =
                WordMask.differs(word, from: UInt8(ascii: "."))
                & WordMask.differs(word, from: UInt8(ascii: "%"))
                & WordMask.differs(word, from: UInt8(ascii: "\\"))
            if ~plain & WordMask.high != 0 { return true }
            index &+= 8
        }
        while index < path.count {
            switch path[index] {
            case UInt8(ascii: "."), UInt8(ascii: "%"), UInt8(ascii: "\\"): return true
            default: index &+= 1
            }
        }
        return false
    }

    /// The next byte, decoded where it is encoded (RFC 3986 section 2.1).
    private static func decoded(_ path: Span<UInt8>, _ index: inout Int) -> UInt8 {
        let byte = path[index]
        index += 1
        guard byte == UInt8(ascii: "%"), index + 1 < path.count else { return byte }
        let high = ByteClass.hexadecimal(path[index])
        let low = ByteClass.hexadecimal(path[index + 1])
        guard high < 16, low < 16 else { return byte }
        index += 2
        return high << 4 | low
    }
}
