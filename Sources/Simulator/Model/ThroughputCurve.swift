// Throughput that no formula gives, such as a measured one: points, and straight lines between them.

/// How much a backend does with how many requests, by points.
///
/// Below the first point throughput grows in proportion to the requests, above the last it stays as it is.
package struct ThroughputCurve: Equatable, Sendable {
    /// What a backend does with so many requests at work.
    package struct Point: Equatable, Sendable {
        /// Requests at work, 1..4,096.
        package var requests: Int
        /// Units of work a second for all of them together, above 0 and up to 10⁹.
        package var unitsPerSecond: Double

        /// A point of a curve.
        package init(requests: Int, unitsPerSecond: Double) {
            self.requests = requests
            self.unitsPerSecond = unitsPerSecond
        }
    }

    /// Most points that a curve has.
    static let mostPoints = 64
    /// The requests that a point may be about: no knee is looked for beyond.
    static let requests = 1...4096

    private let points: [Point]

    /// A curve through 1 to 64 points, the one with the fewest requests first.
    package init(_ points: [Point]) {
        precondition((1...Self.mostPoints).contains(points.count), "a curve has 1 to 64 points")
        precondition(
            zip(points, points.dropFirst()).allSatisfy { $0.requests < $1.requests },
            "points go by their requests")
        self.points = points
    }

    /// Units of work a second for all of `running` requests together.
    package func unitsPerSecond(running: Int) -> Double {
        var before = Point(requests: 0, unitsPerSecond: 0)
        for point in points {
            if running <= point.requests {
                let part =
                    Double(running - before.requests) / Double(point.requests - before.requests)
                return before.unitsPerSecond + part * (point.unitsPerSecond - before.unitsPerSecond)
            }
            before = point
        }
        return before.unitsPerSecond
    }
}
