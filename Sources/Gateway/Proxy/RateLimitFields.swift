// What a tenant is told about its share, in the fields of draft-ietf-httpapi-ratelimit-headers-11.
// Both are structured fields, RFC 9651: lists of one item with parameters.

internal import Admission
internal import Bytes
internal import HTTP1

/// The fields `RateLimit-Policy` and `RateLimit`.
struct RateLimitFields {
    private let share: TenantShare
    /// When more may be had, in whole seconds; nil when that is not known.
    private let secondsUntilMore: Int?

    /// What `share` comes to; a refusal also says after how many seconds to come back.
    init(_ share: TenantShare, secondsUntilMore: Int? = nil) {
        self.share = share
        self.secondsUntilMore = secondsUntilMore
    }

    /// The name of the policy, also in the problem details.
    static let policyName = "share"

    /// Appends the two fields.
    func append(to output: inout ByteBuffer) {
        output.append("RateLimit-Policy: \"share\";q=")
        output.append(decimal: share.limit)
        output.append(";qu=\"concurrent-requests\"\r\nRateLimit: \"share\";r=")
        output.append(decimal: secondsUntilMore == nil ? share.remaining : 0)
        if let secondsUntilMore {
            output.append(";t=")
            output.append(decimal: secondsUntilMore)
        }
        output.appendLineEnd()
    }
}
