// The part of /metrics for `sampleSnapshot` that is there only where a listener speaks TLS.

/// What the text format must be between affinity and the models.
let goldenTLS = #"""
    # HELP penstock_tls_handshakes_total TLS handshakes of clients, by what came of them: full, resumed, or why there is no connection.
    # TYPE penstock_tls_handshakes_total counter
    penstock_tls_handshakes_total{result="full"} 1
    penstock_tls_handshakes_total{result="resumed"} 1
    penstock_tls_handshakes_total{result="closed"} 0
    penstock_tls_handshakes_total{result="timeout"} 0
    penstock_tls_handshakes_total{result="crowded"} 0
    penstock_tls_handshakes_total{result="not_tls"} 0
    penstock_tls_handshakes_total{result="plain_http"} 0
    penstock_tls_handshakes_total{result="nothing_shared"} 0
    penstock_tls_handshakes_total{result="protocol_unknown"} 0
    penstock_tls_handshakes_total{result="name_unknown"} 1
    penstock_tls_handshakes_total{result="certificate_missing"} 0
    penstock_tls_handshakes_total{result="certificate_refused"} 0
    penstock_tls_handshakes_total{result="refused_by_client"} 0
    penstock_tls_handshakes_total{result="failed"} 0
    # HELP penstock_tls_handshake_seconds How long TLS handshakes took that came to a connection.
    # TYPE penstock_tls_handshake_seconds histogram
    penstock_tls_handshake_seconds_bucket{le="0.001"} 0
    penstock_tls_handshake_seconds_bucket{le="0.005"} 1
    penstock_tls_handshake_seconds_bucket{le="0.01"} 1
    penstock_tls_handshake_seconds_bucket{le="0.02"} 1
    penstock_tls_handshake_seconds_bucket{le="0.04"} 2
    penstock_tls_handshake_seconds_bucket{le="0.06"} 2
    penstock_tls_handshake_seconds_bucket{le="0.08"} 2
    penstock_tls_handshake_seconds_bucket{le="0.1"} 2
    penstock_tls_handshake_seconds_bucket{le="0.25"} 2
    penstock_tls_handshake_seconds_bucket{le="0.5"} 2
    penstock_tls_handshake_seconds_bucket{le="0.75"} 2
    penstock_tls_handshake_seconds_bucket{le="1.0"} 2
    penstock_tls_handshake_seconds_bucket{le="2.5"} 2
    penstock_tls_handshake_seconds_bucket{le="5.0"} 2
    penstock_tls_handshake_seconds_bucket{le="7.5"} 2
    penstock_tls_handshake_seconds_bucket{le="10.0"} 2
    penstock_tls_handshake_seconds_bucket{le="20.0"} 2
    penstock_tls_handshake_seconds_bucket{le="40.0"} 2
    penstock_tls_handshake_seconds_bucket{le="80.0"} 2
    penstock_tls_handshake_seconds_bucket{le="160.0"} 2
    penstock_tls_handshake_seconds_bucket{le="640.0"} 2
    penstock_tls_handshake_seconds_bucket{le="2560.0"} 2
    penstock_tls_handshake_seconds_bucket{le="+Inf"} 2
    penstock_tls_handshake_seconds_sum 0.033
    penstock_tls_handshake_seconds_count 2
    # HELP penstock_tls_certificate_expiry_timestamp_seconds When a listener's certificate ends, in seconds since 1970.
    # TYPE penstock_tls_certificate_expiry_timestamp_seconds gauge
    penstock_tls_certificate_expiry_timestamp_seconds{listener="0.0.0.0:8443",name="a.example"} 1700000000
    # HELP penstock_tls_certificate_reloads_total Times that certificates of listeners were replaced because their files had changed.
    # TYPE penstock_tls_certificate_reloads_total counter
    penstock_tls_certificate_reloads_total 1
    # HELP penstock_tls_certificate_reload_failures_total Times that changed files of certificates could not be used, so that those in use stayed.
    # TYPE penstock_tls_certificate_reload_failures_total counter
    penstock_tls_certificate_reload_failures_total 1
    """#
