// The families with one or more samples a backend.

import Admission

extension MetricFamily {
    static let backendFamilies: [MetricFamily] = limitFamilies + upstreamFamilies

    private static let limitFamilies: [MetricFamily] = [
        .backend(
            "penstock_limit", .gauge, "Requests that the backend may have in flight at present."
        ) { UInt64(clamping: $0.limit) },
        .backend("penstock_inflight", .gauge, "Requests that the backend has in flight.") {
            UInt64(clamping: $0.inFlight)
        },
        .backend(
            "penstock_inflight_abandoned", .gauge,
            "Requests in flight whose clients have left: the backend's engine goes on with them."
        ) { UInt64(clamping: $0.abandoned) },
        .backend(
            "penstock_inflight_held_by_client", .gauge,
            "Requests in flight that wait for their clients, to send a body or to read a response."
        ) { UInt64(clamping: $0.waitingForClient) },
        .eachBackend(
            "penstock_backend_suspected", .gauge, further: ["cause"],
            "1 for why the backend is sent less than its limit at present."
        ) { writer, backend in
            for cause in SuspicionCause.allCases {
                writer.sample(
                    backend.metrics.labels, "cause=\"\(cause.name)\"",
                    backend.suspicion == cause ? 1 : 0)
            }
        },
        .eachBackend(
            "penstock_backend_suspicions_total", .counter, further: ["cause"],
            "Times that the backend was suspected, by cause."
        ) { writer, backend in
            for cause in SuspicionCause.allCases {
                writer.sample(
                    backend.metrics.labels, "cause=\"\(cause.name)\"",
                    UInt64(clamping: backend.suspicions[Int(cause.rawValue)]))
            }
        },
        .backend(
            "penstock_backend_checks_failing", .gauge,
            "1 while the backend's checks fail; where more than half of the pool would get nothing, it is sent "
                + "requests all the same."
        ) { $0.isFailingChecks ? 1 : 0 },
        .eachBackend(
            "penstock_backend_checks_total", .counter, further: ["result"],
            "Checks of the backend, by how they ended; `ignored` are time-outs that did not count."
        ) { writer, backend in
            for result in CheckResult.allCases {
                var count = backend.checks[Int(result.rawValue)]
                if result == .timedOut { count -= backend.ignoredChecks }
                writer.sample(
                    backend.metrics.labels, "result=\"\(result.name)\"", UInt64(clamping: count))
            }
            writer.sample(
                backend.metrics.labels, "result=\"ignored\"",
                UInt64(clamping: backend.ignoredChecks))
        },
        .backend(
            "penstock_backend_weight", .gauge,
            "Weight of the backend among those of its pool; 0 for one that gets nothing new."
        ) { UInt64(clamping: $0.weight) },
        .eachBackend(
            "penstock_backend_signal", .gauge, further: ["state", "source"],
            "1 for what the backend, or somebody for it, says at present that it may be sent."
        ) { writer, backend in
            for state in BackendSignal.State.allCases where state != .ready {
                for source in BackendSignal.Source.allCases
                where state == .drain || !source.onlyDrains {
                    let isSaid = backend.signals.contains {
                        $0.heard.source == source && $0.heard.signal.state == state
                    }
                    writer.sample(
                        backend.metrics.labels, "state=\"\(state.name)\"",
                        "source=\"\(source.name)\"", isSaid ? 1 : 0)
                }
            }
        },
        .backend(
            "penstock_backend_signals_unreadable_total", .counter,
            "Responses of the backend with fields about itself that could not be read."
        ) { $0.metrics.unreadableSignals },
        .eachBackend(
            "penstock_backend_reports_total", .counter, further: ["result"],
            "Load reports of the backend, by whether they could be read."
        ) { writer, backend in
            writer.sample(
                backend.metrics.labels, "result=\"read\"", backend.metrics.reports)
            writer.sample(
                backend.metrics.labels, "result=\"unreadable\"",
                backend.metrics.unreadableReports)
        },
        .eachBackend(
            "penstock_backend_report_cap", .gauge,
            "The most that the backend may have in flight by its load reports; missing while they ask for "
                + "nothing."
        ) { writer, backend in
            guard let cap = backend.report?.cap else { return }
            writer.sample(backend.metrics.labels, UInt64(clamping: cap))
        },
        .backend(
            "penstock_backend_report_holds_growth", .gauge,
            "1 while the backend's load reports keep its limit from growing."
        ) { $0.report?.holdsGrowth == true ? 1 : 0 },
        .eachBackend(
            "penstock_backend_agent_polls_total", .counter, further: ["result"],
            "Questions to the backend's agent, by how they ended; a `failed` one changes nothing."
        ) { writer, backend in
            for result in AgentPollResult.allCases {
                writer.sample(
                    backend.metrics.labels, "result=\"\(result.name)\"",
                    backend.metrics.agentPolls(result))
            }
        },
        .eachBackend(
            "penstock_limit_moves_total", .counter, further: ["direction", "reason"],
            "Changes of the limit, by direction and by what the algorithm saw."
        ) { writer, backend in
            for move in backend.limitMoves {
                writer.sample(
                    backend.metrics.labels, "direction=\"\(move.direction.rawValue)\"",
                    "reason=\"\(escapedLabel(move.reason))\"", move.count)
            }
        },
        .eachBackend(
            "penstock_limit_elasticity", .gauge,
            "Share of more concurrency that came out as more throughput when it was last "
                + "measured; missing before that."
        ) { writer, backend in
            guard let elasticity = backend.evidence.elasticity else { return }
            writer.sample(backend.metrics.labels, double: elasticity)
        },
        .eachBackend(
            "penstock_limit_held_by", .gauge, further: ["by"],
            "1 for what holds the limit: the algorithm, the latency objective, or the "
                + "highest limit that the policy allows."
        ) { writer, backend in
            for holder in LimitEvidence.Holder.allCases {
                writer.sample(
                    backend.metrics.labels, "by=\"\(holder.name)\"",
                    backend.evidence.holder == holder ? 1 : 0)
            }
        },
        .eachBackend(
            "penstock_limit_bound_seconds_total", .counter, unit: .seconds,
            "Time for which nine tenths or more of the limit were in use."
        ) { writer, backend in
            writer.seconds(
                backend.metrics.labels, nanoseconds: Int64(backend.boundSeconds * 1e9))
        },
        .backend(
            "penstock_backend_usable", .gauge,
            "1 when the backend can be sent requests, 0 while it is ejected or on trial."
        ) { $0.isUsable ? 1 : 0 },
        .backend(
            "penstock_backend_on_trial", .gauge,
            "1 when the backend gets requests after an ejection or broken connections, until "
                + "something has ended well there."
        ) { $0.isOnTrial ? 1 : 0 },
        .backend(
            "penstock_backend_ejections_total", .counter,
            "Times that the backend was ejected after refused connections."
        ) { $0.metrics.ejections },
    ]

    private static let upstreamFamilies: [MetricFamily] = [
        .eachBackend(
            "penstock_backend_outcomes_total", .counter, further: ["outcome"],
            "Requests that were sent to the backend, tries of one request apart, by what "
                + "became of them."
        ) { writer, backend in
            for outcome in Outcome.named {
                writer.sample(
                    backend.metrics.labels, "outcome=\"\(outcome.name)\"",
                    backend.metrics.count(of: outcome))
            }
        },
        .backend(
            "penstock_upstream_connections", .gauge,
            "Connections to the backend open now, idle ones included."
        ) { UInt64(clamping: $0.openConnections) },
        .backend(
            "penstock_upstream_connections_idle", .gauge,
            "Connections to the backend that no request uses now."
        ) { UInt64(clamping: $0.idleConnections) },
        .backend(
            "penstock_upstream_connections_opened_total", .counter,
            "Connections to the backend that became ready to use."
        ) { $0.metrics.connectionsOpened },
        .backend(
            "penstock_upstream_connections_reused_total", .counter,
            "Requests that went out on a connection that was open already."
        ) { $0.metrics.connectionsReused },
        .eachBackend(
            "penstock_upstream_connections_failed_total", .counter, further: ["reason"],
            "Connections to the backend that could not be made, by reason."
        ) { writer, backend in
            for reason in Reason.allCases {
                let count = backend.metrics.connectionsFailed(reason)
                if count > 0 || reason == .connectFailed || reason == .connectTimeout {
                    writer.sample(backend.metrics.labels, reason.label, count)
                }
            }
        },
    ]
}
