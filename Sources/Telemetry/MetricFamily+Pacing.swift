// The families about rates of bytes. A page of a gateway without any has none of them.

internal import Admission

extension MetricFamily {
    static let pacingFamilies: [MetricFamily] = pacing.map { $0.of(.pacing) }

    private static let pacing: [MetricFamily] = [
        each(
            "penstock_paced_bytes_total", .bytes,
            "Bytes of bodies that passed by a rate of bytes, from backends (down) or to them (up)."
        ) { writer, labels, metrics, direction in
            writer.sample(labels, metrics.pacedBytes[Int(direction.rawValue)])
        },
        each(
            "penstock_paced_seconds_total", .seconds,
            "Time for which bodies waited for their rate, of all requests together."
        ) { writer, labels, metrics, direction in
            let waited = Int64(clamping: metrics.pacedNanoseconds[Int(direction.rawValue)])
            writer.seconds(labels, nanoseconds: waited)
        },
    ]

    /// A family with a sample for each direction of each pool with rates.
    private static func each(
        _ name: String, _ unit: Unit, _ help: String,
        _ write:
            @escaping @Sendable (inout MetricsWriter, String, PoolMetrics, ByteDirection) ->
            Void
    ) -> MetricFamily {
        MetricFamily(
            name: name, kind: .counter, unit: unit, labels: ["pool", "direction"], help: help
        ) { writer, scrape in
            for pool in scrape.gateway.pools where pool.hasByteRates {
                for direction in ByteDirection.allCases {
                    let labels = "\(pool.metrics.labels),direction=\"\(direction.name)\""
                    write(&writer, labels, pool.metrics, direction)
                }
            }
        }
    }
}
