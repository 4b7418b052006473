// One point of the time series.

/// The pool's state at a time, and what happened since the point before.
package struct SamplePoint: Equatable, Sendable {
    /// Nanoseconds from the simulation's start.
    package var timeNanoseconds: Int64
    /// Sum of the backends' limits.
    package var limit: Int
    /// Requests in flight.
    package var inFlight: Int
    /// Requests that wait in the gateway.
    package var queueLength: Int
    /// Units a second that the backends did since the point before.
    package var unitsPerSecond: Double
    /// Longest wait of those who were started since the point before, in seconds.
    package var waitSeconds: Double
    /// Attempts since the point before.
    package var offered: Int
    /// Attempts refused since the point before, by reason.
    package var rejectedByReason: [Int]
    /// Replicas that are asked for, and those that serve; 0 without `autoscale`.
    package var replicas: Int
    package var ready: Int
}
