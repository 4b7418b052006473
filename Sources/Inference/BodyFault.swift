// What can be wrong with a request's body, as far as it is read for routing.

/// Why a body cannot be routed by; each is answered with 400.
package enum BodyFault: Error, Equatable, Sendable {
    /// Bytes that are not JSON, RFC 8259.
    case notJSON
    /// More containers within each other than `JSONScanner.maxDepth`.
    case tooDeep
    /// JSON, but no object.
    case notAnObject
    /// The body ended before its text did.
    case truncated
    /// A second `model`; servers differ in which of two counts.
    case repeatedModel
    /// A second `stream`, or another field that the gateway decides by.
    case repeatedField
    /// A field that the gateway decides by, spelt so that some servers take it for that and others do
    /// not.
    case ambiguousField
    /// A `model` that is no text, is empty, or is longer than `RequestReader.maxModelBytes`.
    case invalidModel
    /// Bytes that are not `multipart/form-data`, RFC 7578.
    case notMultipart
    /// Bytes that are not gzip, RFC 1952.
    case notGzip
    /// Compressed bytes that expand to far more than such bodies do.
    case expandsTooMuch

    /// One sentence for people.
    package var message: String {
        switch self {
        case .notJSON: "The request's body is not valid JSON."
        case .tooDeep: "The request's body is nested too deeply."
        case .notAnObject: "The request's body is not a JSON object."
        case .truncated: "The request's body ends too early."
        case .repeatedModel: "The request names its model twice."
        case .repeatedField: "The request's body says twice what may be said once."
        case .ambiguousField:
            "The request's body has a field that servers read in different ways; write its name as documented."
        case .invalidModel: "The request's model is not a name."
        case .notMultipart: "The request's body is not valid multipart form data."
        case .expandsTooMuch: "The request's body expands to too much."
        case .notGzip: "The request's body is not valid gzip."
        }
    }
}
