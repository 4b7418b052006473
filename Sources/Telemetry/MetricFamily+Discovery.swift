// The families of pools whose backends are looked up; pools whose backends the policy names have no samples.

extension MetricFamily {
    static let discoveryFamilies: [MetricFamily] = [
        .discovery(
            "penstock_discovery_backends", .gauge,
            "Backends in the last good answer of where they are looked up; 0 before the first."
        ) { UInt64(clamping: $0.backends) },
        .discovery(
            "penstock_discovery_unready_backends", .gauge,
            "Backends in the last good answer that it says are not ready."
        ) { UInt64(clamping: $0.unready) },
        MetricFamily(
            name: "penstock_discovery_good_timestamp_seconds", kind: .gauge, unit: .seconds,
            labels: ["pool", "source"],
            help: "When backends were last looked up with a good answer, in seconds since 1970; "
                + "0 before the first."
        ) { writer, scrape in
            for pool in scrape.gateway.pools {
                guard let discovery = pool.discovery else { continue }
                writer.seconds(
                    "\(pool.metrics.labels),\(discovery.label)",
                    nanoseconds: discovery.goodNanoseconds)
            }
        },
        .discovery(
            "penstock_discovery_errors_total", .counter,
            "Times that backends were looked up without a good answer: those that are known stay."
        ) { $0.errors },
        .discovery(
            "penstock_discovery_changes_total", .counter,
            "Times that backends were looked up and were others than before."
        ) { $0.changes },
    ]

    private static func discovery(
        _ name: String, _ kind: Kind, _ help: String,
        _ value: @escaping @Sendable (DiscoverySnapshot) -> UInt64
    ) -> MetricFamily {
        MetricFamily(name: name, kind: kind, unit: nil, labels: ["pool", "source"], help: help) {
            writer, scrape in
            for pool in scrape.gateway.pools {
                guard let discovery = pool.discovery else { continue }
                writer.sample(pool.metrics.labels, discovery.label, value(discovery))
            }
        }
    }
}

extension DiscoverySnapshot {
    /// `source="…"`, ready to be written.
    fileprivate var label: String { "source=\"\(escapedLabel(source))\"" }
}
