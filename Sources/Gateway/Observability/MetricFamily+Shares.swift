// The families with samples for priority classes and tenants. Tenants are those that the policy
// names, the first hundred of them, so that no client can add series.

import Admission
import HTTP1

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
