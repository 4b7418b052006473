// A mean that forgets: exact at first, and with a fixed weight for each new sample once there were many.

/// The mean of the last samples: of about so many.
struct RecentMean: Sendable {
    private let mostSamples: Double
    private(set) var value = 0.0
    private(set) var samples = 0.0

    init(of mostSamples: Double) { self.mostSamples = mostSamples }

    mutating func add(_ sample: Double) {
        samples = min(samples + 1, mostSamples)
        value += (sample - value) / samples
    }
}
