// The families about the gateway as a whole.

import Admission

extension MetricFamily {
    static let gatewayFamilies: [MetricFamily] =
        [buildInfo] + connectionFamilies + [unroutedRequests] + bulkFamilies + topicFamilies
        + policyFamilies + logFamilies

    private static let buildInfo = MetricFamily(
        name: "penstock_build_info", kind: .info, unit: nil, labels: ["version", "swift"],
        help: "The version of Penstock that runs and the Swift that compiled it."
    ) { writer, scrape in
        let version = escapedLabel(scrape.gateway.metrics.version)
        writer.sample("version=\"\(version)\",swift=\"\(GatewayMetrics.swiftVersion)\"", 1)
    }

    private static let connectionFamilies: [MetricFamily] = [
        .single(
            "penstock_draining", .gauge,
            "1 while the gateway shuts down and lets running requests end, else 0."
        ) { $0.gateway.isDraining ? 1 : 0 },
        .single("penstock_client_connections", .gauge, "Client connections open now.") {
            $0.gateway.metrics.connectionsOpen
        },
        .single(
            "penstock_client_max_connections", .gauge,
            "Client connections that the policy allows at once."
        ) { UInt64(clamping: $0.gateway.maxConnections) },
        .single(
            "penstock_exchanges", .gauge,
            "Requests being read or answered now."
        ) { UInt64(clamping: $0.gateway.alive.exchanges) },
        .single("penstock_dials", .gauge, "Connections to backends being made now.") {
            UInt64(clamping: $0.gateway.alive.dials)
        },
        .single(
            "penstock_timers", .gauge,
            "Wake-ups that are arranged now, those of ended connections included."
        ) { UInt64(clamping: $0.gateway.alive.timers) },
        .single(
            "penstock_client_connections_accepted_total", .counter,
            "Client connections that were accepted and kept."
        ) { $0.gateway.metrics.connectionsAccepted },
        .single(
            "penstock_client_connections_rejected_total", .counter,
            "Client connections closed right after accepting, for want of a slot or of descriptors."
        ) { $0.gateway.metrics.connectionsRejected },
        .single(
            "penstock_accept_pauses_total", .counter,
            "Times that accepting paused: at the connection cap, or out of descriptors or memory."
        ) { $0.gateway.metrics.acceptPauses },
        .single(
            "penstock_client_connection_cap_reached_total", .counter,
            "Times that a client found all connections taken."
        ) { $0.gateway.metrics.capReached },
        .single(
            "penstock_client_connections_evicted_total", .counter,
            "Client connections that gave way because others waited at the cap."
        ) { $0.gateway.metrics.connectionsEvicted },
        MetricFamily(
            name: "penstock_client_network_refusals_total", kind: .counter, unit: nil,
            labels: ["bound"],
            help: "Connections, heads and bodies refused because their network had its share."
        ) { writer, scrape in
            for kind in NetworkBound.allCases {
                writer.sample(
                    "bound=\"\(kind.name)\"",
                    scrape.gateway.metrics.networkRefusals[kind.rawValue])
            }
        },
    ]

    private static let unroutedRequests = MetricFamily(
        name: "penstock_unrouted_requests_total", kind: .counter, unit: nil, labels: ["reason"],
        help: "Requests that ended before a pool was found for them, by reason."
    ) { writer, scrape in
        for reason in Reason.allCases {
            let count = scrape.gateway.metrics.unroutedRequests(reason)
            if count > 0 || reason == .badRequest || reason == .noRoute {
                writer.sample(reason.label, count)
            }
        }
    }

    private static let policyFamilies: [MetricFamily] = [
        .single(
            "penstock_policy_reloads_total", .counter, "Reloads that put a new policy in force."
        ) { $0.gateway.metrics.reloads },
        .single(
            "penstock_policy_reload_failures_total", .counter,
            "Reloads that failed and left the old policy in force."
        ) { $0.gateway.metrics.reloadFailures },
        .single(
            "penstock_policy_last_reload_successful", .gauge,
            "1 when the last attempt to load a policy succeeded, else 0."
        ) { $0.gateway.metrics.lastReloadSucceeded ? 1 : 0 },
        MetricFamily(
            name: "penstock_policy_last_reload_success_timestamp_seconds", kind: .gauge,
            unit: .seconds, labels: [],
            help: "When the policy in force was loaded, in seconds since 1970."
        ) { writer, scrape in
            writer.seconds("", nanoseconds: scrape.gateway.metrics.lastReloadNanoseconds)
        },
        MetricFamily(
            name: "penstock_overrides", kind: .gauge, unit: nil, labels: ["verb"],
            help: "Things that operators have changed by the control socket, by the kind of change."
        ) { writer, scrape in
            for verb in OverrideSnapshot.Verb.allCases {
                let count = scrape.gateway.overrides.count { $0.verb == verb }
                writer.sample("verb=\"\(verb.rawValue)\"", UInt64(count))
            }
        },
        .single(
            "penstock_state_writes_total", .counter,
            "Attempts to write the limits into the file of `state`."
        ) { $0.gateway.metrics.stateWrites.all },
        .single(
            "penstock_state_write_failures_total", .counter,
            "Attempts to write the limits into the file of `state` that failed."
        ) { $0.gateway.metrics.stateWrites.failed },
    ]

    private static let logFamilies: [MetricFamily] = [
        .log(
            "penstock_log_lines_dropped_total",
            "Log lines lost: memory full, destination refused them, or shutting down."
        ) { $0.linesDropped },
        .log(
            "penstock_log_errors_total",
            "Failed attempts to write a log or to open its file again."
        ) { $0.errors },
    ]

    private static func log(
        _ name: String, _ help: String,
        _ value: @escaping @Sendable (LogWriter.Statistics) -> UInt64
    ) -> MetricFamily {
        MetricFamily(name: name, kind: .counter, unit: nil, labels: ["log"], help: help) {
            writer, scrape in
            for log in scrape.gateway.logs {
                writer.sample("log=\"\(escapedLabel(log.name))\"", value(log.statistics))
            }
        }
    }
}

extension GatewayMetrics {
    /// The Swift that compiled the gateway, as far as the language can tell.
    package static var swiftVersion: String {
        #if compiler(>=7)
        "7"
        #elseif compiler(>=6.4)
        "6.4"
        #elseif compiler(>=6.3)
        "6.3"
        #else
        "6.2"
        #endif
    }
}

extension Reason {
    /// `reason="…"`, ready to be written.
    var label: String { Self.reasonLabels[Int(rawValue)] }

    private static let reasonLabels = allCases.map { "reason=\"\($0.name)\"" }
}
