// The one table of everything that /metrics shows. An entry says what a family is called and means,
// and how its samples are found, so that the three cannot come apart; the files
// MetricFamily+….swift hold the entries, grouped by what they are about.

/// One family of metrics: its name, type, unit and meaning, and where its samples come from.
package struct MetricFamily: Sendable {
    /// What kind of numbers a family has.
    package enum Kind: String, Sendable {
        /// A number that only grows.
        case counter
        /// A number that moves both ways.
        case gauge
        /// Counts by upper bound, with their sum.
        case histogram
        /// The constant 1, whose labels are what matters.
        case info
    }

    /// The unit of a family's numbers, also the end of its name.
    package enum Unit: String, Sendable {
        case seconds, bytes
    }

    /// The name of the samples; a histogram's have `_bucket`, `_sum` and `_count` after it.
    package let name: String
    /// What kind of numbers these are.
    package let kind: Kind
    /// The unit; `nil` for plain counts.
    package let unit: Unit?
    /// The names of the labels, `le` not included.
    package let labels: [String]
    /// The meaning, in one line of plain ASCII.
    package let help: String
    /// Writes the samples.
    let write: @Sendable (inout MetricsWriter, MetricsScrape) -> Void
    /// What a gateway has to have for its page to have the family.
    var part = Part.everything

    /// A part of what gateways can do.
    enum Part: Int, CaseIterable {
        /// What all do.
        case everything
        /// Some pool has affinity.
        case affinity
        /// Some listener speaks TLS.
        case tls
        /// Workers may come in.
        case workers
        /// Requests may come as lines.
        case bulk
        /// Bodies pass by a rate in some pool.
        case pacing
        /// Requests are taken from topics.
        case topics

        /// Whether the gateway of `snapshot` does that.
        func isDone(by snapshot: GatewaySnapshot) -> Bool {
            switch self {
            case .everything: true
            case .affinity: snapshot.pools.contains { $0.affinity != nil }
            case .tls: !snapshot.certificates.isEmpty
            case .workers: snapshot.takesWorkers
            case .bulk: snapshot.takesBulk
            case .pacing: snapshot.pools.contains(where: \.hasByteRates)
            case .topics: !snapshot.topics.isEmpty
            }
        }
    }

    /// All families, in the order in which they are shown.
    package static let all: [MetricFamily] =
        gatewayFamilies + poolFamilies + pacingFamilies + affinityFamilies + tlsFamilies
        + workerFamilies
        + modelFamilies
        + backendFamilies
        + processFamilies
}

/// Everything that one scrape reads.
struct MetricsScrape {
    let gateway: GatewaySnapshot
    let process: ProcessStatistics
}

extension MetricFamily {
    /// The same, for pages of gateways that do `part` only.
    func of(_ part: Part) -> MetricFamily {
        var family = self
        family.part = part
        return family
    }

    /// A family with one sample and no labels.
    static func single(
        _ name: String, _ kind: Kind, unit: Unit? = nil, _ help: String,
        _ value: @escaping @Sendable (MetricsScrape) -> UInt64
    ) -> MetricFamily {
        MetricFamily(name: name, kind: kind, unit: unit, labels: [], help: help) { writer, scrape in
            writer.sample("", value(scrape))
        }
    }

    /// A family with one sample a pool.
    static func pool(
        _ name: String, _ kind: Kind, unit: Unit? = nil, _ help: String,
        _ value: @escaping @Sendable (PoolSnapshot) -> UInt64
    ) -> MetricFamily {
        MetricFamily(name: name, kind: kind, unit: unit, labels: ["pool"], help: help) {
            writer, scrape in
            for pool in scrape.gateway.pools { writer.sample(pool.metrics.labels, value(pool)) }
        }
    }

    /// A histogram of durations for each pool.
    static func poolHistogram(
        _ name: String, _ help: String,
        _ histogram: @escaping @Sendable (PoolMetrics) -> Histogram
    ) -> MetricFamily {
        MetricFamily(
            name: name, kind: .histogram, unit: .seconds, labels: ["pool"], help: help
        ) { writer, scrape in
            for pool in scrape.gateway.pools {
                writer.histogram(pool.metrics.labels, histogram(pool.metrics))
            }
        }
    }

    /// A family with one sample a backend.
    static func backend(
        _ name: String, _ kind: Kind, unit: Unit? = nil, _ help: String,
        _ value: @escaping @Sendable (BackendSnapshot) -> UInt64
    ) -> MetricFamily {
        eachBackend(name, kind, unit: unit, help) { writer, backend in
            writer.sample(backend.metrics.labels, value(backend))
        }
    }

    /// A family whose samples are written backend by backend; `further` names its labels beside the
    /// pool's and the backend's.
    static func eachBackend(
        _ name: String, _ kind: Kind, unit: Unit? = nil, further: [String] = [], _ help: String,
        _ write: @escaping @Sendable (inout MetricsWriter, BackendSnapshot) -> Void
    ) -> MetricFamily {
        MetricFamily(
            name: name, kind: kind, unit: unit, labels: ["pool", "backend"] + further, help: help
        ) { writer, scrape in
            for pool in scrape.gateway.pools {
                for backend in pool.backends { write(&writer, backend) }
            }
        }
    }
}
