// Writes an error's body out of its pieces; nothing is allocated for it.

internal import Bytes
internal import HTTP1
internal import Inference

/// The body of an error, or an event of a stream that says it.
struct ErrorBodyWriter {
    private let pieces: InlineArray<12, ErrorPiece>
    private let status: Int

    /// The body in `pieces`, for a response with `status`.
    init(_ pieces: InlineArray<12, ErrorPiece>, status: Int) {
        self.pieces = pieces
        self.status = status
    }

    /// Bytes that `append` will append.
    func count(requestID: borrowing [UInt8]) -> Int {
        var count = 0
        for index in pieces.indices {
            switch pieces[index] {
            case .nothing: break
            case .text(let text): count += text.utf8.count
            // The status has three digits.
            case .status: count += 3
            case .requestID: count += ErrorBodyWriter.quotedCount(requestID.span)
            }
        }
        return count
    }

    /// Appends the body.
    func append(requestID: borrowing [UInt8], to output: inout ByteBuffer) {
        for index in pieces.indices {
            switch pieces[index] {
            case .nothing: break
            case .text(let text): output.append(text)
            case .status: output.append(decimal: status)
            case .requestID: ErrorBodyWriter.appendQuoted(requestID.span, to: &output)
            }
        }
    }

    /// Bytes of a request's id as a JSON value.
    static func quotedCount(_ requestID: Span<UInt8>) -> Int {
        isPlain(requestID) ? requestID.count + 2 : 4
    }

    /// Appends a request's id as a JSON value, which is null where it cannot stand there.
    static func appendQuoted(_ requestID: Span<UInt8>, to output: inout ByteBuffer) {
        guard isPlain(requestID) else {
            output.append("null")
            return
        }
        output.append(UInt8(ascii: "\""))
        output.append(requestID)
        output.append(UInt8(ascii: "\""))
    }

    /// Whether a request's id can stand in JSON as it is: clients may have put anything into it.
    static func isPlain(_ requestID: borrowing [UInt8]) -> Bool { isPlain(requestID.span) }

    private static func isPlain(_ requestID: Span<UInt8>) -> Bool {
        for index in requestID.indices {
            let byte = requestID[index]
            if byte <= 0x20 || byte >= 0x7f || byte == 0x22 || byte == 0x5c { return false }
        }
        return !requestID.isEmpty
    }
}
