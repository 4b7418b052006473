// How backends are started and stopped by what their pool is asked for, as a Horizontal Pod Autoscaler does it.

/// The rule by which replicas of a scenario's one backend come and go.
package struct Autoscale: Equatable, Sendable {
    /// What is looked at.
    package enum Signal: String, CaseIterable, Sendable {
        /// Backends wanted, as the gateways say it.
        case wanted
        /// The same with every refusal counted, also of further tries.
        case wantedAll = "wanted_all"
        /// Requests that wait, for each replica.
        case waiting
        /// Requests in flight, for each replica.
        case inFlight = "in_flight"
        /// Requests in flight over the limits: a ratio, by which the number of those that serve is multiplied.
        case saturation

        /// What it is to be where nothing is said: one wanted for each, and what projects that scale by the others start
        /// from.
        package var usualTarget: Double {
            switch self {
            case .wanted, .wantedAll: 1
            case .waiting: 5
            case .inFlight: 16
            case .saturation: 0.7
            }
        }
    }

    /// Nanoseconds from when a replica is asked for until it serves, from 0.
    package var startUpNanoseconds: Int64 = 180_000_000_000
    /// The fewest replicas, which are there at the start; from 1.
    package var least = 1
    /// The most, from `least`.
    package var most = 12
    /// Nanoseconds between two decisions.
    package var everyNanoseconds: Int64 = 15_000_000_000
    /// By how much the signal may miss its target, as a share, before anything changes; from 0.
    package var tolerance = 0.1
    /// Nanoseconds for which fewer must have been enough before replicas are stopped, from 0.
    package var downAfterNanoseconds: Int64 = 600_000_000_000
    /// What is looked at.
    package var signal = Signal.wanted
    /// What it is to be, above 0; nil for what is usual.
    package var target: Double?

    /// The defaults.
    package init() {}
}

extension Scenario {
    /// The same with as many backends as there may be replicas.
    var withReplicas: Scenario {
        guard let autoscale, let model = backends.first else { return self }
        var scenario = self
        scenario.backends = (0..<autoscale.most).map { index in
            var replica = model
            replica.name = "\(model.name)-\(index)"
            return replica
        }
        return scenario
    }
}
