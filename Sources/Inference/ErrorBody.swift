// The body of an error in each dialect, as the engines and services themselves send it and their
// clients read it. All texts are the program's own, so nothing needs escaping; a request id that
// would is left out.

/// What an error says.
package struct ErrorFacts {
    /// The response's status, 400..599.
    package var status: Int
    /// One sentence for people; without quotation marks, backslashes and control characters.
    package var message: String
    /// What machines tell errors apart by, likewise.
    package var code: String
    /// The status' registered phrase.
    package var title: String
    /// Whether the tenant is over what it may have.
    package var isQuota = false
    /// What that is.
    package var quota = Quota.share
    /// Whether the pool is short of capacity.
    package var isShortage = false

    /// What a tenant may have no more than.
    package enum Quota: Sendable {
        /// Its share of the pool.
        case share
        /// Requests a minute.
        case requests
        /// Tokens a minute.
        case tokens
    }

    /// An error with that status.
    package init(status: Int, title: String, message: String, code: String) {
        self.status = status
        self.title = title
        self.message = message
        self.code = code
    }
}

/// A piece of an error's body.
package enum ErrorPiece {
    /// Nothing.
    case nothing
    /// Text to be written as it is.
    case text(String)
    /// The status in digits.
    case status
    /// The request's id as a JSON value: in quotation marks, or `null`.
    case requestID
}

extension Dialect {
    /// The value of `Content-Type` for an error.
    package var errorContentType: String {
        self == .plain ? "application/problem+json" : "application/json"
    }

    /// The body of an error, in pieces that need no memory of their own.
    package func errorBody(_ facts: ErrorFacts) -> InlineArray<12, ErrorPiece> {
        switch self {
        case .openAI: Dialect.openAIError(facts, before: "", after: "\n")
        case .anthropic: Dialect.anthropicError(facts, before: "", after: "\n")
        case .openInference, .ollama: Dialect.bareError(facts, before: "", after: "\n")
        case .textGeneration: Dialect.textGenerationError(facts, before: "", after: "\n")
        case .plain: Dialect.problem(facts)
        }
    }

    /// An error within a stream that has begun, as an event of its own.
    package func errorEvent(
        _ facts: ErrorFacts, _ format: EventSplitter.Format
    ) -> InlineArray<12, ErrorPiece> {
        switch (self, format) {
        case (.ollama, _), (_, .lines): Dialect.bareError(facts, before: "", after: "\n")
        case (.anthropic, _):
            Dialect.anthropicError(facts, before: "event: error\ndata: ", after: "\n\n")
        case (.textGeneration, _):
            Dialect.textGenerationError(facts, before: "data:", after: "\n\n")
        case (.openInference, _): Dialect.bareError(facts, before: "data: ", after: "\n\n")
        case (.openAI, _), (.plain, _):
            Dialect.openAIError(facts, before: "data: ", after: "\n\n")
        }
    }

    private static func openAIError(
        _ facts: ErrorFacts, before: String, after: String
    ) -> InlineArray<12, ErrorPiece> {
        let type =
            switch facts.status {
            case 401: "authentication_error"
            case 403: "permission_error"
            case 429: "rate_limit_error"
            case 503, 529: "service_unavailable_error"
            case 500...: "server_error"
            default: "invalid_request_error"
            }
        return [
            .text(before), .text("{\"error\":{\"message\":\""), .text(facts.message),
            .text("\",\"type\":\""), .text(type), .text("\",\"param\":null,\"code\":\""),
            .text(facts.code), .text("\"}}"), .text(after), .nothing, .nothing, .nothing,
        ]
    }

    private static func anthropicError(
        _ facts: ErrorFacts, before: String, after: String
    ) -> InlineArray<12, ErrorPiece> {
        let type =
            switch facts.status {
            case 401: "authentication_error"
            case 403: "permission_error"
            case 404: "not_found_error"
            case 413: "request_too_large"
            case 429: "rate_limit_error"
            case 408, 504: "timeout_error"
            case 503, 529: "overloaded_error"
            case 500...: "api_error"
            default: "invalid_request_error"
            }
        return [
            .text(before), .text("{\"type\":\"error\",\"error\":{\"type\":\""), .text(type),
            .text("\",\"message\":\""), .text(facts.message), .text("\"},\"request_id\":"),
            .requestID, .text("}"), .text(after), .nothing, .nothing, .nothing,
        ]
    }

    private static func bareError(
        _ facts: ErrorFacts, before: String, after: String
    ) -> InlineArray<12, ErrorPiece> {
        [
            .text(before), .text("{\"error\":\""), .text(facts.message), .text("\"}"),
            .text(after), .nothing, .nothing, .nothing, .nothing, .nothing, .nothing, .nothing,
        ]
    }

    private static func textGenerationError(
        _ facts: ErrorFacts, before: String, after: String
    ) -> InlineArray<12, ErrorPiece> {
        let type =
            switch facts.status {
            case 429, 503, 529: "overloaded"
            case 500...: "generation"
            default: "validation"
            }
        return [
            .text(before), .text("{\"error\":\""), .text(facts.message),
            .text("\",\"error_type\":\""), .text(type), .text("\"}"), .text(after), .nothing,
            .nothing, .nothing, .nothing, .nothing,
        ]
    }
}
