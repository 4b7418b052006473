// The part of /metrics for `sampleSnapshot` that is there only where a pool has affinity.

/// What the text format must be between the pools and the models.
let goldenAffinity = #"""
    # HELP penstock_prefix_tokens_total Tokens of prompts at four bytes each, by what is told of them: how many were sent, should have been known, were answered with what was known, and were known.
    # TYPE penstock_prefix_tokens_total counter
    penstock_prefix_tokens_total{pool="chat",kind="prompt"} 1000
    penstock_prefix_tokens_total{pool="chat",kind="predicted"} 750
    penstock_prefix_tokens_total{pool="chat",kind="answered"} 500
    penstock_prefix_tokens_total{pool="chat",kind="reported"} 300
    # HELP penstock_affinity_starts_total Requests with a prompt that were started, by where: where most of it is known, elsewhere, or anywhere because it was new or because enough others had passed them.
    # TYPE penstock_affinity_starts_total counter
    penstock_affinity_starts_total{pool="chat",choice="home"} 40
    penstock_affinity_starts_total{pool="chat",choice="other"} 3
    penstock_affinity_starts_total{pool="chat",choice="new"} 7
    penstock_affinity_starts_total{pool="chat",choice="forced"} 2
    # HELP penstock_affinity_passes Requests that were started before one whose turn it was, for each with a prompt that had waited.
    # TYPE penstock_affinity_passes histogram
    penstock_affinity_passes_bucket{pool="chat",le="0.0"} 30
    penstock_affinity_passes_bucket{pool="chat",le="1.0"} 35
    penstock_affinity_passes_bucket{pool="chat",le="3.0"} 39
    penstock_affinity_passes_bucket{pool="chat",le="7.0"} 39
    penstock_affinity_passes_bucket{pool="chat",le="15.0"} 40
    penstock_affinity_passes_bucket{pool="chat",le="31.0"} 40
    penstock_affinity_passes_bucket{pool="chat",le="63.0"} 40
    penstock_affinity_passes_bucket{pool="chat",le="127.0"} 40
    penstock_affinity_passes_bucket{pool="chat",le="255.0"} 40
    penstock_affinity_passes_bucket{pool="chat",le="+Inf"} 40
    penstock_affinity_passes_sum{pool="chat"} 25.0
    penstock_affinity_passes_count{pool="chat"} 40
    # HELP penstock_affinity_index_entries Beginnings of prompts that the pool remembers.
    # TYPE penstock_affinity_index_entries gauge
    penstock_affinity_index_entries{pool="chat"} 1234
    # HELP penstock_affinity_index_capacity Beginnings of prompts that the pool can remember.
    # TYPE penstock_affinity_index_capacity gauge
    penstock_affinity_index_capacity{pool="chat"} 65536
    # HELP penstock_affinity_cache_tokens Tokens that the backend's cache is taken to hold: what was set, or less where it has reported less.
    # TYPE penstock_affinity_cache_tokens gauge
    penstock_affinity_cache_tokens{pool="chat",backend="http://10.0.0.11:8000"} 900000
    """#
