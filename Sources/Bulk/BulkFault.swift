// What can be wrong with one line of a bulk request. It fails that line alone.

/// Why a line is not asked of anybody.
package enum BulkFault: Error, Equatable, Sendable, CaseIterable {
    /// Bytes that are not JSON (RFC 8259), or JSON that is nested too deeply.
    case notJSON
    /// JSON, but no object.
    case notAnObject
    /// More bytes than `bulk.max_line`.
    case tooLong
    /// A `custom_id` that is no text, or has more than 256 bytes.
    case invalidCustomID
    /// A `method` that is not `POST`.
    case invalidMethod
    /// A `url` that is no path, has more than 256 bytes, is missing where nothing else says it, or is another
    /// one than the request's own.
    case invalidURL
    /// No `body`, or one that is no object.
    case invalidBody
    /// A field that says twice what may be said once.
    case repeatedField
    /// A body that asks for a stream, which cannot stand in one line.
    case streamed

    /// The word in `error.code` of the result.
    package var code: String {
        switch self {
        case .notJSON: "invalid_json"
        case .notAnObject: "invalid_line"
        case .tooLong: "line_too_large"
        case .invalidCustomID: "invalid_custom_id"
        case .invalidMethod: "invalid_method"
        case .invalidURL: "invalid_url"
        case .invalidBody: "invalid_body"
        case .repeatedField: "repeated_field"
        case .streamed: "stream_not_supported"
        }
    }

    /// One sentence for people, in `error.message`.
    package var message: String {
        switch self {
        case .notJSON: "The line is not valid JSON."
        case .notAnObject: "The line is not a JSON object."
        case .tooLong: "The line is longer than this gateway takes."
        case .invalidCustomID: "The line's custom_id is not a text of at most 256 bytes."
        case .invalidMethod: "The line's method is not POST."
        case .invalidURL: "The line's url is not a path that can be asked for here."
        case .invalidBody: "The line's body is not a JSON object."
        case .repeatedField: "The line says twice what may be said once."
        case .streamed: "The line asks for a stream; leave stream out, or write false."
        }
    }
}
