// What browsers are told about a route, as bytes that were made when the policy came into force.

internal import Bytes
internal import HTTP1
internal import Policy

/// A route's answers to browsers.
final class CrossOriginTexts {
    /// Origins as browsers send them; empty for any.
    private let origins: [[UInt8]]
    /// Whether pages may set any field.
    let allowsAnyHeader: Bool
    /// Methods that the route takes from pages.
    private let methods: [[UInt8]]
    /// Behind the origin, in every response.
    private let behindOrigin: [UInt8]
    /// In responses to preflights, behind that.
    private let preflight: [UInt8]
    /// That caches keep responses to different origins apart; empty where they are the same.
    private let vary: [UInt8]
    private let varyOfPreflight: [UInt8]

    /// What the gateway's own responses say that pages need to know.
    private static let ownFields = [
        "Retry-After", "retry-after-ms", "X-Request-ID", "X-Penstock-Reason",
        "X-Penstock-Fallback", "X-Penstock-Queue-Ms", "x-should-retry", "RateLimit",
        "RateLimit-Policy", "x-ratelimit-limit-requests", "x-ratelimit-limit-tokens",
        "x-ratelimit-remaining-requests", "x-ratelimit-remaining-tokens",
        "x-ratelimit-reset-requests", "x-ratelimit-reset-tokens",
        "anthropic-ratelimit-requests-limit", "anthropic-ratelimit-requests-remaining",
        "anthropic-ratelimit-requests-reset", "anthropic-ratelimit-tokens-limit",
        "anthropic-ratelimit-tokens-remaining", "anthropic-ratelimit-tokens-reset",
    ]

    init(_ settings: CrossOriginSettings) {
        origins = settings.allowsAnyOrigin ? [] : settings.origins.map { Array($0.utf8) }
        allowsAnyHeader = settings.allowsAnyHeader
        methods = settings.methods.map { Array($0.utf8) }
        let own = CrossOriginTexts.ownFields
        let known = own.map { $0.lowercased() }
        let exposed = own + settings.exposed.filter { !known.contains($0) }
        var text = settings.allowsCredentials ? "Access-Control-Allow-Credentials: true\r\n" : ""
        text += "Access-Control-Expose-Headers: \(exposed.joined(separator: ", "))\r\n"
        behindOrigin = Array(text.utf8)
        text = settings.allowsCredentials ? "Access-Control-Allow-Credentials: true\r\n" : ""
        text += "Access-Control-Allow-Methods: \(settings.methods.joined(separator: ", "))\r\n"
        if !allowsAnyHeader, !settings.headers.isEmpty {
            text += "Access-Control-Allow-Headers: \(settings.headers.joined(separator: ", "))\r\n"
        }
        text += "Access-Control-Max-Age: \(settings.maxAge.components.seconds)\r\n"
        preflight = Array(text.utf8)
        let asked = "Access-Control-Request-Method, Access-Control-Request-Headers"
        vary = settings.allowsAnyOrigin ? [] : Array("Vary: Origin\r\n".utf8)
        varyOfPreflight = Array(
            (settings.allowsAnyOrigin ? "Vary: \(asked)\r\n" : "Vary: Origin, \(asked)\r\n").utf8)
    }

    /// Appends what pages of `origin` may do with a response; nil for a request without one, or with several.
    func append(for origin: Span<UInt8>?, to output: inout ByteBuffer) {
        if appendOrigin(origin, to: &output) { output.append(behindOrigin) }
        output.append(vary)
    }

    /// Appends what pages of `origin` may ask for; `headers` are the fields that they want to set.
    func appendPreflight(
        for origin: Span<UInt8>?, headers: Span<UInt8>?, to output: inout ByteBuffer
    ) {
        if appendOrigin(origin, to: &output) {
            output.append(preflight)
            if allowsAnyHeader, let headers {
                output.append("Access-Control-Allow-Headers: ")
                output.appendFieldText(headers)
                output.appendLineEnd()
            }
        }
        output.append(varyOfPreflight)
    }

    private func appendOrigin(_ origin: Span<UInt8>?, to output: inout ByteBuffer) -> Bool {
        guard let origin, !origin.isEmpty else { return false }
        if origins.isEmpty {
            output.append("Access-Control-Allow-Origin: *\r\n")
            return true
        }
        guard origins.contains(where: { origin.equals($0) }) else { return false }
        output.append("Access-Control-Allow-Origin: ")
        output.appendFieldText(origin)
        output.appendLineEnd()
        return true
    }

    /// Whether a backend's field is one of those that the gateway writes itself on such a route.
    static func isOwnField(_ name: Span<UInt8>) -> Bool {
        name.count > prefix.count && name.hasPrefix(lowercase: prefix.span)
    }

    private static let prefix = Array("access-control-".utf8)
}
