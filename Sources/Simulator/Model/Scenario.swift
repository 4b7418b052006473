// A whole experiment: a pool, its backends, its clients, and what is measured.

package import Admission

/// One simulated experiment.
package struct Scenario: Equatable, Sendable {
    /// A time over which results are summed up.
    package struct Window: Equatable, Sendable {
        /// Its name in results and expectations.
        package var name: String
        /// Nanoseconds from the simulation's start.
        package var startNanoseconds: Int64
        /// Nanoseconds from the simulation's start.
        package var endNanoseconds: Int64

        /// From the one time to the other.
        package init(name: String, startNanoseconds: Int64, endNanoseconds: Int64) {
            self.name = name
            self.startNanoseconds = startNanoseconds
            self.endNanoseconds = endNanoseconds
        }
    }

    /// What it is about.
    package var name: String
    /// How long it lasts.
    package var durationNanoseconds: Int64
    /// Time at the start that no measure counts.
    package var warmUpNanoseconds: Int64 = 0
    /// Gateways of the same policy in front of the backends, 1...64, which know nothing of each other.
    package var gateways = 1
    /// Another project's rule by which requests are sent to backends at once, instead of the pool's
    /// admission; nil for that.
    package var router: ReferenceRouter?
    /// How replicas of the one backend come and go; nil where backends are what they are.
    package var autoscale: Autoscale?
    /// Between two points of the time series.
    package var sampleNanoseconds: Int64 = 1_000_000_000
    /// Between two reports of the streams' progress to the limit.
    package var progressNanoseconds: Int64 = 50_000_000
    /// How the pool admits.
    package var admission = AdmissionSettings()
    /// The gateway's time-out from the forwarded request to the response's first byte.
    package var firstByteTimeoutNanoseconds: Int64 = 120_000_000_000
    /// The pool's backends, at least one; with `autoscale` the one that is replicated.
    package var backends: [BackendModel]
    /// Who sends requests, at least one.
    package var clients: [ClientGroup]
    /// Times that are measured each for itself, beside the whole.
    package var windows: [Window] = []
    /// What the results have to be.
    package var expectations: [Expectation] = []
    /// The same with something changed, for expectations to compare with.
    package var variants: [Variant] = []
    /// Seeds that the expectations are checked with.
    package var seeds = 1

    /// An experiment with one backend and one group of clients.
    package init(
        name: String, durationNanoseconds: Int64, backends: [BackendModel], clients: [ClientGroup]
    ) {
        self.name = name
        self.durationNanoseconds = durationNanoseconds
        self.backends = backends
        self.clients = clients
    }
}
