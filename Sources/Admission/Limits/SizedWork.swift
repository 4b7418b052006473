// Responses in one piece tell how much work they were by their size, where work goes by size: the
// seconds a byte of the response then hardly scatter, however much the requests do.

/// Sums over requests that began and ended at one level.
struct SizedWork: Sendable {
    private(set) var count = 0.0
    private(set) var seconds = 0.0
    private var size = 0.0
    private var secondsSquared = 0.0
    private var secondsSize = 0.0
    private var sizeSquared = 0.0

    /// Takes in a request that took so long for a response of that size, in any unit.
    mutating func add(seconds newSeconds: Double, size newSize: Double) {
        count += 1
        seconds += newSeconds
        size += newSize
        secondsSquared += newSeconds * newSeconds
        secondsSize += newSeconds * newSize
        sizeSquared += newSize * newSize
    }

    mutating func add(_ other: SizedWork) {
        count += other.count
        seconds += other.seconds
        size += other.size
        secondsSquared += other.secondsSquared
        secondsSize += other.secondsSize
        sizeSquared += other.sizeSquared
    }

    /// Seconds for a unit of size, and the square of their relative standard error; nil before the first request.
    var mean: KindTimes.Mean? { secondsPerUnit.map { ($0, relativeVariance) } }

    /// Seconds for a unit of size; nil before the first request.
    var secondsPerUnit: Double? { size > 0 && seconds > 0 ? seconds / size : nil }

    /// The square of the relative standard error of `secondsPerUnit`, as ratio estimators have it:
    /// the sum of (seconds - ratio size)^2 over the square of all seconds.
    var relativeVariance: Double {
        guard count > 1, let ratio = secondsPerUnit else { return .infinity }
        let rest = secondsSquared - 2 * ratio * secondsSize + ratio * ratio * sizeSquared
        return max(0, rest) / (seconds * seconds) * count / (count - 1)
    }
}
