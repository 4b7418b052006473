// The families about requests that come as lines. A page of a gateway that takes none has none of them.

extension MetricFamily {
    static let bulkFamilies: [MetricFamily] = bulk.map { $0.of(.bulk) }

    private static let bulk: [MetricFamily] = [
        .single("penstock_bulk_requests", .gauge, "Bulk requests being answered now.") {
            $0.gateway.metrics.bulkBegan &- $0.gateway.metrics.bulkEnded
        },
        MetricFamily(
            name: "penstock_bulk_lines_total", kind: .counter, unit: nil, labels: ["result"],
            help:
                "Lines of bulk requests that were answered, completed with a status of 2xx or failed."
        ) { writer, scrape in
            let metrics = scrape.gateway.metrics
            writer.sample("result=\"completed\"", metrics.bulkLinesCompleted)
            writer.sample("result=\"failed\"", metrics.bulkLinesFailed)
        },
    ]
}
