// The subprotocols that a WebSocket's client asks for, RFC 6455 section 11.3.4.

internal import Bytes
internal import HTTP1

/// A list of subprotocols.
enum Subprotocols {
    /// The next item of a field's value from `index` on, without white space; nil at the end.
    static func next(in value: Span<UInt8>, _ index: inout Int) -> Range<Int>? {
        while index < value.count, isSeparator(value[index]) { index += 1 }
        if index == value.count { return nil }
        let start = index
        while index < value.count, !isSeparator(value[index]) { index += 1 }
        return start..<index
    }

    /// Appends the field without the items that are API keys; nothing where nothing is left.
    static func append(withoutKeys value: Span<UInt8>, to output: inout ByteBuffer) {
        var index = 0
        var isEmpty = true
        while let item = next(in: value, &index) {
            guard APIKey.keyRange(of: item, in: value) == nil else { continue }
            output.append(isEmpty ? "Sec-WebSocket-Protocol: " : ", ")
            output.appendFieldText(value.extracting(item))
            isEmpty = false
        }
        if !isEmpty { output.appendLineEnd() }
    }

    private static func isSeparator(_ byte: UInt8) -> Bool {
        byte == UInt8(ascii: ",") || byte == 0x20 || byte == 0x09
    }
}
