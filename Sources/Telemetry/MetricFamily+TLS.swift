// The families about TLS with clients. A page without a listener that speaks it has none of them.

import Reactor

extension MetricFamily {
    static let tlsFamilies: [MetricFamily] = tls.map { $0.of(.tls) }

    private static let tls: [MetricFamily] = [
        MetricFamily(
            name: "penstock_tls_handshakes_total", kind: .counter, unit: nil, labels: ["result"],
            help:
                "TLS handshakes of clients, by what came of them: full, resumed, or why there is no connection."
        ) { writer, scrape in
            let metrics = scrape.gateway.metrics
            writer.sample("result=\"full\"", metrics.handshakes.full)
            writer.sample("result=\"resumed\"", metrics.handshakes.resumed)
            for fault in HandshakeFault.allCases {
                writer.sample(
                    "result=\"\(fault.name)\"", metrics.failedHandshakes[fault.index])
            }
        },
        MetricFamily(
            name: "penstock_tls_handshake_seconds", kind: .histogram, unit: .seconds, labels: [],
            help: "How long TLS handshakes took that came to a connection."
        ) { writer, scrape in
            writer.histogram("", scrape.gateway.metrics.handshakeTimes)
        },
        MetricFamily(
            name: "penstock_tls_certificate_expiry_timestamp_seconds", kind: .gauge,
            unit: .seconds, labels: ["listener", "name"],
            help: "When a listener's certificate ends, in seconds since 1970."
        ) { writer, scrape in
            for certificate in scrape.gateway.certificates {
                guard let end = certificate.endSeconds else { continue }
                let listener = escapedLabel(certificate.listener)
                let name = escapedLabel(certificate.name)
                writer.sample(
                    "listener=\"\(listener)\",name=\"\(name)\"", UInt64(max(0, end)))
            }
        },
        .single(
            "penstock_tls_certificate_reloads_total", .counter,
            "Times that certificates of listeners were replaced because their files had changed."
        ) { $0.gateway.metrics.certificateReloads.replaced },
        .single(
            "penstock_tls_certificate_reload_failures_total", .counter,
            "Times that changed files of certificates could not be used, so that those in use stayed."
        ) { $0.gateway.metrics.certificateReloads.failed },
    ]
}
