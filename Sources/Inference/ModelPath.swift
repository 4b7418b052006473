// Models that are named by the path: the Open Inference Protocol's, and deployments as Azure names
// them.

internal import Bytes

/// Where a path names a model.
///
/// Servers resolve what is percent-encoded, and some take several slashes for one, before they look for who
/// answers: what they read there is found here, however it is written.
package enum ModelPath {
    /// The range of `path` that is the model's name, still percent-encoded; nil where it names
    /// none.
    package static func range(in path: Span<UInt8>) -> Range<Int>? {
        guard mayNameModel(path) else { return nil }
        return range(in: path, after: "/v2/models/")
            ?? range(in: path, after: "/openai/deployments/")
    }

    /// Whether the first bytes of `path` may begin what means one of the two: those of most paths do not.
    @inline(__always) private static func mayNameModel(_ path: Span<UInt8>) -> Bool {
        guard path.count > 2, path[0] == UInt8(ascii: "/") else { return true }
        switch path[1] {
        case UInt8(ascii: "v"): return path[2] == UInt8(ascii: "2") || path[2] == UInt8(ascii: "%")
        case UInt8(ascii: "o"): return path[2] == UInt8(ascii: "p") || path[2] == UInt8(ascii: "%")
        case UInt8(ascii: "/"), UInt8(ascii: "%"): return true
        default: return false
        }
    }

    private static func range(in path: Span<UInt8>, after prefix: String) -> Range<Int>? {
        guard let start = end(of: prefix, in: path) else { return nil }
        var end = start
        while end < path.count, path[end] != UInt8(ascii: "/") { end &+= 1 }
        return end > start ? start..<end : nil
    }

    /// Where `path` goes on behind what means `prefix` to some server; nil where it begins with something
    /// else.
    private static func end(of prefix: String, in path: Span<UInt8>) -> Int? {
        var index = 0
        for wanted in prefix.utf8 {
            guard takes(wanted, in: path, &index) else { return nil }
            if wanted == UInt8(ascii: "/") { while takes(wanted, in: path, &index) {} }
        }
        return index
    }

    /// Goes on behind `wanted`, if that is what stands at `index`, encoded or not.
    private static func takes(_ wanted: UInt8, in path: Span<UInt8>, _ index: inout Int) -> Bool {
        guard index < path.count else { return false }
        if path[index] == wanted {
            index &+= 1
            return true
        }
        guard path[index] == UInt8(ascii: "%"), index &+ 2 < path.count,
            let high = digit(path[index &+ 1]), let low = digit(path[index &+ 2]),
            high << 4 | low == wanted
        else { return false }
        index &+= 3
        return true
    }

    /// Appends the name without its percent-encoding (RFC 3986 section 2.1); false when it is no
    /// name.
    package static func decode(_ text: Span<UInt8>, into name: inout [UInt8]) -> Bool {
        var index = 0
        while index < text.count {
            var byte = text[index]
            index &+= 1
            if byte == UInt8(ascii: "%") {
                guard index &+ 1 < text.count, let high = digit(text[index]),
                    let low = digit(text[index &+ 1])
                else { return false }
                byte = high << 4 | low
                index &+= 2
            }
            guard byte >= 0x20, byte != 0x7f, name.count < RequestReader.maxModelBytes else {
                return false
            }
            name.append(byte)
        }
        return !name.isEmpty
    }

    /// The value of a hexadecimal digit; nil for another byte.
    static func digit(_ byte: UInt8) -> UInt8? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): byte &- 0x30
        case UInt8(ascii: "a")...UInt8(ascii: "f"): byte &- 0x57
        case UInt8(ascii: "A")...UInt8(ascii: "F"): byte &- 0x37
        default: nil
        }
    }
}
