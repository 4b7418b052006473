// What the pool as a whole did in one stretch of time.

/// Sums over one stretch of time, the pool as a whole.
package struct CellMeasures: Equatable, Sendable {
    /// Nanoseconds from the simulation's start.
    package var startNanoseconds: Int64
    /// Nanoseconds from the simulation's start.
    package var endNanoseconds: Int64
    /// Units of work that the backends did.
    package var unitsDone = 0.0
    /// The limit over time, in requests times seconds.
    package var limitSeconds = 0.0
    /// The requests in flight over time, in requests times seconds.
    package var inFlightSeconds = 0.0
    /// Seconds that the two before were summed over.
    package var seconds = 0.0
    /// Lowest sum of the backends' limits.
    package var minLimit = Int.max
    /// Highest sum of the backends' limits.
    package var maxLimit = 0
    /// Most requests in flight.
    package var maxInFlight = 0
    /// Most requests inside the backends, with those whose clients have left.
    package var maxInside = 0
    /// The most by which those exceeded the limit in force, below 0 where they never did.
    package var maxOverLimit = Int.min
    /// Seconds in which no backend worked while clients waited.
    package var idleSeconds = 0.0
    /// Units of work that backends did for clients that had left.
    package var wastedUnits = 0.0
    /// Units of work by backend.
    package var backendUnits: [Double]
    /// Attempts that backends answered with 429.
    package var backendRejects = 0
    /// Requests that were sent to another backend after one had failed them.
    package var retries = 0
    /// Most attempts that came within one second.
    package var peakArrivals = 0
    /// Fewest and most replicas that were asked for, and that served; 0 at most without `autoscale`.
    package var minReplicas = Int.max
    package var maxReplicas = 0
    package var minReady = Int.max
    package var maxReady = 0
    /// How often another number was asked for.
    package var replicaChanges = 0

    /// Nothing yet.
    init(startNanoseconds: Int64, endNanoseconds: Int64, backends: Int) {
        backendUnits = Array(repeating: 0, count: backends)
        self.startNanoseconds = startNanoseconds
        self.endNanoseconds = endNanoseconds
    }

    /// Units of work of the backend at that index; 0 when there is none.
    package func unitsDone(by backend: Int) -> Double {
        backendUnits.indices.contains(backend) ? backendUnits[backend] : 0
    }

    /// So many replicas are asked for, and so many serve.
    mutating func noteReplicas(asked: Int, ready: Int) {
        minReplicas = min(minReplicas, asked)
        maxReplicas = max(maxReplicas, asked)
        minReady = min(minReady, ready)
        maxReady = max(maxReady, ready)
    }

    /// Adds what happened in another stretch of time.
    mutating func add(_ other: CellMeasures) {
        unitsDone += other.unitsDone
        limitSeconds += other.limitSeconds
        inFlightSeconds += other.inFlightSeconds
        seconds += other.seconds
        minLimit = min(minLimit, other.minLimit)
        maxLimit = max(maxLimit, other.maxLimit)
        maxInFlight = max(maxInFlight, other.maxInFlight)
        maxInside = max(maxInside, other.maxInside)
        maxOverLimit = max(maxOverLimit, other.maxOverLimit)
        idleSeconds += other.idleSeconds
        wastedUnits += other.wastedUnits
        for index in backendUnits.indices { backendUnits[index] += other.backendUnits[index] }
        backendRejects += other.backendRejects
        retries += other.retries
        peakArrivals = max(peakArrivals, other.peakArrivals)
        minReplicas = min(minReplicas, other.minReplicas)
        maxReplicas = max(maxReplicas, other.maxReplicas)
        minReady = min(minReady, other.minReady)
        maxReady = max(maxReady, other.maxReady)
        replicaChanges += other.replicaChanges
    }
}
