// The numbers that a run is judged by, under the names that scenario files use.

/// A number that a run comes to.
package enum Measure: String, CaseIterable, Sendable {
    /// Units of work a second that the backends did.
    case throughput
    /// Units a second of requests that were answered before their deadline.
    case goodput
    /// Attempts a second.
    case offered
    /// Responses a second.
    case completed
    /// Attempts refused over attempts offered.
    case rejectedShare = "rejected_share"
    /// Attempts refused because their tenant had more than its share, over attempts offered.
    case quotaShare = "quota_share"
    /// Responses before the deadline over attempts offered.
    case servedShare = "served_share"
    /// Responses after the deadline over responses.
    case lateShare = "late_share"
    /// Attempts that backends failed over attempts accepted.
    case failedShare = "failed_share"
    /// Refused attempts that had waited more than a quarter of what their clients bear, over
    /// attempts refused.
    case refusedWaitedShare = "refused_waited_share"
    /// Attempts that backends answered with 429 over attempts accepted.
    case backendRejectedShare = "backend_rejected_share"
    /// Times that requests were sent to another backend after one had failed them, over attempts accepted.
    case retriedShare = "retried_share"
    /// Mean of the limit over time.
    case limitMean = "limit_mean"
    /// Lowest limit.
    case limitMin = "limit_min"
    /// Highest limit.
    case limitMax = "limit_max"
    /// What the limit was at or below for nine tenths of the time.
    case limitHigh = "limit_p90"
    /// Highest limit over lowest.
    case limitSwing = "limit_swing"
    /// Lowest limit over what the requests in flight were at or below for 99 % of the time.
    case limitHeadroom = "limit_headroom"
    /// Times that the limit was moved, over the whole run.
    case limitMoves = "limit_moves"
    /// Mean of the requests in flight over time.
    case inFlightMean = "in_flight_mean"
    /// Most requests in flight.
    case inFlightMax = "in_flight_max"
    /// Most requests inside the backends, with those whose clients have left.
    case insideMax = "inside_max"
    /// The most by which those exceeded the limit in force.
    case insideOverLimit = "inside_over_limit"
    /// Units that backends worked for clients that had left, over all units of work.
    case wasteShare = "waste_share"
    /// Units of work that one backend did over those of all.
    case workShare = "work_share"
    /// Seconds in which no backend worked while clients waited in the queue or for a time they
    /// were told.
    case idleSeconds = "idle_seconds"
    /// Median seconds a unit.
    case unitMedian = "unit_p50"
    /// Seconds a unit that 99 of 100 responses keep below.
    case unitHigh = "unit_p99"
    /// Median seconds from the first attempt to the response.
    case totalMedian = "total_p50"
    /// Seconds from the first attempt to the response that 99 of 100 keep below.
    case totalHigh = "total_p99"
    /// Median seconds in the gateway's queue.
    case waitMedian = "wait_p50"
    /// Seconds in the gateway's queue that 99 of 100 keep below.
    case waitHigh = "wait_p99"
    /// Median seconds from the first attempt to the response's first unit.
    case firstByteMedian = "first_byte_p50"
    /// Seconds from the first attempt to the response's first unit that 9 of 10 keep below.
    case firstByteP90 = "first_byte_p90"
    /// Seconds from the first attempt to the response's first unit that 99 of 100 keep below.
    case firstByteHigh = "first_byte_p99"
    /// Tokens of prompts that backends had in their caches, over all tokens of prompts.
    case hitShare = "hit_share"
    /// Seconds for which answered requests had their backends' slots, over those of all groups of clients.
    case slotShare = "slot_share"
    /// The most by which a request that waited was passed by others for their prompts' sake, over the whole
    /// run.
    case passesMax = "passes_max"
    /// Most attempts within one second.
    case peakArrivals = "peak_arrivals"
    /// Fewest replicas that were asked for, those that start included.
    case replicasMin = "replicas_min"
    /// Most replicas that were asked for.
    case replicasMax = "replicas_max"
    /// Fewest replicas that served.
    case readyMin = "ready_min"
    /// Most replicas that served.
    case readyMax = "ready_max"
    /// How often another number of replicas was asked for.
    case replicaChanges = "replica_changes"
    /// Jain's index of the costs that were served, over the groups of clients.
    case jain
}

extension Measure {
    /// Whether it can be measured of one backend.
    package var isOfBackend: Bool { self == .throughput || self == .workShare }

    /// Whether it is a number of requests in flight, or the limit on it.
    package var isOfConcurrency: Bool {
        switch self {
        case .limitMean, .limitMin, .limitMax, .limitHigh, .inFlightMean, .inFlightMax: true
        default: false
        }
    }
}
