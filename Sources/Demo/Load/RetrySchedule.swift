// Clients that were told to come back later, until they do.

package import Admission

/// Requests by the time at which they are sent again.
package struct RetrySchedule: Sendable {
    /// The soonest is the last.
    private var requests: [PlannedRequest] = []

    /// Clients that can be waiting to come back; more than that stay away.
    package static let capacity = 50_000

    /// A schedule without requests.
    package init() {}

    /// Requests that will be sent again.
    package var count: Int { requests.count }

    /// Takes in a request that is sent again at its `at`; false when there are too many already.
    package mutating func insert(_ request: PlannedRequest) -> Bool {
        guard requests.count < RetrySchedule.capacity else { return false }
        var low = 0
        var high = requests.count
        while low < high {
            let middle = (low + high) / 2
            if requests[middle].at > request.at { low = middle + 1 } else { high = middle }
        }
        requests.insert(request, at: low)
        return true
    }

    /// Takes out a request whose time has come; nil when there is none.
    package mutating func popDue(now: Instant) -> PlannedRequest? {
        guard let last = requests.last, last.at <= now else { return nil }
        return requests.popLast()
    }
}
