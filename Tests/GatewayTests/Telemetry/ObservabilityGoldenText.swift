// The whole of /metrics for `sampleSnapshot`, as a reader of the format would check it: a change of
// a name, a type or a sample shows up here as a line. SWIFT stands for the compiler's version.

/// What the text format must be.
let goldenMetrics =
    goldenTraffic + "\n" + goldenPacing + "\n" + goldenAffinity + "\n" + goldenTLS + "\n"
    + goldenWorkers
    + "\n" + goldenModels

/// The gateway and its pools.
private let goldenTraffic = #"""
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
    # HELP penstock_bulk_requests Bulk requests being answered now.
    # TYPE penstock_bulk_requests gauge
    penstock_bulk_requests 0
    # HELP penstock_bulk_lines_total Lines of bulk requests that were answered, completed with a status of 2xx or failed.
    # TYPE penstock_bulk_lines_total counter
    penstock_bulk_lines_total{result="completed"} 0
    penstock_bulk_lines_total{result="failed"} 0
    # HELP penstock_source_up 1 while the topic's brokers answer what they are asked and take what is written, else 0.
    # TYPE penstock_source_up gauge
    penstock_source_up{topic="questions"} 1
    # HELP penstock_source_lag Messages that the topic's group has not got behind, of each partition that this gateway has.
    # TYPE penstock_source_lag gauge
    penstock_source_lag{topic="questions",partition="0"} 1
    penstock_source_lag{topic="questions",partition="3"} 7
    # HELP penstock_source_partitions Partitions of the topic that the group has given this gateway.
    # TYPE penstock_source_partitions gauge
    penstock_source_partitions{topic="questions"} 2
    # HELP penstock_source_messages_open Messages of the topic that are under way in this gateway.
    # TYPE penstock_source_messages_open gauge
    penstock_source_messages_open{topic="questions"} 2
    # HELP penstock_source_paused 1 while nothing of the topic is read, because there is no room for more, else 0.
    # TYPE penstock_source_paused gauge
    penstock_source_paused{topic="questions"} 0
    # HELP penstock_source_messages_read_total Messages of the topic that were read.
    # TYPE penstock_source_messages_read_total counter
    penstock_source_messages_read_total{topic="questions"} 9
    # HELP penstock_source_messages_total Messages by what came of them: completed with a status of 2xx, failed, dead, or late and dropped.
    # TYPE penstock_source_messages_total counter
    penstock_source_messages_total{topic="questions",result="completed"} 4
    penstock_source_messages_total{topic="questions",result="failed"} 1
    penstock_source_messages_total{topic="questions",result="dead"} 2
    penstock_source_messages_total{topic="questions",result="late"} 0
    # HELP penstock_source_commits_total Times that it was said where the topic's group goes on.
    # TYPE penstock_source_commits_total counter
    penstock_source_commits_total{topic="questions"} 3
    # HELP penstock_source_rebalances_total Times that the topic's group has given this gateway partitions or taken some.
    # TYPE penstock_source_rebalances_total counter
    penstock_source_rebalances_total{topic="questions"} 1
    # HELP penstock_source_errors_total Times that something went wrong between this gateway and the topic's brokers.
    # TYPE penstock_source_errors_total counter
    penstock_source_errors_total{topic="questions"} 5
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
    # HELP penstock_overrides Things that operators have changed by the control socket, by the kind of change.
    # TYPE penstock_overrides gauge
    penstock_overrides{verb="drain"} 0
    penstock_overrides{verb="limit"} 0
    penstock_overrides{verb="mode"} 0
    penstock_overrides{verb="weight"} 0
    penstock_overrides{verb="log"} 0
    # HELP penstock_state_writes_total Attempts to write the limits into the file of `state`.
    # TYPE penstock_state_writes_total counter
    penstock_state_writes_total 0
    # HELP penstock_state_write_failures_total Attempts to write the limits into the file of `state` that failed.
    # TYPE penstock_state_write_failures_total counter
    penstock_state_write_failures_total 0
    # HELP penstock_log_lines_dropped_total Log lines lost: memory full, destination refused them, or shutting down.
    # TYPE penstock_log_lines_dropped_total counter
    penstock_log_lines_dropped_total{log="access"} 0
    # HELP penstock_log_errors_total Failed attempts to write a log or to open its file again.
    # TYPE penstock_log_errors_total counter
    penstock_log_errors_total{log="access"} 0
    # HELP penstock_decisions_total Requests offered to admission by what became of the offer: forwarded, rejected, abandoned in the queue by the client, or yielded: refused in a class that gets only what nobody else wants.
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
    # HELP penstock_wanted_backends Backends that the demand at this gateway wants, a fraction: of all gateways' the sum counts.
    # TYPE penstock_wanted_backends gauge
    penstock_wanted_backends{pool="chat"} 1.75
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
    # HELP penstock_splits_total Requests that their route's split sent to this pool.
    # TYPE penstock_splits_total counter
    penstock_splits_total{pool="chat"} 6
    # HELP penstock_spills_total Requests that this pool refused and that went to the next one of their route's split.
    # TYPE penstock_spills_total counter
    penstock_spills_total{pool="chat"} 1
    # HELP penstock_mirrors_total Requests that were to be copied to this pool, by what became of the copy.
    # TYPE penstock_mirrors_total counter
    penstock_mirrors_total{pool="chat",outcome="answered"} 1
    penstock_mirrors_total{pool="chat",outcome="failed"} 0
    penstock_mirrors_total{pool="chat",outcome="refused"} 2
    penstock_mirrors_total{pool="chat",outcome="body"} 0
    penstock_mirrors_total{pool="chat",outcome="bound"} 0
    # HELP penstock_mirrors_inflight Copies of requests that are under way.
    # TYPE penstock_mirrors_inflight gauge
    penstock_mirrors_inflight{pool="chat"} 1
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
    # HELP penstock_discovery_backends Backends in the last good answer of where they are looked up; 0 before the first.
    # TYPE penstock_discovery_backends gauge
    penstock_discovery_backends{pool="chat",source="file"} 1
    # HELP penstock_discovery_unready_backends Backends in the last good answer that it says are not ready.
    # TYPE penstock_discovery_unready_backends gauge
    penstock_discovery_unready_backends{pool="chat",source="file"} 1
    # HELP penstock_discovery_good_timestamp_seconds When backends were last looked up with a good answer, in seconds since 1970; 0 before the first.
    # TYPE penstock_discovery_good_timestamp_seconds gauge
    penstock_discovery_good_timestamp_seconds{pool="chat",source="file"} 1700000100.5
    # HELP penstock_discovery_errors_total Times that backends were looked up without a good answer: those that are known stay.
    # TYPE penstock_discovery_errors_total counter
    penstock_discovery_errors_total{pool="chat",source="file"} 2
    # HELP penstock_discovery_changes_total Times that backends were looked up and were others than before.
    # TYPE penstock_discovery_changes_total counter
    penstock_discovery_changes_total{pool="chat",source="file"} 3
    """#
