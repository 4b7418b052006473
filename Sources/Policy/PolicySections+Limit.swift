// The keys of a pool's `limit`, for each algorithm its own.

import Admission

extension PolicySections {
    /// Limits that an algorithm may be given.
    private static let limits = 1...100_000

    /// A number alone is a fixed limit; a mapping's `algorithm` decides on its other keys.
    static let limit = Kind<LimitSettings>(
        .either([
            .integer(limits), .section(knee.shape), .section(gradient.shape),
            .section(aimd.shape), .section(vegas.shape), .section(fixed.shape),
        ])
    ) { node, path, limit, reading in
        guard case .mapping(let entries) = node.content else {
            var number = 1
            Kind.integer(limits).read(node, path, &number, &reading)
            limit = .fixed(FixedLimitSettings(limit: number))
            return
        }
        var algorithm = Algorithm.knee
        if let entry = entries.first(where: { $0.key == "algorithm" }) {
            let path = Reading.join(path, entry.key)
            Kind<Algorithm>.words.read(entry.value, path, &algorithm, &reading)
            // The other keys cannot be judged without it.
            if reading.isFaulty(path) { return }
        }
        switch algorithm {
        case .knee:
            var settings = knee.blank
            knee.read(node, path, &settings, &reading)
            limit = .knee(settings)
        case .fixed:
            var settings = fixed.blank
            fixed.read(node, path, &settings, &reading)
            limit = .fixed(settings)
        case .aimd:
            var settings = aimd.blank
            aimd.read(node, path, &settings, &reading)
            limit = .aimd(settings)
        case .gradient:
            var settings = gradient.blank
            gradient.read(node, path, &settings, &reading)
            limit = .gradient(settings)
        case .vegas:
            var settings = vegas.blank
            vegas.read(node, path, &settings, &reading)
            limit = .vegas(settings)
        }
    } write: {
        switch $0 {
        case .knee(let settings): knee.write(settings)
        case .fixed(let settings): fixed.write(settings)
        case .aimd(let settings): aimd.write(settings)
        case .gradient(let settings): gradient.write(settings)
        case .vegas(let settings): vegas.write(settings)
        case .reference: preconditionFailure("no policy has a limit to compare with")
        }
    }

    private enum Algorithm: String, CaseIterable {
        case knee, gradient, aimd, vegas, fixed
    }

    static let knee = Section<KneeLimitSettings>(
        blank: KneeLimitSettings(),
        keys: [
            Key(
                "algorithm", always: "knee", required: false,
                "Raises the limit while more concurrency still buys throughput, as measured, and "
                    + "leaves it alone while it is not needed."),
            Key("initial", \.initial, .integer(limits), initialMeaning),
            Key("min", \.min, .integer(limits), "Lowest limit."),
            Key(
                "max", \.max, .integer(limits),
                "Highest limit: the most that a backend is declared to take."),
            Key(
                "elasticity", \.elasticity, .number(0.02...0.5),
                "Where growth stops: at .15, where 10 % more concurrency buys less than 1.5 % more "
                    + "throughput."),
            Key(
                "replicas", \.replicas, .integer(1...1_000),
                "Gateways with this policy that share the backends."),
            Key(
                "objective", \.objective,
                objective.kind().optional(
                    blank: LatencyObjective(measure: .total, target: .seconds(1)), absent: "off"),
                "A latency that must be kept, whatever throughput it costs."),
        ],
        rules: rules(min: \.min, initial: \.initial, max: \.max),
        hints: hints([
            ("aimd", ["timeout", "backoff"]), ("gradient", gradientKeys), ("fixed", ["limit"]),
            ("vegas", ["probe_multiplier"]),
        ]),
        settle: { settings, given in
            if given.contains("initial") { return }
            settings.initial = max(settings.min, min(settings.initial, settings.max))
        })

    private static let objective = Section<LatencyObjective>(
        blank: LatencyObjective(measure: .total, target: .seconds(1)),
        keys: [
            Key(
                "measure", \.measure, .words, required: true,
                "`first_byte` and `total` count from the start at the backend, `unit` is the total "
                    + "over the pieces of a streamed response."),
            Key(
                "quantile", \.quantile, .number(0.5...0.99),
                "The share of requests that has to keep it."),
            Key(
                "target", \.target, .duration(Duration.microseconds(1)...Duration.seconds(3600)),
                required: true, "The latency."),
        ])

    static let fixed = Section<FixedLimitSettings>(
        blank: FixedLimitSettings(limit: 1),
        keys: [
            Key("algorithm", always: "fixed", required: true, "A limit that never moves."),
            Key(
                "limit", \.limit, .integer(limits), required: true,
                "Requests that each backend may have in flight."),
        ],
        hints: hints([("gradient", gradientKeys), ("aimd", ["timeout"])]).merging(
            Dictionary(
                uniqueKeysWithValues: ["initial", "min", "max", "backoff"].map {
                    ($0, "a limit that never moves has `limit` alone")
                })
        ) { $1 })

    static let aimd = Section<AIMDLimitSettings>(
        blank: AIMDLimitSettings(),
        keys: [
            Key(
                "algorithm", always: "aimd", required: true,
                "Additive increase, multiplicative decrease: up by one while responses are in time, down "
                    + "by a factor when one is late or lost."),
            Key("initial", \.initial, .integer(limits), initialMeaning),
            Key("min", \.min, .integer(limits), "Lowest limit."),
            Key("max", \.max, .integer(limits), "Highest limit."),
            Key(
                "backoff", \.backoff, .number(0.5...1, excludesUpper: true),
                "Factor at a drop."),
            Key(
                "timeout", \.timeout, .duration(timeouts),
                "A response that takes longer counts as a drop."),
        ],
        rules: rules(min: \.min, initial: \.initial, max: \.max),
        hints: hints([("gradient", gradientKeys), ("fixed", ["limit"]), ("knee", kneeKeys)]),
        settle: { settings, given in
            if given.contains("initial") { return }
            settings.initial = max(settings.min, min(settings.initial, settings.max))
        })

    static let gradient = Section<GradientLimitSettings>(
        blank: GradientLimitSettings(),
        keys: [
            Key(
                "algorithm", always: "gradient", required: true,
                "The limit follows the ratio of long-term to present latency (Gradient2 of Netflix' "
                    + "concurrency-limits, with its known flaws put right)."),
            Key("initial", \.initial, .integer(limits), initialMeaning),
            Key("min", \.min, .integer(limits), "Lowest limit."),
            Key("max", \.max, .integer(limits), "Highest limit."),
            Key(
                "tolerance", \.tolerance, .number(1...10),
                "How many times the long-term latency still counts as normal."),
            Key(
                "smoothing", \.smoothing, .number(0...1, excludesLower: true),
                "Share of a new estimate that is taken over at each update."),
            Key(
                "long_window", \.longWindow, .integer(10...100_000),
                "Samples over which the long-term latency is averaged."),
            Key(
                "queue_size", \.queueSize, .integer(0...1_000),
                "Requests by which an update aims above the limit while latency is normal; growth goes "
                    + "in steps of smoothing times this."),
            Key(
                "backoff", \.backoff, .number(0.5...1, excludesUpper: true),
                "Factor at a drop."),
        ],
        rules: rules(min: \.min, initial: \.initial, max: \.max),
        hints: hints([("aimd", ["timeout"]), ("fixed", ["limit"]), ("knee", kneeKeys)]),
        settle: { settings, given in
            if given.contains("initial") { return }
            settings.initial = max(settings.min, min(settings.initial, settings.max))
        })

    static let vegas = Section<VegasLimitSettings>(
        blank: VegasLimitSettings(),
        keys: [
            Key(
                "algorithm", always: "vegas", required: true,
                "Keeps the queue that latency above its minimum points to within bounds (VegasLimit "
                    + "of Netflix' concurrency-limits). Batching looks like a queue to it."),
            Key("initial", \.initial, .integer(limits), initialMeaning),
            Key("min", \.min, .integer(limits), "Lowest limit."),
            Key("max", \.max, .integer(limits), "Highest limit."),
            Key(
                "smoothing", \.smoothing, .number(0...1, excludesLower: true),
                "Share of a new estimate that is taken over at each update."),
            Key(
                "probe_multiplier", \.probeMultiplier, .integer(1...1_000),
                "The shortest latency is measured anew after up to this many times the limit responses."
            ),
        ],
        rules: rules(min: \.min, initial: \.initial, max: \.max),
        hints: hints([
            ("aimd", ["timeout", "backoff"]), ("gradient", gradientKeys), ("fixed", ["limit"]),
            ("knee", kneeKeys),
        ]),
        settle: { settings, given in
            if given.contains("initial") { return }
            settings.initial = max(settings.min, min(settings.initial, settings.max))
        })

    private static let initialMeaning =
        "Limit to start from, between `min` and `max`; the default moves into them."

    private static func rules<Target>(
        min: any WritableKeyPath<Target, Int> & Sendable,
        initial: any WritableKeyPath<Target, Int> & Sendable,
        max: any WritableKeyPath<Target, Int> & Sendable
    ) -> [Rule<Target>] {
        [
            Rule("min", "max") { settings in
                let (least, most) = (settings[keyPath: min], settings[keyPath: max])
                return least <= most
                    ? nil : Fault("min (\(least)) is above max (\(most))", "set min to at most max")
            },
            Rule("initial", "min", "max") { settings in
                let (least, most) = (settings[keyPath: min], settings[keyPath: max])
                let start = settings[keyPath: initial]
                return least > most || (least...most).contains(start)
                    ? nil
                    : Fault("initial (\(start)) is outside min to max", "write \(least) to \(most)")
            },
        ]
    }

    private static let kneeKeys = ["elasticity", "replicas", "objective"]
    private static let gradientKeys = ["tolerance", "smoothing", "long_window", "queue_size"]

    /// What to say of keys that only other algorithms have.
    private static func hints(
        _ others: [(algorithm: String, keys: [String])]
    ) -> [String: String] {
        var hints: [String: String] = [:]
        for other in others {
            for key in other.keys { hints[key] = "it belongs to algorithm: \(other.algorithm)" }
        }
        return hints
    }
}
