// The families with samples of each model.

import Inference

extension MetricFamily {
    static let modelFamilies: [MetricFamily] = [
        .modelHistogram(
            "penstock_time_to_first_token_seconds",
            "Time from a request's first byte to the first event of its stream."
        ) { $0.firstToken },
        .modelHistogram(
            "penstock_inter_token_seconds", "Time between two events of a stream."
        ) { $0.interToken },
        .model(
            "penstock_model_answers_total", "Requests that their backend answered with success."
        ) { $0.answers },
        .model(
            "penstock_input_tokens_total", "Tokens of prompts, as answers reported them."
        ) { $0.inputTokens },
        .model(
            "penstock_output_tokens_total",
            "Tokens of answers, as they reported them, else events of their streams."
        ) { $0.outputTokens },
    ]

    private static func model(
        _ name: String, _ help: String, _ value: @escaping @Sendable (ModelMetrics) -> UInt64
    ) -> MetricFamily {
        MetricFamily(
            name: name, kind: .counter, unit: nil, labels: ["pool", "model"], help: help
        ) { writer, scrape in
            for pool in scrape.gateway.pools {
                for model in pool.metrics.models {
                    writer.sample(pool.metrics.labels, model.label, value(model))
                }
            }
        }
    }

    private static func modelHistogram(
        _ name: String, _ help: String,
        _ histogram: @escaping @Sendable (ModelMetrics) -> Histogram
    ) -> MetricFamily {
        MetricFamily(
            name: name, kind: .histogram, unit: .seconds, labels: ["pool", "model"], help: help
        ) { writer, scrape in
            for pool in scrape.gateway.pools {
                for model in pool.metrics.models {
                    writer.histogram("\(pool.metrics.labels),\(model.label)", histogram(model))
                }
            }
        }
    }
}
