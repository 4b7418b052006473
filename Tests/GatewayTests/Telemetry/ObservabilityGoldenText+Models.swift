// The second half of /metrics for `sampleSnapshot`: models, backends and the process.

/// What the text format must be from the models on.
let goldenModels = #"""
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
    # HELP penstock_backend_weight Weight of the backend among those of its pool; 0 for one that gets nothing new.
    # TYPE penstock_backend_weight gauge
    penstock_backend_weight{pool="chat",backend="http://10.0.0.11:8000"} 3
    # HELP penstock_backend_signal 1 for what the backend, or somebody for it, says at present that it may be sent.
    # TYPE penstock_backend_signal gauge
    penstock_backend_signal{pool="chat",backend="http://10.0.0.11:8000",state="limited",source="field"} 1
    penstock_backend_signal{pool="chat",backend="http://10.0.0.11:8000",state="limited",source="push"} 0
    penstock_backend_signal{pool="chat",backend="http://10.0.0.11:8000",state="limited",source="agent"} 0
    penstock_backend_signal{pool="chat",backend="http://10.0.0.11:8000",state="drain",source="field"} 0
    penstock_backend_signal{pool="chat",backend="http://10.0.0.11:8000",state="drain",source="push"} 0
    penstock_backend_signal{pool="chat",backend="http://10.0.0.11:8000",state="drain",source="agent"} 0
    penstock_backend_signal{pool="chat",backend="http://10.0.0.11:8000",state="drain",source="discovery"} 0
    penstock_backend_signal{pool="chat",backend="http://10.0.0.11:8000",state="drain",source="weight"} 0
    penstock_backend_signal{pool="chat",backend="http://10.0.0.11:8000",state="drain",source="control"} 0
    penstock_backend_signal{pool="chat",backend="http://10.0.0.11:8000",state="down",source="field"} 0
    penstock_backend_signal{pool="chat",backend="http://10.0.0.11:8000",state="down",source="push"} 0
    penstock_backend_signal{pool="chat",backend="http://10.0.0.11:8000",state="down",source="agent"} 0
    penstock_backend_signal{pool="chat",backend="http://10.0.0.11:8000",state="maint",source="field"} 0
    penstock_backend_signal{pool="chat",backend="http://10.0.0.11:8000",state="maint",source="push"} 0
    penstock_backend_signal{pool="chat",backend="http://10.0.0.11:8000",state="maint",source="agent"} 0
    # HELP penstock_backend_signals_unreadable_total Responses of the backend with fields about itself that could not be read.
    # TYPE penstock_backend_signals_unreadable_total counter
    penstock_backend_signals_unreadable_total{pool="chat",backend="http://10.0.0.11:8000"} 4
    # HELP penstock_backend_reports_total Load reports of the backend, by whether they could be read.
    # TYPE penstock_backend_reports_total counter
    penstock_backend_reports_total{pool="chat",backend="http://10.0.0.11:8000",result="read"} 5
    penstock_backend_reports_total{pool="chat",backend="http://10.0.0.11:8000",result="unreadable"} 2
    # HELP penstock_backend_report_cap The most that the backend may have in flight by its load reports; missing while they ask for nothing.
    # TYPE penstock_backend_report_cap gauge
    penstock_backend_report_cap{pool="chat",backend="http://10.0.0.11:8000"} 9
    # HELP penstock_backend_report_holds_growth 1 while the backend's load reports keep its limit from growing.
    # TYPE penstock_backend_report_holds_growth gauge
    penstock_backend_report_holds_growth{pool="chat",backend="http://10.0.0.11:8000"} 1
    # HELP penstock_backend_agent_polls_total Questions to the backend's agent, by how they ended; a `failed` one changes nothing.
    # TYPE penstock_backend_agent_polls_total counter
    penstock_backend_agent_polls_total{pool="chat",backend="http://10.0.0.11:8000",result="answered"} 0
    penstock_backend_agent_polls_total{pool="chat",backend="http://10.0.0.11:8000",result="unreadable"} 0
    penstock_backend_agent_polls_total{pool="chat",backend="http://10.0.0.11:8000",result="failed"} 1
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
