// The families with one or more samples a pool.

import Admission

extension MetricFamily {
    static let poolFamilies: [MetricFamily] =
        [decisions, observedDecisions, requests] + durationFamilies + queueFamilies
        + shareFamilies + trafficFamilies + discoveryFamilies

    private static let decisions = MetricFamily(
        name: "penstock_decisions_total", kind: .counter, unit: nil,
        labels: ["pool", "outcome", "reason", "class"],
        help: "Requests offered to admission by what became of the offer: "
            + "forwarded, rejected, abandoned in the queue by the client, or yielded: refused in a class that gets only "
            + "what nobody else wants."
    ) { writer, scrape in
        for pool in scrape.gateway.pools {
            for priorityClass in pool.metrics.classes {
                for decision in PoolMetrics.Decision.allCases
                where decision != .yielded || priorityClass.isSlack {
                    for reason in Reason.allCases {
                        let count = priorityClass.count(of: decision, reason)
                        guard count > 0 || decision.isUsual(for: reason) else { continue }
                        writer.sample(
                            pool.metrics.labels, decision.label, reason.label, priorityClass.label,
                            count)
                    }
                }
            }
        }
    }

    private static let observedDecisions = MetricFamily(
        name: "penstock_observed_decisions_total", kind: .counter, unit: nil,
        labels: ["pool", "outcome", "reason", "class"],
        help:
            "What would have become of requests that were started because the pool only observes: "
            + "forwarded at once, queued, or rejected."
    ) { writer, scrape in
        for pool in scrape.gateway.pools {
            for priorityClass in pool.metrics.classes {
                for observation in PoolMetrics.Observation.allCases {
                    for reason in Reason.allCases {
                        let count = priorityClass.count(of: observation, reason)
                        guard count > 0 else { continue }
                        writer.sample(
                            pool.metrics.labels, observation.label, reason.label,
                            priorityClass.label, count)
                    }
                }
            }
        }
    }

    private static let requests = MetricFamily(
        name: "penstock_requests_total", kind: .counter, unit: nil,
        labels: ["pool", "code", "reason"],
        help: "Requests that ended, by class of status (none: the client got no answer) and reason."
    ) { writer, scrape in
        for pool in scrape.gateway.pools {
            for statusClass in PoolMetrics.StatusClass.allCases {
                for reason in Reason.allCases {
                    let count = pool.metrics.count(of: statusClass, reason)
                    if count > 0 || (reason == .none && statusClass.isUsual) {
                        writer.sample(pool.metrics.labels, statusClass.label, reason.label, count)
                    }
                }
            }
        }
    }

    private static let durationFamilies: [MetricFamily] = [
        .poolHistogram(
            "penstock_request_seconds", "Time from a request's first byte to the end of its answer."
        ) { $0.total },
        .poolHistogram(
            "penstock_queue_wait_seconds",
            "Time that forwarded requests waited for a permit, 0 for those that started at once."
        ) { $0.queueWait },
        .poolHistogram(
            "penstock_retry_after_seconds", "The Retry-After that rejected requests were told."
        ) { $0.retryAfter },
        .poolHistogram(
            "penstock_upstream_connect_seconds",
            "Time until a new connection to a backend was ready to use."
        ) { $0.connect },
        .poolHistogram(
            "penstock_upstream_first_byte_seconds",
            "Time from the permit to the first byte of the backend's answer."
        ) { $0.firstByte },
    ]

    private static let queueFamilies: [MetricFamily] = [
        .pool("penstock_queue_requests", .gauge, "Requests that wait in the queue now.") {
            UInt64(clamping: $0.queueRequests)
        },
        .pool("penstock_queue_max_requests", .gauge, "Requests that may wait at once.") {
            UInt64(clamping: $0.maxQueueRequests)
        },
        .pool(
            "penstock_queue_bytes", .gauge, unit: .bytes,
            "Bytes of memory that waiting requests hold now."
        ) { UInt64(clamping: $0.queueBytes) },
        .pool(
            "penstock_queue_max_bytes", .gauge, unit: .bytes,
            "Bytes of memory that waiting requests may hold."
        ) { UInt64(clamping: $0.maxQueueBytes) },
        MetricFamily(
            name: "penstock_queue_oldest_wait_seconds", kind: .gauge, unit: .seconds,
            labels: ["pool"], help: "How long the oldest waiting request has waited."
        ) { writer, scrape in
            for pool in scrape.gateway.pools {
                writer.seconds(pool.metrics.labels, nanoseconds: pool.oldestWaitNanoseconds)
            }
        },
        MetricFamily(
            name: "penstock_queue_drain_rate", kind: .gauge, unit: nil, labels: ["pool"],
            help: "Permits that came free of late, each second: what waits are predicted from."
        ) { writer, scrape in
            for pool in scrape.gateway.pools {
                writer.sample(pool.metrics.labels, double: pool.drainRatePerSecond)
            }
        },
        MetricFamily(
            name: "penstock_wanted_backends", kind: .gauge, unit: nil, labels: ["pool"],
            help: "Backends that the demand at this gateway wants, a fraction: "
                + "of all gateways' the sum counts."
        ) { writer, scrape in
            for pool in scrape.gateway.pools {
                writer.sample(pool.metrics.labels, double: pool.wanted.wanted)
            }
        },
    ]

    private static let trafficFamilies: [MetricFamily] = [
        .pool(
            "penstock_retries_total", .counter,
            "Requests tried again on another connection or backend."
        ) { $0.metrics.retries },
        .pool("penstock_tunnels_opened_total", .counter, "WebSocket tunnels that were opened.") {
            $0.metrics.tunnelsOpened
        },
        .pool("penstock_tunnels_open", .gauge, "WebSocket tunnels that are open now.") {
            $0.metrics.tunnelsOpen
        },
        .pool(
            "penstock_client_retries_total", .counter,
            "Requests that clients said they had tried before."
        ) { $0.metrics.clientRetries },
        .pool(
            "penstock_fallbacks_total", .counter,
            "Requests that went to their route's fallback instead of this pool."
        ) { $0.metrics.fallbacks },
        .pool(
            "penstock_splits_total", .counter,
            "Requests that their route's split sent to this pool."
        ) { $0.metrics.splits },
        .pool(
            "penstock_spills_total", .counter,
            "Requests that this pool refused and that went to the next one of their route's split."
        ) { $0.metrics.spills },
        MetricFamily(
            name: "penstock_mirrors_total", kind: .counter, unit: nil,
            labels: ["pool", "outcome"],
            help: "Requests that were to be copied to this pool, by what became of the copy."
        ) { writer, scrape in
            for pool in scrape.gateway.pools {
                for outcome in MirrorOutcome.allCases {
                    writer.sample(
                        pool.metrics.labels, "outcome=\"\(outcome.name)\"",
                        pool.metrics.mirrors[outcome.rawValue])
                }
            }
        },
        .pool("penstock_mirrors_inflight", .gauge, "Copies of requests that are under way.") {
            $0.metrics.mirrorsInFlight
        },
        .pool(
            "penstock_client_received_bytes_total", .counter, unit: .bytes,
            "Bytes read from clients, heads and bodies as they came."
        ) { $0.metrics.clientReceivedBytes },
        .pool(
            "penstock_client_sent_bytes_total", .counter, unit: .bytes, "Bytes written to clients."
        ) { $0.metrics.clientSentBytes },
        .pool(
            "penstock_upstream_received_bytes_total", .counter, unit: .bytes,
            "Bytes read from backends."
        ) { $0.metrics.upstreamReceivedBytes },
        .pool(
            "penstock_upstream_sent_bytes_total", .counter, unit: .bytes,
            "Bytes written to backends."
        ) { $0.metrics.upstreamSentBytes },
    ]
}

extension PoolMetrics.Decision {
    /// The value of the `outcome` label.
    package var name: String {
        switch self {
        case .forwarded: "forwarded"
        case .rejected: "rejected"
        case .abandoned: "abandoned"
        case .yielded: "yielded"
        }
    }

    /// `outcome="…"`, ready to be written.
    fileprivate var label: String {
        switch self {
        case .forwarded: "outcome=\"forwarded\""
        case .rejected: "outcome=\"rejected\""
        case .abandoned: "outcome=\"abandoned\""
        case .yielded: "outcome=\"yielded\""
        }
    }

    /// Whether the sample is shown before it has counted anything, so that rates start from 0.
    fileprivate func isUsual(for reason: Reason) -> Bool {
        switch self {
        case .forwarded: reason == .none
        case .rejected:
            switch reason {
            case .queueFull, .queueBytesFull, .waitTooLong, .queueTimeout, .deadline, .noBackend,
                .draining:
                true
            default: false
            }
        case .abandoned: reason == .clientGone
        case .yielded: false
        }
    }
}

extension PoolMetrics.Observation {
    /// `outcome="…"`, ready to be written.
    fileprivate var label: String {
        switch self {
        case .wouldStart: "outcome=\"forwarded\""
        case .wouldWait: "outcome=\"queued\""
        case .wouldBeRefused: "outcome=\"rejected\""
        }
    }
}

extension PoolMetrics.StatusClass {
    /// Whether the sample is shown before it has counted anything.
    fileprivate var isUsual: Bool { self != .none && self != .switching }

    /// `code="…"`, ready to be written.
    fileprivate var label: String {
        switch self {
        case .switching: "code=\"1xx\""
        case .success: "code=\"2xx\""
        case .redirection: "code=\"3xx\""
        case .clientError: "code=\"4xx\""
        case .serverError: "code=\"5xx\""
        case .none: "code=\"none\""
        }
    }
}
