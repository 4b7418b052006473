// One point of the space that `Adversary` searches: backends, clients and what goes wrong, as a few numbers that
// chance draws and changes. `text` is the scenario file that it stands for, so that what was found can be kept
// and judged like any other.

package import Admission

/// A scenario by what it is drawn from.
package struct Challenge: Equatable, Sendable {
    /// A group of clients, which is a tenant of its own.
    struct Group: Equatable, Sendable {
        /// What it asks for, as a share of what the backends can do.
        var load: Double
        /// Mean units of work of a request; responses of more than a few are streamed or not.
        var units: Double
        /// Their standard deviation over the mean.
        var variation: Double
        var streams: Bool
        /// What clients bear, in times that a request takes in a full backend; nil for patient ones.
        var patience: Double?
        /// Whether all bear the same.
        var isPatienceFixed: Bool
        /// The share of clients that leave at all.
        var impatientShare: Double
        /// Whether refused clients try again.
        var retries: Bool
        /// How many times the load comes for a half of each minute; 1 for steady.
        var burst: Double
        /// How long a client takes to read, in times that a request takes.
        var reading: Double
    }

    /// Seconds that a mean request takes in a full backend.
    var serviceSeconds: Double
    /// Requests that a backend works on at once.
    var places: Int
    /// A lone request's unit over what the other places add to it; infinite for slots.
    var base: Double
    var backends: Int
    var continues: Bool
    /// Factor on all times in the second half; 1 for none.
    var slowdown: Double
    /// The part of the places above which the backends preempt; nil for never.
    var preemptsAbove: Double?
    /// A share of requests that fail, and how.
    var failures: (share: Double, status: Int)?
    var groups: [Group]

    package static func == (one: Challenge, other: Challenge) -> Bool { one.text == other.text }
}

// MARK: - Drawing

extension Challenge {
    /// Most requests a second that the backends may be able to do, so that a run takes no more than a moment.
    private static let mostRequestsPerSecond = 60.0
    private static let services = 0.05...8.0
    private static let mostPlaces = 256.0

    /// Draws one.
    package static func random(_ chance: inout SplitMix64) -> Challenge {
        var drawn = Challenge(
            serviceSeconds: chance.between(services),
            places: Int(chance.between(1...mostPlaces)), base: .infinity, backends: 1,
            continues: chance.isTrue(0.4), slowdown: 1, preemptsAbove: nil, failures: nil,
            groups: [])
        drawn.base = drawBase(&chance)
        drawn.backends = chance.isTrue(0.7) ? 1 : 2 + Int(2 * chance.unit())
        drawn.slowdown = drawSlowdown(&chance)
        drawn.preemptsAbove = drawPreemption(&chance)
        drawn.failures = drawFailures(&chance)
        let count = chance.isTrue(0.5) ? 1 : 2 + Int(2 * chance.unit())
        drawn.groups = (0..<count).map { _ in drawGroup(&chance, of: count) }
        return drawn.bounded
    }

    /// Draws one that differs from this in one or two things.
    package func changed(_ chance: inout SplitMix64) -> Challenge {
        var other = self
        for _ in 0..<(chance.isTrue(0.5) ? 1 : 2) {
            switch Int(8 * chance.unit()) {
            case 0: other.serviceSeconds *= chance.between(0.5...2)
            case 1: other.places = Int(Double(other.places) * chance.between(0.5...2))
            case 2: other.base = Self.drawBase(&chance)
            case 3: other.continues.toggle()
            case 4: other.slowdown = Self.drawSlowdown(&chance)
            case 5: other.failures = Self.drawFailures(&chance)
            case 6: other.preemptsAbove = Self.drawPreemption(&chance)
            default:
                let index = Int(Double(groups.count) * chance.unit())
                other.groups[index].change(&chance)
            }
        }
        return other.bounded
    }

    /// The same within the bounds.
    private var bounded: Challenge {
        var other = self
        let services = Self.services
        other.serviceSeconds = min(max(serviceSeconds, services.lowerBound), services.upperBound)
        let most = Self.mostRequestsPerSecond * other.serviceSeconds / Double(backends)
        other.places = max(1, min(places, Int(min(most, Self.mostPlaces))))
        return other
    }

    private static func drawBase(_ chance: inout SplitMix64) -> Double {
        chance.isTrue(0.4) ? .infinity : chance.between(0.1...10)
    }

    private static func drawSlowdown(_ chance: inout SplitMix64) -> Double {
        chance.isTrue(0.7) ? 1 : chance.between(0.4...3)
    }

    private static func drawPreemption(_ chance: inout SplitMix64) -> Double? {
        chance.isTrue(0.85) ? nil : chance.between(0.4...1)
    }

    private static func drawFailures(_ chance: inout SplitMix64) -> (share: Double, status: Int)? {
        let statuses = [429, 500, 502, 503]
        guard chance.isTrue(0.1) else { return nil }
        return (chance.between(0.01...0.3), statuses[Int(4 * chance.unit())])
    }

    private static func drawGroup(_ chance: inout SplitMix64, of count: Int) -> Group {
        let streams = chance.isTrue(0.5)
        return Group(
            load: chance.between(0.4...10) / Double(count),
            units: streams ? chance.between(10...300) : chance.between(1...50),
            variation: chance.isTrue(0.3) ? 0 : chance.between(0.1...1.2), streams: streams,
            patience: chance.isTrue(0.4) ? nil : chance.between(1.2...15),
            isPatienceFixed: chance.isTrue(0.5),
            impatientShare: chance.isTrue(0.7) ? 1 : chance.between(0.1...0.9),
            retries: chance.isTrue(0.25), burst: chance.isTrue(0.8) ? 1 : chance.between(1.5...6),
            reading: chance.isTrue(0.9) ? 0 : chance.between(0.1...3))
    }
}

extension Challenge.Group {
    fileprivate mutating func change(_ chance: inout SplitMix64) {
        switch Int(7 * chance.unit()) {
        case 0: load = min(20, load * chance.between(0.5...2))
        case 1: units = min(1000, max(1, units * chance.between(0.4...2.5)))
        case 2: variation = chance.isTrue(0.3) ? 0 : chance.between(0.1...1.5)
        case 3: streams.toggle()
        case 4:
            patience = chance.isTrue(0.3) ? nil : chance.between(1.1...15)
            isPatienceFixed = chance.isTrue(0.5)
        case 5: retries.toggle()
        default: burst = chance.isTrue(0.5) ? 1 : chance.between(1.5...6)
        }
    }
}

extension SplitMix64 {
    fileprivate mutating func isTrue(_ share: Double) -> Bool { unit() < share }

    /// A number between the bounds, as likely in each octave, which must be above 0.
    fileprivate mutating func between(_ bounds: ClosedRange<Double>) -> Double {
        let octaves = Arithmetic.logarithm(bounds.upperBound / bounds.lowerBound)
        return bounds.lowerBound * Arithmetic.exponential(octaves * unit())
    }
}
