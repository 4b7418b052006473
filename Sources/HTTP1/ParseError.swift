// Everything that can be wrong with a message, one case each, so that a test, a log line or a
// counter can say exactly what was refused.

/// Why a message was refused; the connection cannot be used after it.
package enum ParseError: UInt8, Error, Equatable, CaseIterable, Sendable {
    /// A line feed that no carriage return precedes, RFC 9112 section 2.2.
    case bareLineFeed
    /// A carriage return that no line feed follows, RFC 9112 section 2.2.
    case bareCarriageReturn
    /// A method that is empty or no token.
    case invalidMethod
    /// A method of more than 32 bytes: none that anybody implements, RFC 9112 section 3.
    case methodTooLong
    /// A target in none of the four forms, or with a byte that is not visible ASCII.
    case invalidTarget
    /// A `#` in the target.
    case fragmentInTarget
    /// A user name in an absolute-form target, RFC 9110 section 4.2.4.
    case userInformationInTarget
    /// A target's authority that is not `host[:port]`.
    case invalidAuthority
    /// A request line without a version, as in HTTP/0.9.
    case missingVersion
    /// Something else than `HTTP/digit.digit` where the version belongs.
    case invalidVersion
    /// A version other than HTTP/1.0 and HTTP/1.1.
    case unsupportedVersion
    /// A request line longer than the limit of the whole head.
    case targetTooLong
    /// A head or trailer section longer than its limit in bytes.
    case headTooLarge
    /// A head or trailer section with more fields than its limit.
    case tooManyFields
    /// A field line that starts with whitespace, RFC 9112 section 5.2.
    case obsoleteFolding
    /// A field line that starts with a colon.
    case emptyFieldName
    /// A byte in a field name that no token has.
    case invalidFieldName
    /// Whitespace between a field name and its colon, RFC 9112 section 5.1.
    case whitespaceBeforeColon
    /// A field line that ends before its colon.
    case missingColon
    /// A control byte in a field value, RFC 9110 section 5.5.
    case invalidFieldValue
    /// An HTTP/1.1 request without Host, RFC 9112 section 3.2.
    case missingHost
    /// A request with more than one Host.
    case repeatedHost
    /// A Host that is empty or not `host[:port]`.
    case invalidHost
    /// A Content-Length that is not 1 to 18 digits.
    case invalidContentLength
    /// More than one Content-Length, equal or not, or a list in one.
    case repeatedContentLength
    /// A Transfer-Encoding that is malformed or in which chunked is not last, and once.
    case invalidTransferEncoding
    /// More than one Transfer-Encoding field.
    case repeatedTransferEncoding
    /// A transfer coding other than chunked.
    case unsupportedTransferEncoding
    /// A Transfer-Encoding in an HTTP/1.0 message, RFC 9112 section 6.1.
    case transferEncodingInOldVersion
    /// Content-Length together with Transfer-Encoding, RFC 9112 section 6.3.
    case contentLengthWithTransferEncoding
    /// A Connection option that is no token.
    case invalidConnection
    /// More than 32 options in Connection.
    case tooManyConnectionOptions
    /// An Expect other than `100-continue`, RFC 9110 section 10.1.1.
    case unknownExpectation
    /// A chunk size that does not begin and end as hexadecimal digits.
    case invalidChunkSize
    /// A chunk size of more than 15 digits.
    case chunkSizeTooLarge
    /// A chunk extension against its grammar, RFC 9112 section 7.1.1.
    case invalidChunkExtension
    /// More than 256 bytes of extension on a chunk.
    case chunkExtensionTooLong
    /// Far more chunk framing than content.
    case chunkOverheadTooLarge
    /// Content that goes on where a chunk should end.
    case missingChunkEnd
    /// A field that frames, routes or authenticates, in a trailer section, RFC 9110 section 6.5.1.
    case forbiddenTrailer
    /// A status line that is not `HTTP/1.x nnn [reason]`.
    case invalidStatusLine
    /// A status outside 100 to 599.
    case invalidStatusCode
    /// A 1xx response that announces a body, RFC 9110 section 8.6.
    case informationalWithBody
    /// A 101 response that nobody asked for, or not to the protocol that was asked for.
    case unexpectedUpgrade
    /// The peer closed before the end of its response.
    case truncated

    /// The status that responses a request with this error; 502 for what only a backend can do wrong.
    package var status: Int {
        switch self {
        case .targetTooLong: 414
        case .unknownExpectation: 417
        case .headTooLarge, .tooManyFields: 431
        case .unsupportedTransferEncoding, .methodTooLong: 501
        case .invalidStatusLine, .invalidStatusCode, .informationalWithBody, .unexpectedUpgrade,
            .truncated:
            502
        case .unsupportedVersion: 505
        default: 400
        }
    }

    /// A short text for logs and responses, without a full stop.
    package var message: String {
        switch self {
        case .bareLineFeed: "line feed without carriage return"
        case .bareCarriageReturn: "carriage return without line feed"
        case .invalidMethod: "invalid method"
        case .methodTooLong: "method not supported"
        case .invalidTarget: "invalid request target"
        case .fragmentInTarget: "fragment in request target"
        case .userInformationInTarget: "user information in request target"
        case .invalidAuthority: "invalid authority in request target"
        case .missingVersion: "no HTTP version in request line"
        case .invalidVersion: "invalid HTTP version"
        case .unsupportedVersion: "HTTP version not supported"
        case .targetTooLong: "request line too long"
        case .headTooLarge: "header section too large"
        case .tooManyFields: "too many fields"
        case .obsoleteFolding: "line folding or whitespace before a field"
        case .emptyFieldName: "empty field name"
        case .invalidFieldName: "invalid field name"
        case .whitespaceBeforeColon: "whitespace before colon"
        case .missingColon: "field line without colon"
        case .invalidFieldValue: "invalid byte in field value"
        case .missingHost: "missing Host"
        case .repeatedHost: "repeated Host"
        case .invalidHost: "invalid Host"
        case .invalidContentLength: "invalid Content-Length"
        case .repeatedContentLength: "repeated Content-Length"
        case .invalidTransferEncoding: "invalid Transfer-Encoding"
        case .repeatedTransferEncoding: "repeated Transfer-Encoding"
        case .unsupportedTransferEncoding: "transfer coding not supported"
        case .transferEncodingInOldVersion: "Transfer-Encoding in HTTP/1.0"
        case .contentLengthWithTransferEncoding: "both Content-Length and Transfer-Encoding"
        case .invalidConnection: "invalid Connection"
        case .tooManyConnectionOptions: "too many Connection options"
        case .unknownExpectation: "unknown expectation"
        case .invalidChunkSize: "invalid chunk size"
        case .chunkSizeTooLarge: "chunk size too large"
        case .invalidChunkExtension: "invalid chunk extension"
        case .chunkExtensionTooLong: "chunk extension too long"
        case .chunkOverheadTooLarge: "too much chunk framing"
        case .missingChunkEnd: "chunk not followed by a line end"
        case .forbiddenTrailer: "forbidden field in trailer section"
        case .invalidStatusLine: "invalid status line"
        case .invalidStatusCode: "status code out of range"
        case .informationalWithBody: "informational answer with a body"
        case .unexpectedUpgrade: "protocol switch that nobody asked for"
        case .truncated: "connection closed inside an answer"
        }
    }
}
