// The part of /metrics for `sampleSnapshot` that is there only where bodies pass by a rate.

/// What the text format must be between the pools and affinity.
let goldenPacing = #"""
    # HELP penstock_paced_bytes_total Bytes of bodies that passed by a rate of bytes, from backends (down) or to them (up).
    # TYPE penstock_paced_bytes_total counter
    penstock_paced_bytes_total{pool="chat",direction="down"} 5000000
    penstock_paced_bytes_total{pool="chat",direction="up"} 7
    # HELP penstock_paced_seconds_total Time for which bodies waited for their rate, of all requests together.
    # TYPE penstock_paced_seconds_total counter
    penstock_paced_seconds_total{pool="chat",direction="down"} 1.25
    penstock_paced_seconds_total{pool="chat",direction="up"} 0.0
    """#
