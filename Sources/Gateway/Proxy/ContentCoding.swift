// How a request's content is coded, RFC 9110 section 8.4: what of that can be read here.

internal import Bytes
internal import HTTP1

/// The coding of a request's content.
enum ContentCoding {
    /// None.
    case identity
    /// gzip, once; `x-gzip` is another name of it (section 8.4.1.3).
    case gzip
    /// Any other, or several, or what is none at all.
    case other

    /// What a byte of another coding is taken to expand to.
    ///
    /// Brotli and zstd make half as many of text. It may be far more, or one where the name was misspelt.
    private static let otherRatio = 8

    /// The bytes that a body of another coding is taken to expand to which has `count`.
    static func otherExpanded(from count: Int) -> Int { otherRatio * min(max(0, count), .max >> 8) }

    /// The coding that the fields of `head` list, all of them: what a server goes by is not known.
    ///
    /// `identity`, which is not to be sent, and empty elements of a list change nothing.
    init(of head: borrowing RequestHead) {
        var coding = ContentCoding.identity
        for field in head.fields where field.known == .contentEncoding {
            let value = head.value(of: field)
            var start = 0
            while start <= value.count {
                var end = start
                while end < value.count, value[end] != UInt8(ascii: ",") { end += 1 }
                coding = coding.followed(by: ContentCoding.trimmed(value.extracting(start..<end)))
                start = end + 1
            }
        }
        self = coding
    }

    /// What results where `name` is applied too.
    private func followed(by name: Span<UInt8>) -> ContentCoding {
        if name.isEmpty || name.equals(lowercase: "identity") { return self }
        guard case .identity = self,
            name.equals(lowercase: "gzip") || name.equals(lowercase: "x-gzip")
        else { return .other }
        return .gzip
    }

    @_lifetime(copy text)
    private static func trimmed(_ text: Span<UInt8>) -> Span<UInt8> {
        var start = 0
        var end = text.count
        while start < end, text[start] == 0x20 || text[start] == 0x09 { start += 1 }
        while end > start, text[end - 1] == 0x20 || text[end - 1] == 0x09 { end -= 1 }
        return text.extracting(start..<end)
    }
}
