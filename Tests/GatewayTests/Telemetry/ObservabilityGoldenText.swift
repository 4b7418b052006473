// The whole of /metrics for `sampleSnapshot`, as a reader of the format would check it: a change of
// a name, a type or a sample shows up here as a line. SWIFT stands for the compiler's version.

/// What the text format must be.
let goldenMetrics = #"""
    # HELP penstock_build_info The version of Penstock that runs and the Swift that compiled it.
    # TYPE penstock_build_info gauge
    penstock_build_info{version="1.2.3",swift="SWIFT"} 1
    # HELP penstock_draining 1 while the gateway shuts down and lets running requests end, else 0.
    # TYPE penstock_draining gauge
    penstock_draining 0
    # HELP penstock_client_connections Client connections open now.
    # TYPE penstock_client_connections gauge
    penstock_client_connections 3
    # HELP penstock_client_max_connections Client connections that the policy allows at once.
    # TYPE penstock_client_max_connections gauge
    penstock_client_max_connections 100
    # HELP penstock_exchanges Requests being read or answered now.
    # TYPE penstock_exchanges gauge
    penstock_exchanges 4
    # HELP penstock_dials Connections to backends being made now.
    # TYPE penstock_dials gauge
    penstock_dials 1
    # HELP penstock_timers Wake-ups that are arranged now, those of ended connections included.
    # TYPE penstock_timers gauge
    penstock_timers 6
    # HELP penstock_client_connections_accepted_total Client connections that were accepted and kept.
    # TYPE penstock_client_connections_accepted_total counter
    penstock_client_connections_accepted_total 5
    # HELP penstock_client_connections_rejected_total Client connections closed right after accepting, for want of a slot or of descriptors.
    # TYPE penstock_client_connections_rejected_total counter
    penstock_client_connections_rejected_total 1
    # HELP penstock_accept_pauses_total Times that accepting paused: at the connection cap, or out of descriptors or memory.
    # TYPE penstock_accept_pauses_total counter
    penstock_accept_pauses_total 2
    # HELP penstock_client_connection_cap_reached_total Times that a client found all connections taken.
    # TYPE penstock_client_connection_cap_reached_total counter
    penstock_client_connection_cap_reached_total 0
    # HELP penstock_client_connections_evicted_total Client connections that gave way because others waited at the cap.
    # TYPE penstock_client_connections_evicted_total counter
    penstock_client_connections_evicted_total 0
    # HELP penstock_client_network_refusals_total Connections, heads and bodies refused because their network had its share.
    # TYPE penstock_client_network_refusals_total counter
    penstock_client_network_refusals_total{bound="connections"} 0
    penstock_client_network_refusals_total{bound="heads"} 0
    penstock_client_network_refusals_total{bound="bodies"} 0
    # HELP penstock_unrouted_requests_total Requests that ended before a pool was found for them, by reason.
    # TYPE penstock_unrouted_requests_total counter
    penstock_unrouted_requests_total{reason="bad_request"} 0
    penstock_unrouted_requests_total{reason="head_too_large"} 1
    penstock_unrouted_requests_total{reason="no_route"} 1
    # HELP penstock_policy_reloads_total Reloads that put a new policy in force.
    # TYPE penstock_policy_reloads_total counter
    penstock_policy_reloads_total 1
    # HELP penstock_policy_reload_failures_total Reloads that failed and left the old policy in force.
    # TYPE penstock_policy_reload_failures_total counter
    penstock_policy_reload_failures_total 1
    # HELP penstock_policy_last_reload_successful 1 when the last attempt to load a policy succeeded, else 0.
    # TYPE penstock_policy_last_reload_successful gauge
    penstock_policy_last_reload_successful 0
    # HELP penstock_policy_last_reload_success_timestamp_seconds When the policy in force was loaded, in seconds since 1970.
    # TYPE penstock_policy_last_reload_success_timestamp_seconds gauge
    penstock_policy_last_reload_success_timestamp_seconds 1700000100.5
    # HELP penstock_log_lines_dropped_total Log lines lost: memory full, destination refused them, or shutting down.
    # TYPE penstock_log_lines_dropped_total counter
    penstock_log_lines_dropped_total{log="access"} 0
    # HELP penstock_log_errors_total Failed attempts to write a log or to open its file again.
    # TYPE penstock_log_errors_total counter
    penstock_log_errors_total{log="access"} 0
    # HELP penstock_decisions_total Requests offered to admission by what became of the offer: forwarded, rejected, or abandoned in the queue by the client.
    # TYPE penstock_decisions_total counter
    penstock_decisions_total{pool="chat",outcome="forwarded",reason="none",class="default"} 2
    penstock_decisions_total{pool="chat",outcome="rejected",reason="queue_full",class="default"} 1
    penstock_decisions_total{pool="chat",outcome="rejected",reason="queue_bytes_full",class="default"} 0
    penstock_decisions_total{pool="chat",outcome="rejected",reason="wait_too_long",class="default"} 0
    penstock_decisions_total{pool="chat",outcome="rejected",reason="queue_timeout",class="default"} 0
    penstock_decisions_total{pool="chat",outcome="rejected",reason="deadline",class="default"} 0
    penstock_decisions_total{pool="chat",outcome="rejected",reason="no_backend",class="default"} 0
    penstock_decisions_total{pool="chat",outcome="rejected",reason="draining",class="default"} 0
    penstock_decisions_total{pool="chat",outcome="abandoned",reason="client_gone",class="default"} 1
    # HELP penstock_observed_decisions_total What would have become of requests that were started because the pool only observes: forwarded at once, queued, or rejected.
    # TYPE penstock_observed_decisions_total counter
    penstock_observed_decisions_total{pool="chat",outcome="rejected",reason="queue_full",class="default"} 1
    # HELP penstock_requests_total Requests that ended, by class of status (none: the client got no answer) and reason.
    # TYPE penstock_requests_total counter
    penstock_requests_total{pool="chat",code="2xx",reason="none"} 1
    penstock_requests_total{pool="chat",code="3xx",reason="none"} 0
    penstock_requests_total{pool="chat",code="4xx",reason="none"} 0
    penstock_requests_total{pool="chat",code="5xx",reason="none"} 0
    penstock_requests_total{pool="chat",code="5xx",reason="queue_full"} 1
    penstock_requests_total{pool="chat",code="none",reason="client_gone"} 1
    # HELP penstock_request_seconds Time from a request's first byte to the end of its answer.
    # TYPE penstock_request_seconds histogram
    penstock_request_seconds_bucket{pool="chat",le="0.001"} 1
    penstock_request_seconds_bucket{pool="chat",le="0.005"} 1
    penstock_request_seconds_bucket{pool="chat",le="0.01"} 1
    penstock_request_seconds_bucket{pool="chat",le="0.02"} 1
    penstock_request_seconds_bucket{pool="chat",le="0.04"} 1
    penstock_request_seconds_bucket{pool="chat",le="0.06"} 1
    penstock_request_seconds_bucket{pool="chat",le="0.08"} 1
    penstock_request_seconds_bucket{pool="chat",le="0.1"} 1
    penstock_request_seconds_bucket{pool="chat",le="0.25"} 1
    penstock_request_seconds_bucket{pool="chat",le="0.5"} 1
    penstock_request_seconds_bucket{pool="chat",le="0.75"} 1
    penstock_request_seconds_bucket{pool="chat",le="1.0"} 1
    penstock_request_seconds_bucket{pool="chat",le="2.5"} 2
    penstock_request_seconds_bucket{pool="chat",le="5.0"} 2
    penstock_request_seconds_bucket{pool="chat",le="7.5"} 3
    penstock_request_seconds_bucket{pool="chat",le="10.0"} 3
    penstock_request_seconds_bucket{pool="chat",le="20.0"} 3
    penstock_request_seconds_bucket{pool="chat",le="40.0"} 3
    penstock_request_seconds_bucket{pool="chat",le="80.0"} 3
    penstock_request_seconds_bucket{pool="chat",le="160.0"} 3
    penstock_request_seconds_bucket{pool="chat",le="640.0"} 3
    penstock_request_seconds_bucket{pool="chat",le="2560.0"} 3
    penstock_request_seconds_bucket{pool="chat",le="+Inf"} 3
    penstock_request_seconds_sum{pool="chat"} 8.250050001
    penstock_request_seconds_count{pool="chat"} 3
    # HELP penstock_queue_wait_seconds Time that forwarded requests waited for a permit, 0 for those that started at once.
    # TYPE penstock_queue_wait_seconds histogram
    penstock_queue_wait_seconds_bucket{pool="chat",le="0.001"} 1
    penstock_queue_wait_seconds_bucket{pool="chat",le="0.005"} 1
    penstock_queue_wait_seconds_bucket{pool="chat",le="0.01"} 1
    penstock_queue_wait_seconds_bucket{pool="chat",le="0.02"} 1
    penstock_queue_wait_seconds_bucket{pool="chat",le="0.04"} 2
    penstock_queue_wait_seconds_bucket{pool="chat",le="0.06"} 2
    penstock_queue_wait_seconds_bucket{pool="chat",le="0.08"} 2
    penstock_queue_wait_seconds_bucket{pool="chat",le="0.1"} 2
    penstock_queue_wait_seconds_bucket{pool="chat",le="0.25"} 2
    penstock_queue_wait_seconds_bucket{pool="chat",le="0.5"} 2
    penstock_queue_wait_seconds_bucket{pool="chat",le="0.75"} 2
    penstock_queue_wait_seconds_bucket{pool="chat",le="1.0"} 2
    penstock_queue_wait_seconds_bucket{pool="chat",le="2.5"} 2
    penstock_queue_wait_seconds_bucket{pool="chat",le="5.0"} 2
    penstock_queue_wait_seconds_bucket{pool="chat",le="7.5"} 2
    penstock_queue_wait_seconds_bucket{pool="chat",le="10.0"} 2
    penstock_queue_wait_seconds_bucket{pool="chat",le="20.0"} 2
    penstock_queue_wait_seconds_bucket{pool="chat",le="40.0"} 2
    penstock_queue_wait_seconds_bucket{pool="chat",le="80.0"} 2
    penstock_queue_wait_seconds_bucket{pool="chat",le="160.0"} 2
    penstock_queue_wait_seconds_bucket{pool="chat",le="640.0"} 2
    penstock_queue_wait_seconds_bucket{pool="chat",le="2560.0"} 2
    penstock_queue_wait_seconds_bucket{pool="chat",le="+Inf"} 2
    penstock_queue_wait_seconds_sum{pool="chat"} 0.03
    penstock_queue_wait_seconds_count{pool="chat"} 2
    # HELP penstock_retry_after_seconds The Retry-After that rejected requests were told.
    # TYPE penstock_retry_after_seconds histogram
    penstock_retry_after_seconds_bucket{pool="chat",le="1.0"} 0
    penstock_retry_after_seconds_bucket{pool="chat",le="2.0"} 0
    penstock_retry_after_seconds_bucket{pool="chat",le="3.0"} 0
    penstock_retry_after_seconds_bucket{pool="chat",le="5.0"} 1
    penstock_retry_after_seconds_bucket{pool="chat",le="8.0"} 1
    penstock_retry_after_seconds_bucket{pool="chat",le="13.0"} 1
    penstock_retry_after_seconds_bucket{pool="chat",le="20.0"} 1
    penstock_retry_after_seconds_bucket{pool="chat",le="30.0"} 1
    penstock_retry_after_seconds_bucket{pool="chat",le="45.0"} 1
    penstock_retry_after_seconds_bucket{pool="chat",le="60.0"} 1
    penstock_retry_after_seconds_bucket{pool="chat",le="+Inf"} 1
    penstock_retry_after_seconds_sum{pool="chat"} 4.0
    penstock_retry_after_seconds_count{pool="chat"} 1
    # HELP penstock_upstream_connect_seconds Time until a new connection to a backend was ready to use.
    # TYPE penstock_upstream_connect_seconds histogram
    penstock_upstream_connect_seconds_bucket{pool="chat",le="0.001"} 1
    penstock_upstream_connect_seconds_bucket{pool="chat",le="0.005"} 1
    penstock_upstream_connect_seconds_bucket{pool="chat",le="0.01"} 1
    penstock_upstream_connect_seconds_bucket{pool="chat",le="0.02"} 1
    penstock_upstream_connect_seconds_bucket{pool="chat",le="0.04"} 1
    penstock_upstream_connect_seconds_bucket{pool="chat",le="0.06"} 1
    penstock_upstream_connect_seconds_bucket{pool="chat",le="0.08"} 1
    penstock_upstream_connect_seconds_bucket{pool="chat",le="0.1"} 1
    penstock_upstream_connect_seconds_bucket{pool="chat",le="0.25"} 1
    penstock_upstream_connect_seconds_bucket{pool="chat",le="0.5"} 1
    penstock_upstream_connect_seconds_bucket{pool="chat",le="0.75"} 1
    penstock_upstream_connect_seconds_bucket{pool="chat",le="1.0"} 1
    penstock_upstream_connect_seconds_bucket{pool="chat",le="2.5"} 1
    penstock_upstream_connect_seconds_bucket{pool="chat",le="5.0"} 1
    penstock_upstream_connect_seconds_bucket{pool="chat",le="7.5"} 1
    penstock_upstream_connect_seconds_bucket{pool="chat",le="10.0"} 1
    penstock_upstream_connect_seconds_bucket{pool="chat",le="20.0"} 1
    penstock_upstream_connect_seconds_bucket{pool="chat",le="40.0"} 1
    penstock_upstream_connect_seconds_bucket{pool="chat",le="80.0"} 1
    penstock_upstream_connect_seconds_bucket{pool="chat",le="160.0"} 1
    penstock_upstream_connect_seconds_bucket{pool="chat",le="640.0"} 1
    penstock_upstream_connect_seconds_bucket{pool="chat",le="2560.0"} 1
    penstock_upstream_connect_seconds_bucket{pool="chat",le="+Inf"} 1
    penstock_upstream_connect_seconds_sum{pool="chat"} 0.0004
    penstock_upstream_connect_seconds_count{pool="chat"} 1
    # HELP penstock_upstream_first_byte_seconds Time from the permit to the first byte of the backend's answer.
    # TYPE penstock_upstream_first_byte_seconds histogram
    penstock_upstream_first_byte_seconds_bucket{pool="chat",le="0.001"} 0
    penstock_upstream_first_byte_seconds_bucket{pool="chat",le="0.005"} 0
    penstock_upstream_first_byte_seconds_bucket{pool="chat",le="0.01"} 0
    penstock_upstream_first_byte_seconds_bucket{pool="chat",le="0.02"} 0
    penstock_upstream_first_byte_seconds_bucket{pool="chat",le="0.04"} 0
    penstock_upstream_first_byte_seconds_bucket{pool="chat",le="0.06"} 0
    penstock_upstream_first_byte_seconds_bucket{pool="chat",le="0.08"} 0
    penstock_upstream_first_byte_seconds_bucket{pool="chat",le="0.1"} 1
    penstock_upstream_first_byte_seconds_bucket{pool="chat",le="0.25"} 1
    penstock_upstream_first_byte_seconds_bucket{pool="chat",le="0.5"} 1
    penstock_upstream_first_byte_seconds_bucket{pool="chat",le="0.75"} 1
    penstock_upstream_first_byte_seconds_bucket{pool="chat",le="1.0"} 1
    penstock_upstream_first_byte_seconds_bucket{pool="chat",le="2.5"} 1
    penstock_upstream_first_byte_seconds_bucket{pool="chat",le="5.0"} 1
    penstock_upstream_first_byte_seconds_bucket{pool="chat",le="7.5"} 1
    penstock_upstream_first_byte_seconds_bucket{pool="chat",le="10.0"} 1
    penstock_upstream_first_byte_seconds_bucket{pool="chat",le="20.0"} 1
    penstock_upstream_first_byte_seconds_bucket{pool="chat",le="40.0"} 1
    penstock_upstream_first_byte_seconds_bucket{pool="chat",le="80.0"} 1
    penstock_upstream_first_byte_seconds_bucket{pool="chat",le="160.0"} 1
    penstock_upstream_first_byte_seconds_bucket{pool="chat",le="640.0"} 1
    penstock_upstream_first_byte_seconds_bucket{pool="chat",le="2560.0"} 1
    penstock_upstream_first_byte_seconds_bucket{pool="chat",le="+Inf"} 1
    penstock_upstream_first_byte_seconds_sum{pool="chat"} 0.09
    penstock_upstream_first_byte_seconds_count{pool="chat"} 1
    # HELP penstock_queue_requests Requests that wait in the queue now.
    # TYPE penstock_queue_requests gauge
    penstock_queue_requests{pool="chat"} 5
    # HELP penstock_queue_max_requests Requests that may wait at once.
    # TYPE penstock_queue_max_requests gauge
    penstock_queue_max_requests{pool="chat"} 256
    # HELP penstock_queue_bytes Bytes of memory that waiting requests hold now.
    # TYPE penstock_queue_bytes gauge
    penstock_queue_bytes{pool="chat"} 6000
    # HELP penstock_queue_max_bytes Bytes of memory that waiting requests may hold.
    # TYPE penstock_queue_max_bytes gauge
    penstock_queue_max_bytes{pool="chat"} 1048576
    # HELP penstock_queue_oldest_wait_seconds How long the oldest waiting request has waited.
    # TYPE penstock_queue_oldest_wait_seconds gauge
    penstock_queue_oldest_wait_seconds{pool="chat"} 0.0015
    # HELP penstock_queue_drain_rate Permits that came free of late, each second: what waits are predicted from.
    # TYPE penstock_queue_drain_rate gauge
    penstock_queue_drain_rate{pool="chat"} 12.5
    # HELP penstock_pool_observing 1 while the pool's decisions are only counted, 0 while they are carried out.
    # TYPE penstock_pool_observing gauge
    penstock_pool_observing{pool="chat"} 1
    # HELP penstock_class_inflight Requests of the priority class that have a permit now.
    # TYPE penstock_class_inflight gauge
    penstock_class_inflight{pool="chat",class="default"} 11
    # HELP penstock_class_queue_requests Requests of the priority class that wait now.
    # TYPE penstock_class_queue_requests gauge
    penstock_class_queue_requests{pool="chat",class="default"} 5
    # HELP penstock_class_patience_seconds Shortest time to a first byte that the clients of any tenant in the class are taken to bear; missing while nothing is assumed.
    # TYPE penstock_class_patience_seconds gauge
    # HELP penstock_tenant_inflight Requests of the tenant that have a permit now.
    # TYPE penstock_tenant_inflight gauge
    penstock_tenant_inflight{pool="chat",tenant="acme"} 7
    # HELP penstock_tenant_queue_requests Requests of the tenant that wait now.
    # TYPE penstock_tenant_queue_requests gauge
    penstock_tenant_queue_requests{pool="chat",tenant="acme"} 4
    # HELP penstock_tenant_share Requests that the tenant may have in flight while others want something too.
    # TYPE penstock_tenant_share gauge
    penstock_tenant_share{pool="chat",tenant="acme"} 12
    # HELP penstock_tenant_requests_total Requests that the tenant has made of the pool.
    # TYPE penstock_tenant_requests_total counter
    penstock_tenant_requests_total{pool="chat",tenant="acme"} 90
    # HELP penstock_tenant_retries_total Requests of the tenant that its clients said they had tried before.
    # TYPE penstock_tenant_retries_total counter
    penstock_tenant_retries_total{pool="chat",tenant="acme"} 30
    # HELP penstock_tenant_refused_total Requests of the tenant that were refused for want of room, or for its quota.
    # TYPE penstock_tenant_refused_total counter
    penstock_tenant_refused_total{pool="chat",tenant="acme"} 20
    # HELP penstock_tenant_tokens_total Tokens that the tenant's requests came to, estimated where backends do not say.
    # TYPE penstock_tenant_tokens_total counter
    penstock_tenant_tokens_total{pool="chat",tenant="acme"} 4000
    # HELP penstock_retries_total Requests tried again on another connection or backend.
    # TYPE penstock_retries_total counter
    penstock_retries_total{pool="chat"} 3
    # HELP penstock_tunnels_opened_total WebSocket tunnels that were opened.
    # TYPE penstock_tunnels_opened_total counter
    penstock_tunnels_opened_total{pool="chat"} 0
    # HELP penstock_tunnels_open WebSocket tunnels that are open now.
    # TYPE penstock_tunnels_open gauge
    penstock_tunnels_open{pool="chat"} 0
    # HELP penstock_client_retries_total Requests that clients said they had tried before.
    # TYPE penstock_client_retries_total counter
    penstock_client_retries_total{pool="chat"} 31
    # HELP penstock_fallbacks_total Requests that went to their route's fallback instead of this pool.
    # TYPE penstock_fallbacks_total counter
    penstock_fallbacks_total{pool="chat"} 32
    # HELP penstock_client_received_bytes_total Bytes read from clients, heads and bodies as they came.
    # TYPE penstock_client_received_bytes_total counter
    penstock_client_received_bytes_total{pool="chat"} 1001
    # HELP penstock_client_sent_bytes_total Bytes written to clients.
    # TYPE penstock_client_sent_bytes_total counter
    penstock_client_sent_bytes_total{pool="chat"} 2002
    # HELP penstock_upstream_received_bytes_total Bytes read from backends.
    # TYPE penstock_upstream_received_bytes_total counter
    penstock_upstream_received_bytes_total{pool="chat"} 3003
    # HELP penstock_upstream_sent_bytes_total Bytes written to backends.
    # TYPE penstock_upstream_sent_bytes_total counter
    penstock_upstream_sent_bytes_total{pool="chat"} 4004
    # HELP penstock_time_to_first_token_seconds Time from a request's first byte to the first event of its stream that carries tokens.
    # TYPE penstock_time_to_first_token_seconds histogram
    penstock_time_to_first_token_seconds_bucket{pool="chat",model="llama",class="default",le="0.001"} 0
    penstock_time_to_first_token_seconds_bucket{pool="chat",model="llama",class="default",le="0.005"} 0
    penstock_time_to_first_token_seconds_bucket{pool="chat",model="llama",class="default",le="0.01"} 0
    penstock_time_to_first_token_seconds_bucket{pool="chat",model="llama",class="default",le="0.02"} 0
    penstock_time_to_first_token_seconds_bucket{pool="chat",model="llama",class="default",le="0.04"} 0
    penstock_time_to_first_token_seconds_bucket{pool="chat",model="llama",class="default",le="0.06"} 0
    penstock_time_to_first_token_seconds_bucket{pool="chat",model="llama",class="default",le="0.08"} 0
    penstock_time_to_first_token_seconds_bucket{pool="chat",model="llama",class="default",le="0.1"} 0
    penstock_time_to_first_token_seconds_bucket{pool="chat",model="llama",class="default",le="0.25"} 1
    penstock_time_to_first_token_seconds_bucket{pool="chat",model="llama",class="default",le="0.5"} 1
    penstock_time_to_first_token_seconds_bucket{pool="chat",model="llama",class="default",le="0.75"} 1
    penstock_time_to_first_token_seconds_bucket{pool="chat",model="llama",class="default",le="1.0"} 1
    penstock_time_to_first_token_seconds_bucket{pool="chat",model="llama",class="default",le="2.5"} 1
    penstock_time_to_first_token_seconds_bucket{pool="chat",model="llama",class="default",le="5.0"} 1
    penstock_time_to_first_token_seconds_bucket{pool="chat",model="llama",class="default",le="7.5"} 1
    penstock_time_to_first_token_seconds_bucket{pool="chat",model="llama",class="default",le="10.0"} 1
    penstock_time_to_first_token_seconds_bucket{pool="chat",model="llama",class="default",le="20.0"} 1
    penstock_time_to_first_token_seconds_bucket{pool="chat",model="llama",class="default",le="40.0"} 1
    penstock_time_to_first_token_seconds_bucket{pool="chat",model="llama",class="default",le="80.0"} 1
    penstock_time_to_first_token_seconds_bucket{pool="chat",model="llama",class="default",le="160.0"} 1
    penstock_time_to_first_token_seconds_bucket{pool="chat",model="llama",class="default",le="640.0"} 1
    penstock_time_to_first_token_seconds_bucket{pool="chat",model="llama",class="default",le="2560.0"} 1
    penstock_time_to_first_token_seconds_bucket{pool="chat",model="llama",class="default",le="+Inf"} 1
    penstock_time_to_first_token_seconds_sum{pool="chat",model="llama",class="default"} 0.12
    penstock_time_to_first_token_seconds_count{pool="chat",model="llama",class="default"} 1
    # HELP penstock_inter_token_seconds Time between two events of a stream that carry tokens.
    # TYPE penstock_inter_token_seconds histogram
    penstock_inter_token_seconds_bucket{pool="chat",model="llama",class="default",le="0.01"} 0
    penstock_inter_token_seconds_bucket{pool="chat",model="llama",class="default",le="0.025"} 0
    penstock_inter_token_seconds_bucket{pool="chat",model="llama",class="default",le="0.05"} 33
    penstock_inter_token_seconds_bucket{pool="chat",model="llama",class="default",le="0.075"} 33
    penstock_inter_token_seconds_bucket{pool="chat",model="llama",class="default",le="0.1"} 33
    penstock_inter_token_seconds_bucket{pool="chat",model="llama",class="default",le="0.15"} 33
    penstock_inter_token_seconds_bucket{pool="chat",model="llama",class="default",le="0.2"} 33
    penstock_inter_token_seconds_bucket{pool="chat",model="llama",class="default",le="0.3"} 33
    penstock_inter_token_seconds_bucket{pool="chat",model="llama",class="default",le="0.4"} 33
    penstock_inter_token_seconds_bucket{pool="chat",model="llama",class="default",le="0.5"} 33
    penstock_inter_token_seconds_bucket{pool="chat",model="llama",class="default",le="0.75"} 33
    penstock_inter_token_seconds_bucket{pool="chat",model="llama",class="default",le="1.0"} 33
    penstock_inter_token_seconds_bucket{pool="chat",model="llama",class="default",le="2.5"} 33
    penstock_inter_token_seconds_bucket{pool="chat",model="llama",class="default",le="5.0"} 33
    penstock_inter_token_seconds_bucket{pool="chat",model="llama",class="default",le="7.5"} 33
    penstock_inter_token_seconds_bucket{pool="chat",model="llama",class="default",le="10.0"} 33
    penstock_inter_token_seconds_bucket{pool="chat",model="llama",class="default",le="20.0"} 33
    penstock_inter_token_seconds_bucket{pool="chat",model="llama",class="default",le="40.0"} 33
    penstock_inter_token_seconds_bucket{pool="chat",model="llama",class="default",le="80.0"} 33
    penstock_inter_token_seconds_bucket{pool="chat",model="llama",class="default",le="+Inf"} 33
    penstock_inter_token_seconds_sum{pool="chat",model="llama",class="default"} 0.99
    penstock_inter_token_seconds_count{pool="chat",model="llama",class="default"} 33
    # HELP penstock_stream_tokens_per_second Tokens a second of whole streams, from their first token to their last.
    # TYPE penstock_stream_tokens_per_second histogram
    penstock_stream_tokens_per_second_bucket{pool="chat",model="llama",class="default",le="2.0"} 0
    penstock_stream_tokens_per_second_bucket{pool="chat",model="llama",class="default",le="5.0"} 0
    penstock_stream_tokens_per_second_bucket{pool="chat",model="llama",class="default",le="10.0"} 0
    penstock_stream_tokens_per_second_bucket{pool="chat",model="llama",class="default",le="20.0"} 1
    penstock_stream_tokens_per_second_bucket{pool="chat",model="llama",class="default",le="30.0"} 1
    penstock_stream_tokens_per_second_bucket{pool="chat",model="llama",class="default",le="50.0"} 1
    penstock_stream_tokens_per_second_bucket{pool="chat",model="llama",class="default",le="75.0"} 1
    penstock_stream_tokens_per_second_bucket{pool="chat",model="llama",class="default",le="100.0"} 1
    penstock_stream_tokens_per_second_bucket{pool="chat",model="llama",class="default",le="200.0"} 1
    penstock_stream_tokens_per_second_bucket{pool="chat",model="llama",class="default",le="500.0"} 1
    penstock_stream_tokens_per_second_bucket{pool="chat",model="llama",class="default",le="+Inf"} 1
    penstock_stream_tokens_per_second_sum{pool="chat",model="llama",class="default"} 16.5
    penstock_stream_tokens_per_second_count{pool="chat",model="llama",class="default"} 1
    # HELP penstock_model_responses_total Requests that their backend answered with success.
    # TYPE penstock_model_responses_total counter
    penstock_model_responses_total{pool="chat",model="llama",class="default",tenant="acme"} 2
    # HELP penstock_goodput_total Those of penstock_model_responses_total that ended within their deadline, or had none.
    # TYPE penstock_goodput_total counter
    penstock_goodput_total{pool="chat",model="llama",class="default",tenant="acme"} 1
    # HELP penstock_input_tokens_total Tokens of prompts, as answers reported them.
    # TYPE penstock_input_tokens_total counter
    penstock_input_tokens_total{pool="chat",model="llama",class="default",tenant="acme"} 340
    # HELP penstock_output_tokens_total Tokens of answers, as they reported them, else events of their streams that carry tokens.
    # TYPE penstock_output_tokens_total counter
    penstock_output_tokens_total{pool="chat",model="llama",class="default",tenant="acme"} 34
    # HELP penstock_cost_seconds_total Time for which requests held units of the limit, times the units: what they cost.
    # TYPE penstock_cost_seconds_total counter
    penstock_cost_seconds_total{pool="chat",model="llama",class="default",tenant="acme"} 4.5
    # HELP penstock_shed_total Requests of inference interfaces that admission refused.
    # TYPE penstock_shed_total counter
    penstock_shed_total{pool="chat",model="llama",class="default",tenant="acme",reason="queue_full"} 0
    penstock_shed_total{pool="chat",model="llama",class="default",tenant="acme",reason="wait_too_long"} 1
    # HELP penstock_limit Requests that the backend may have in flight at present.
    # TYPE penstock_limit gauge
    penstock_limit{pool="chat",backend="http://10.0.0.11:8000"} 24
    # HELP penstock_inflight Requests that the backend has in flight.
    # TYPE penstock_inflight gauge
    penstock_inflight{pool="chat",backend="http://10.0.0.11:8000"} 11
    # HELP penstock_inflight_abandoned Requests in flight whose clients have left: the backend's engine goes on with them.
    # TYPE penstock_inflight_abandoned gauge
    penstock_inflight_abandoned{pool="chat",backend="http://10.0.0.11:8000"} 0
    # HELP penstock_inflight_held_by_client Requests in flight that wait for their clients, to send a body or to read a response.
    # TYPE penstock_inflight_held_by_client gauge
    penstock_inflight_held_by_client{pool="chat",backend="http://10.0.0.11:8000"} 0
    # HELP penstock_backend_suspected 1 for why the backend is sent less than its limit at present.
    # TYPE penstock_backend_suspected gauge
    penstock_backend_suspected{pool="chat",backend="http://10.0.0.11:8000",cause="failures"} 0
    penstock_backend_suspected{pool="chat",backend="http://10.0.0.11:8000",cause="refusals"} 0
    penstock_backend_suspected{pool="chat",backend="http://10.0.0.11:8000",cause="silence"} 0
    penstock_backend_suspected{pool="chat",backend="http://10.0.0.11:8000",cause="slowness"} 0
    penstock_backend_suspected{pool="chat",backend="http://10.0.0.11:8000",cause="outlier"} 0
    penstock_backend_suspected{pool="chat",backend="http://10.0.0.11:8000",cause="check"} 0
    # HELP penstock_backend_suspicions_total Times that the backend was suspected, by cause.
    # TYPE penstock_backend_suspicions_total counter
    penstock_backend_suspicions_total{pool="chat",backend="http://10.0.0.11:8000",cause="failures"} 0
    penstock_backend_suspicions_total{pool="chat",backend="http://10.0.0.11:8000",cause="refusals"} 0
    penstock_backend_suspicions_total{pool="chat",backend="http://10.0.0.11:8000",cause="silence"} 0
    penstock_backend_suspicions_total{pool="chat",backend="http://10.0.0.11:8000",cause="slowness"} 0
    penstock_backend_suspicions_total{pool="chat",backend="http://10.0.0.11:8000",cause="outlier"} 0
    penstock_backend_suspicions_total{pool="chat",backend="http://10.0.0.11:8000",cause="check"} 0
    # HELP penstock_backend_checks_failing 1 while the backend's checks fail; where more than half of the pool would get nothing, it is sent requests all the same.
    # TYPE penstock_backend_checks_failing gauge
    penstock_backend_checks_failing{pool="chat",backend="http://10.0.0.11:8000"} 0
    # HELP penstock_backend_checks_total Checks of the backend, by how they ended; `ignored` are time-outs that did not count.
    # TYPE penstock_backend_checks_total counter
    penstock_backend_checks_total{pool="chat",backend="http://10.0.0.11:8000",result="passed"} 0
    penstock_backend_checks_total{pool="chat",backend="http://10.0.0.11:8000",result="failed"} 0
    penstock_backend_checks_total{pool="chat",backend="http://10.0.0.11:8000",result="timed_out"} 0
    penstock_backend_checks_total{pool="chat",backend="http://10.0.0.11:8000",result="ignored"} 0
    # HELP penstock_backend_signal 1 for what the backend, or somebody for it, says at present that it may be sent.
    # TYPE penstock_backend_signal gauge
    penstock_backend_signal{pool="chat",backend="http://10.0.0.11:8000",state="limited",source="field"} 1
    penstock_backend_signal{pool="chat",backend="http://10.0.0.11:8000",state="limited",source="push"} 0
    penstock_backend_signal{pool="chat",backend="http://10.0.0.11:8000",state="drain",source="field"} 0
    penstock_backend_signal{pool="chat",backend="http://10.0.0.11:8000",state="drain",source="push"} 0
    penstock_backend_signal{pool="chat",backend="http://10.0.0.11:8000",state="down",source="field"} 0
    penstock_backend_signal{pool="chat",backend="http://10.0.0.11:8000",state="down",source="push"} 0
    penstock_backend_signal{pool="chat",backend="http://10.0.0.11:8000",state="maint",source="field"} 0
    penstock_backend_signal{pool="chat",backend="http://10.0.0.11:8000",state="maint",source="push"} 0
    # HELP penstock_backend_signals_unreadable_total Responses of the backend with fields about itself that could not be read.
    # TYPE penstock_backend_signals_unreadable_total counter
    penstock_backend_signals_unreadable_total{pool="chat",backend="http://10.0.0.11:8000"} 4
    # HELP penstock_limit_moves_total Changes of the limit, by direction and by what the algorithm saw.
    # TYPE penstock_limit_moves_total counter
    penstock_limit_moves_total{pool="chat",backend="http://10.0.0.11:8000",direction="up",reason="room"} 9
    penstock_limit_moves_total{pool="chat",backend="http://10.0.0.11:8000",direction="down",reason="drop"} 8
    # HELP penstock_limit_elasticity Share of more concurrency that came out as more throughput when it was last measured; missing before that.
    # TYPE penstock_limit_elasticity gauge
    penstock_limit_elasticity{pool="chat",backend="http://10.0.0.11:8000"} 0.25
    # HELP penstock_limit_held_by 1 for what holds the limit: the algorithm, the latency objective, or the highest limit that the policy allows.
    # TYPE penstock_limit_held_by gauge
    penstock_limit_held_by{pool="chat",backend="http://10.0.0.11:8000",by="algorithm"} 0
    penstock_limit_held_by{pool="chat",backend="http://10.0.0.11:8000",by="objective"} 1
    penstock_limit_held_by{pool="chat",backend="http://10.0.0.11:8000",by="max"} 0
    # HELP penstock_limit_bound_seconds_total Time for which nine tenths or more of the limit were in use.
    # TYPE penstock_limit_bound_seconds_total counter
    penstock_limit_bound_seconds_total{pool="chat",backend="http://10.0.0.11:8000"} 1.5
    # HELP penstock_backend_usable 1 when the backend can be sent requests, 0 while it is ejected or on trial.
    # TYPE penstock_backend_usable gauge
    penstock_backend_usable{pool="chat",backend="http://10.0.0.11:8000"} 1
    # HELP penstock_backend_on_trial 1 when the backend gets requests after an ejection or broken connections, until something has ended well there.
    # TYPE penstock_backend_on_trial gauge
    penstock_backend_on_trial{pool="chat",backend="http://10.0.0.11:8000"} 0
    # HELP penstock_backend_ejections_total Times that the backend was ejected after refused connections.
    # TYPE penstock_backend_ejections_total counter
    penstock_backend_ejections_total{pool="chat",backend="http://10.0.0.11:8000"} 1
    # HELP penstock_backend_outcomes_total Requests that were sent to the backend, tries of one request apart, by what became of them.
    # TYPE penstock_backend_outcomes_total counter
    penstock_backend_outcomes_total{pool="chat",backend="http://10.0.0.11:8000",outcome="success"} 0
    penstock_backend_outcomes_total{pool="chat",backend="http://10.0.0.11:8000",outcome="overload"} 0
    penstock_backend_outcomes_total{pool="chat",backend="http://10.0.0.11:8000",outcome="error"} 0
    penstock_backend_outcomes_total{pool="chat",backend="http://10.0.0.11:8000",outcome="refusal"} 0
    penstock_backend_outcomes_total{pool="chat",backend="http://10.0.0.11:8000",outcome="bad_request"} 0
    penstock_backend_outcomes_total{pool="chat",backend="http://10.0.0.11:8000",outcome="invalid"} 0
    penstock_backend_outcomes_total{pool="chat",backend="http://10.0.0.11:8000",outcome="closed"} 0
    penstock_backend_outcomes_total{pool="chat",backend="http://10.0.0.11:8000",outcome="timeout"} 0
    penstock_backend_outcomes_total{pool="chat",backend="http://10.0.0.11:8000",outcome="stalled"} 0
    penstock_backend_outcomes_total{pool="chat",backend="http://10.0.0.11:8000",outcome="local"} 0
    penstock_backend_outcomes_total{pool="chat",backend="http://10.0.0.11:8000",outcome="cancelled"} 0
    # HELP penstock_upstream_connections Connections to the backend open now, idle ones included.
    # TYPE penstock_upstream_connections gauge
    penstock_upstream_connections{pool="chat",backend="http://10.0.0.11:8000"} 13
    # HELP penstock_upstream_connections_idle Connections to the backend that no request uses now.
    # TYPE penstock_upstream_connections_idle gauge
    penstock_upstream_connections_idle{pool="chat",backend="http://10.0.0.11:8000"} 2
    # HELP penstock_upstream_connections_opened_total Connections to the backend that became ready to use.
    # TYPE penstock_upstream_connections_opened_total counter
    penstock_upstream_connections_opened_total{pool="chat",backend="http://10.0.0.11:8000"} 6
    # HELP penstock_upstream_connections_reused_total Requests that went out on a connection that was open already.
    # TYPE penstock_upstream_connections_reused_total counter
    penstock_upstream_connections_reused_total{pool="chat",backend="http://10.0.0.11:8000"} 7
    # HELP penstock_upstream_connections_failed_total Connections to the backend that could not be made, by reason.
    # TYPE penstock_upstream_connections_failed_total counter
    penstock_upstream_connections_failed_total{pool="chat",backend="http://10.0.0.11:8000",reason="connect_failed"} 1
    penstock_upstream_connections_failed_total{pool="chat",backend="http://10.0.0.11:8000",reason="connect_timeout"} 0
    # HELP process_cpu_seconds_total User and system CPU time of the process.
    # TYPE process_cpu_seconds_total counter
    process_cpu_seconds_total 12.34
    # HELP process_resident_memory_bytes Resident memory of the process.
    # TYPE process_resident_memory_bytes gauge
    process_resident_memory_bytes 20480
    # HELP process_virtual_memory_bytes Virtual memory of the process.
    # TYPE process_virtual_memory_bytes gauge
    process_virtual_memory_bytes 40960
    # HELP process_open_fds File descriptors that the process has open.
    # TYPE process_open_fds gauge
    process_open_fds 17
    # HELP process_max_fds File descriptors that the process may have open.
    # TYPE process_max_fds gauge
    process_max_fds 1024
    # HELP process_start_time_seconds When the process started, in seconds since 1970.
    # TYPE process_start_time_seconds gauge
    process_start_time_seconds 1700000000.25

    """#
