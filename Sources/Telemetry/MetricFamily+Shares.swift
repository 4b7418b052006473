// The families with samples for priority classes and tenants. Tenants are those that the policy
// names, the first hundred of them, so that no client can add series.

import Admission

extension MetricFamily {
    static let shareFamilies: [MetricFamily] = [
        .pool(
            "penstock_pool_observing", .gauge,
            "1 while the pool's decisions are only counted, 0 while they are carried out."
        ) { $0.isObserving ? 1 : 0 },
        .priorityClass(
            "penstock_class_inflight", "Requests of the priority class that have a permit now."
        ) { $0.inFlight },
        .priorityClass(
            "penstock_class_queue_requests", "Requests of the priority class that wait now."
        ) { $0.queued },
        MetricFamily(
            name: "penstock_class_patience_seconds", kind: .gauge, unit: .seconds,
            labels: ["pool", "class"],
            help: "Shortest time to a first byte that the clients of any tenant in the class are "
                + "taken to bear; missing while nothing is assumed."
        ) { writer, scrape in
            for pool in scrape.gateway.pools {
                for (counters, now) in zip(pool.metrics.classes, pool.classes) {
                    guard let seconds = now.patienceSeconds else { continue }
                    writer.seconds(
                        "\(pool.metrics.labels),\(counters.label)",
                        nanoseconds: Int64(seconds * 1e9))
                }
            }
        },
        .tenant(
            "penstock_tenant_inflight", "Requests of the tenant that have a permit now."
        ) { $0.inFlight },
        .tenant("penstock_tenant_queue_requests", "Requests of the tenant that wait now.") {
            $0.queued
        },
        .tenant(
            "penstock_tenant_share",
            "Requests that the tenant may have in flight while others want something too."
        ) { $0.share },
        .tenantCounter(
            "penstock_tenant_requests_total", "Requests that the tenant has made of the pool."
        ) { $0.requests },
        .tenantCounter(
            "penstock_tenant_retries_total",
            "Requests of the tenant that its clients said they had tried before."
        ) { $0.retries },
        .tenantCounter(
            "penstock_tenant_refused_total",
            "Requests of the tenant that were refused for want of room, or for its quota."
        ) { $0.refused },
        .tenantCounter(
            "penstock_tenant_tokens_total",
            "Tokens that the tenant's requests came to, estimated where backends do not say."
        ) { $0.tokens },
    ]

    private static func priorityClass(
        _ name: String, _ help: String, _ value: @escaping @Sendable (ClassSnapshot) -> Int
    ) -> MetricFamily {
        MetricFamily(
            name: name, kind: .gauge, unit: nil, labels: ["pool", "class"], help: help
        ) { writer, scrape in
            for pool in scrape.gateway.pools {
                for (counters, now) in zip(pool.metrics.classes, pool.classes) {
                    writer.sample(
                        pool.metrics.labels, counters.label, UInt64(clamping: value(now)))
                }
            }
        }
    }

    private static func tenantCounter(
        _ name: String, _ help: String, _ value: @escaping @Sendable (TenantCounts) -> UInt64
    ) -> MetricFamily {
        MetricFamily(
            name: name, kind: .counter, unit: nil, labels: ["pool", "tenant"], help: help
        ) { writer, scrape in
            for pool in scrape.gateway.pools {
                for tenant in pool.tenants {
                    writer.sample(
                        pool.metrics.labels, "tenant=\"\(escapedLabel(tenant.name))\"",
                        value(tenant.counts))
                }
            }
        }
    }

    private static func tenant(
        _ name: String, _ help: String, _ value: @escaping @Sendable (TenantStatus) -> Int
    ) -> MetricFamily {
        MetricFamily(
            name: name, kind: .gauge, unit: nil, labels: ["pool", "tenant"], help: help
        ) { writer, scrape in
            for pool in scrape.gateway.pools {
                for tenant in pool.tenants {
                    writer.sample(
                        pool.metrics.labels, "tenant=\"\(escapedLabel(tenant.name))\"",
                        UInt64(clamping: value(tenant)))
                }
            }
        }
    }
}
