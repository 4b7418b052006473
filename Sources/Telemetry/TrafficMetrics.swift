// What the requests of one model, class and tenant of a pool came to. It belongs to the reactor's
// thread.

package import Admission
package import Inference

/// Counters of one model, class and tenant.
package final class TrafficMetrics {
    /// The times of the model's streams in the class.
    package unowned let streams: StreamMetrics
    /// The tenant's slot in `PoolMetrics.tenantNames`; -1 for all that the policy does not name.
    package let tenant: Int
    /// The tenant's name; empty for all that the policy does not name.
    package let tenantName: String
    /// `model="…",class="…",tenant="…"`, ready to be written.
    let labels: String

    /// Requests that were answered whole, with success.
    package private(set) var responses: UInt64 = 0
    /// Those of them that ended within their deadline, or had none.
    package private(set) var responsesInTime: UInt64 = 0
    /// Tokens of prompts and responses, as reported, else counted by events.
    package private(set) var inputTokens: UInt64 = 0
    /// Tokens of responses.
    package private(set) var outputTokens: UInt64 = 0
    /// Time for which requests held units of the limit, times the units.
    package private(set) var costNanoseconds: UInt128 = 0
    private var shed = [UInt64](repeating: 0, count: Reason.allCases.count)

    init(_ streams: StreamMetrics, tenant: Int, name: String) {
        self.streams = streams
        self.tenant = tenant
        tenantName = name
        labels = "\(streams.labels),tenant=\"\(escapedLabel(name))\""
    }

    /// Shows every counter to `walk`.
    func walk(_ walk: inout CounterWalk) {
        walk.visit(&responses)
        walk.visit(&responsesInTime)
        walk.visit(&inputTokens)
        walk.visit(&outputTokens)
        walk.visit(&costNanoseconds)
        walk.visit(&shed)
    }

    /// Counts a whole response.
    package func countResponse(isInTime: Bool) {
        responses &+= 1
        if isInTime { responsesInTime &+= 1 }
    }

    /// Counts what a response came to.
    package func countTokens(_ usage: TokenUsage) {
        inputTokens &+= UInt64(clamping: usage.input ?? 0)
        outputTokens &+= UInt64(clamping: usage.output ?? 0)
    }

    /// Counts the time for which a request held so many units of the limit.
    package func countCost(nanoseconds: Int64, units: Int) {
        costNanoseconds &+= UInt128(max(0, nanoseconds)) &* UInt128(max(0, units))
    }

    /// Counts a refusal.
    package func countShed(_ reason: Reason) { shed[Int(reason.rawValue)] &+= 1 }

    /// How often `reason` was a refusal's.
    package func shedCount(_ reason: Reason) -> UInt64 { shed[Int(reason.rawValue)] }
}
