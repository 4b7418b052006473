// The part of /metrics for `sampleSnapshot` that is there only where workers may come in.

/// What the text format must be between TLS and the models.
let goldenWorkers = #"""
    # HELP penstock_workers Workers of the pool that have a connection.
    # TYPE penstock_workers gauge
    penstock_workers{pool="chat"} 3
    # HELP penstock_worker_credits Connections of the pool's workers that carry a request or wait for one.
    # TYPE penstock_worker_credits gauge
    penstock_worker_credits{pool="chat"} 24
    # HELP penstock_worker_returns_total Requests that went back to the head of their queue because their worker was gone before it had begun.
    # TYPE penstock_worker_returns_total counter
    penstock_worker_returns_total{pool="chat"} 2
    # HELP penstock_workers_lost_total Workers that did not answer two probes and were taken for lost.
    # TYPE penstock_workers_lost_total counter
    penstock_workers_lost_total{pool="chat"} 1
    # HELP penstock_worker_handshakes_total Handshakes of workers, by what came of them.
    # TYPE penstock_worker_handshakes_total counter
    penstock_worker_handshakes_total{result="accepted"} 2
    penstock_worker_handshakes_total{result="bad"} 0
    penstock_worker_handshakes_total{result="unauthorized"} 1
    penstock_worker_handshakes_total{result="forbidden"} 0
    penstock_worker_handshakes_total{result="unknown"} 0
    penstock_worker_handshakes_total{result="upgrade_required"} 0
    penstock_worker_handshakes_total{result="unavailable"} 0
    """#
