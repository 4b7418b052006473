// The families of pools that send requests to where their prompts are known. A page without such a pool has
// none of them, so that it costs nothing there.

import Admission

extension MetricFamily {
    static let affinityFamilies: [MetricFamily] = [
        prefixTokens, starts, passes,
        .affinity(
            "penstock_affinity_index_entries", .gauge,
            "Beginnings of prompts that the pool remembers."
        ) { writer, labels, affinity in
            writer.sample(labels, UInt64(clamping: affinity.entries))
        },
        .affinity(
            "penstock_affinity_index_capacity", .gauge,
            "Beginnings of prompts that the pool can remember."
        ) { writer, labels, affinity in
            writer.sample(labels, UInt64(clamping: affinity.capacity))
        },
        cacheTokens,
    ]

    private static let prefixTokens = affinity(
        "penstock_prefix_tokens_total", .counter, further: ["kind"],
        "Tokens of prompts at four bytes each, by what is told of them: how many were sent, should have been "
            + "known, were answered with what was known, and were known."
    ) { writer, labels, affinity in
        for (kind, tokens) in affinity.tokens {
            writer.sample(labels, "kind=\"\(kind)\"", tokens)
        }
    }

    private static let starts = affinity(
        "penstock_affinity_starts_total", .counter, further: ["choice"],
        "Requests with a prompt that were started, by where: where most of it is known, elsewhere, or anywhere "
            + "because it was new or because enough others had passed them."
    ) { writer, labels, affinity in
        for (choice, count) in affinity.starts {
            writer.sample(labels, "choice=\"\(choice)\"", count)
        }
    }

    private static let passes = affinity(
        "penstock_affinity_passes", .histogram,
        "Requests that were started before one whose turn it was, for each with a prompt that had waited."
    ) { writer, labels, affinity in
        writer.histogram(labels, affinity.passes)
    }

    private static let cacheTokens = eachBackend(
        "penstock_affinity_cache_tokens", .gauge,
        "Tokens that the backend's cache is taken to hold: what was set, or less where it has reported less."
    ) { writer, backend in
        guard let tokens = backend.cacheTokens else { return }
        writer.sample(backend.metrics.labels, UInt64(clamping: tokens))
    }.of(.affinity)

    /// A family whose samples are written pool by pool; `further` names its labels beside the pool's.
    private static func affinity(
        _ name: String, _ kind: Kind, further: [String] = [], _ help: String,
        _ write: @escaping @Sendable (inout MetricsWriter, _ labels: String, AffinityStatus) -> Void
    ) -> MetricFamily {
        MetricFamily(
            name: name, kind: kind, unit: nil, labels: ["pool"] + further, help: help
        ) { writer, scrape in
            for pool in scrape.gateway.pools {
                guard let affinity = pool.affinity else { continue }
                write(&writer, pool.metrics.labels, affinity)
            }
        }.of(.affinity)
    }
}

extension AffinityStatus {
    /// Tokens of prompts, by the label `kind`.
    var tokens: [(name: StaticString, count: UInt64)] {
        let bytes: [(StaticString, Int)] = [
            ("prompt", counts.promptBytes), ("predicted", counts.predictedBytes),
            ("answered", counts.answeredBytes), ("reported", counts.reportedBytes),
        ]
        return bytes.map { ($0, UInt64(clamping: $1 / AffinitySettings.bytesPerToken)) }
    }

    /// Started requests, by the label `choice`.
    var starts: [(name: StaticString, count: UInt64)] {
        let starts: [(StaticString, Int)] = [
            ("home", counts.homeStarts), ("other", counts.otherStarts), ("new", counts.newStarts),
            ("forced", counts.forcedStarts),
        ]
        return starts.map { ($0, UInt64(clamping: $1)) }
    }

    /// The requests that had waited, by how many had passed them; a pass stands for a second.
    fileprivate var passes: Histogram {
        let unit: Int64 = 1_000_000_000
        return Histogram(
            bounds: counts.passBounds.map { Int64($0) * unit },
            counts: counts.passes.map { UInt64(clamping: $0) },
            sumNanoseconds: UInt128(clamping: counts.passesSum) * UInt128(unit))
    }
}
