// The families with samples of each model: histograms by model and priority class, counters by
// tenant too. Tenants are those that the policy names, models those that were asked for, each up to
// a bound, so that no client can add series without end. Before anything was asked for each family
// has one sample of 0.

import Admission
import Inference

extension MetricFamily {
    static let modelFamilies: [MetricFamily] = [
        .streamHistogram(
            "penstock_time_to_first_token_seconds",
            "Time from a request's first byte to the first event of its stream that carries tokens."
        ) { $0.firstToken },
        .streamHistogram(
            "penstock_inter_token_seconds",
            "Time between two events of a stream that carry tokens."
        ) { $0.interToken },
        .streamHistogram(
            "penstock_stream_tokens_per_second",
            "Tokens a second of whole streams, from their first token to their last.", unit: nil
        ) { $0.tokenRate },
        .traffic(
            "penstock_model_responses_total", "Requests that their backend answered with success."
        ) { $0.responses },
        .traffic(
            "penstock_goodput_total",
            "Those of penstock_model_responses_total that ended within their deadline, or had none."
        ) { $0.responsesInTime },
        .traffic(
            "penstock_input_tokens_total", "Tokens of prompts, as answers reported them."
        ) { $0.inputTokens },
        .traffic(
            "penstock_output_tokens_total",
            "Tokens of answers, as they reported them, else events of their streams that carry tokens."
        ) { $0.outputTokens },
        cost, shed,
    ]

    private static let trafficLabels = ["pool", "model", "class", "tenant"]

    private static let cost = MetricFamily(
        name: "penstock_cost_seconds_total", kind: .counter, unit: .seconds, labels: trafficLabels,
        help: "Time for which requests held units of the limit, times the units: what they cost."
    ) { writer, scrape in
        forEachTraffic(of: scrape) { pool, labels, traffic in
            let nanoseconds = Int64(clamping: traffic?.costNanoseconds ?? 0)
            writer.seconds("\(pool.metrics.labels),\(labels)", nanoseconds: nanoseconds)
        }
    }

    private static let shed = MetricFamily(
        name: "penstock_shed_total", kind: .counter, unit: nil,
        labels: trafficLabels + ["reason"],
        help: "Requests of inference interfaces that admission refused."
    ) { writer, scrape in
        forEachTraffic(of: scrape) { pool, labels, traffic in
            for reason in Reason.allCases {
                let count = traffic?.shedCount(reason) ?? 0
                guard count > 0 || reason == .queueFull else { continue }
                writer.sample(pool.metrics.labels, labels, reason.label, count)
            }
        }
    }

    private static func traffic(
        _ name: String, _ help: String, _ value: @escaping @Sendable (TrafficMetrics) -> UInt64
    ) -> MetricFamily {
        MetricFamily(
            name: name, kind: .counter, unit: nil, labels: trafficLabels, help: help
        ) { writer, scrape in
            forEachTraffic(of: scrape) { pool, labels, traffic in
                writer.sample(pool.metrics.labels, labels, traffic.map(value) ?? 0)
            }
        }
    }

    /// Calls `body` for each combination that was asked for, with its labels; without counters where
    /// nothing was.
    private static func forEachTraffic(
        of scrape: MetricsScrape, _ body: (PoolSnapshot, String, TrafficMetrics?) -> Void
    ) {
        for pool in scrape.gateway.pools {
            let traffic = pool.metrics.allStreams.flatMap(\.traffic)
            for row in traffic { body(pool, row.labels, row) }
            if traffic.isEmpty { body(pool, "\(noModel(pool)),tenant=\"\"", nil) }
        }
    }

    private static func noModel(_ pool: PoolSnapshot) -> String {
        "model=\"\",\(pool.metrics.classes[0].label)"
    }

    private static func streamHistogram(
        _ name: String, _ help: String, unit: Unit? = .seconds,
        _ histogram: @escaping @Sendable (StreamMetrics) -> Histogram
    ) -> MetricFamily {
        MetricFamily(
            name: name, kind: .histogram, unit: unit, labels: ["pool", "model", "class"],
            help: help
        ) { writer, scrape in
            for pool in scrape.gateway.pools {
                let all = pool.metrics.allStreams
                for streams in all {
                    writer.histogram("\(pool.metrics.labels),\(streams.labels)", histogram(streams))
                }
                if all.isEmpty {
                    let none = StreamMetrics(model: ModelMetrics(name: []), pool.metrics.classes[0])
                    writer.histogram("\(pool.metrics.labels),\(none.labels)", histogram(none))
                }
            }
        }
    }
}
