// Names of models with `*` in them, as routes have them.

/// A model's name in which every `*` stands for any bytes, none included.
package struct ModelPattern: Equatable, Sendable {
    private let bytes: [UInt8]
    /// Whether there is a `*` in it.
    package let isGlob: Bool

    /// The pattern that `text` is.
    package init(_ text: String) {
        bytes = Array(text.utf8)
        isGlob = bytes.contains(UInt8(ascii: "*"))
    }

    /// Whether `name` fits; takes at most the product of both lengths.
    package func matches(_ name: Span<UInt8>) -> Bool {
        var offset = 0
        var index = 0
        // Where to go on when what follows the last `*` does not fit: it then stands for one more.
        var star = -1
        var resume = 0
        while index < name.count {
            if offset < bytes.count, bytes[offset] == UInt8(ascii: "*") {
                star = offset
                resume = index
                offset &+= 1
            } else if offset < bytes.count, bytes[offset] == name[index] {
                offset &+= 1
                index &+= 1
            } else if star >= 0 {
                offset = star &+ 1
                resume &+= 1
                index = resume
            } else {
                return false
            }
        }
        while offset < bytes.count, bytes[offset] == UInt8(ascii: "*") { offset &+= 1 }
        return offset == bytes.count
    }
}
