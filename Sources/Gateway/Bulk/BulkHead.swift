// The heads of the requests that a bulk request's lines become. They have the fields of the bulk request
// itself, its keys above all, but for those that are about its connection, its framing and its body.

internal import Bytes
internal import HTTP1

/// What the heads of all lines have in common.
struct BulkHead {
    /// `Host` and the fields behind it.
    private var fields: [UInt8] = []

    /// Takes over what `head` says.
    init(_ head: borrowing RequestHead) {
        if let authority = head.authority {
            append("Host: ")
            append(head.span(authority))
            append("\r\n")
        }
        for field in head.fields where BulkHead.isKept(field, head.name(of: field)) {
            append(head.name(of: field))
            append(": ")
            append(head.value(of: field))
            append("\r\n")
        }
        append("Content-Type: application/json\r\nAccept-Encoding: identity\r\n")
    }

    /// The head of a request to `target` with a body of so many bytes.
    func bytes(target: [UInt8], bodyBytes: Int) -> [UInt8] {
        var head: [UInt8] = []
        head.reserveCapacity(fields.count + target.count + 64)
        head.append(contentsOf: "POST ".utf8)
        head.append(contentsOf: target)
        head.append(contentsOf: " HTTP/1.1\r\n".utf8)
        head.append(contentsOf: fields)
        head.append(contentsOf: "Content-Length: \(bodyBytes)\r\n\r\n".utf8)
        return head
    }

    /// Whether a line's request has the field too.
    private static func isKept(_ field: Field, _ name: Span<UInt8>) -> Bool {
        if field.isHopByHop { return false }
        switch field.known {
        case .connection, .contentLength, .transferEncoding, .host, .expect, .upgrade, .te,
            .trailer,
            .keepAlive, .proxyConnection, .xRequestID, .contentType, .contentEncoding, .accept,
            .acceptEncoding, .maxForwards, .secWebSocketKey, .secWebSocketVersion, .lookalike:
            return false
        default: return !dropped.contains { name.equals(lowercase: $0) }
        }
    }

    /// Fields that are about the whole, and would be wrong or told a thousand times of a line.
    private static let dropped = [
        "incremental", "content-digest", "repr-digest", "digest", "content-md5", "content-language",
        "content-disposition", "content-range", "range", "if-match", "if-none-match",
        "if-modified-since", "if-unmodified-since", "if-range", "idempotency-key",
    ].map { Array($0.utf8) }

    private mutating func append(_ text: String) { fields.append(contentsOf: text.utf8) }

    private mutating func append(_ bytes: Span<UInt8>) {
        fields.append(addingCapacity: bytes.count) { output in
            for index in bytes.indices { output.append(bytes[index]) }
        }
    }
}
