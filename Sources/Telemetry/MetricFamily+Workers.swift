// The families about workers. A page of a gateway that takes none has none of them.

extension MetricFamily {
    static let workerFamilies: [MetricFamily] = worker.map { $0.of(.workers) }

    private static let worker: [MetricFamily] = [
        .taking(
            "penstock_workers", .gauge, "Workers of the pool that have a connection."
        ) { UInt64(clamping: $0.workers?.workers ?? 0) },
        .taking(
            "penstock_worker_credits", .gauge,
            "Connections of the pool's workers that carry a request or wait for one."
        ) { UInt64(clamping: $0.workers?.credits ?? 0) },
        .taking(
            "penstock_worker_returns_total", .counter,
            "Requests that went back to the head of their queue because their worker was gone before it had begun."
        ) { $0.metrics.workerReturns },
        .taking(
            "penstock_workers_lost_total", .counter,
            "Workers that did not answer two probes and were taken for lost."
        ) { $0.metrics.workersLost },
        MetricFamily(
            name: "penstock_worker_handshakes_total", kind: .counter, unit: nil,
            labels: ["result"], help: "Handshakes of workers, by what came of them."
        ) { writer, scrape in
            for result in WorkerHandshakeResult.allCases {
                writer.sample(
                    "result=\"\(result.name)\"",
                    scrape.gateway.metrics.workerHandshakes[Int(result.rawValue)])
            }
        },
    ]

    /// A family with a sample for each pool that takes workers.
    private static func taking(
        _ name: String, _ kind: Kind, _ help: String,
        _ value: @escaping @Sendable (PoolSnapshot) -> UInt64
    ) -> MetricFamily {
        MetricFamily(name: name, kind: kind, unit: nil, labels: ["pool"], help: help) {
            writer, scrape in
            for pool in scrape.gateway.pools where pool.workers != nil {
                writer.sample(pool.metrics.labels, value(pool))
            }
        }
    }
}
