"""The configurations of everything that is started: the proxies, all alike, and nginx as the origin.

One worker or thread, connections kept on both sides, the fields that say where a request came from, and no access log but
where it is part of the work (upkeep.py). By path:

    /          the origin's small answer        /bytes/...   its files
    /tls       the same over TLS                /upload      takes a body
    /shed      is refused                       /stream/...  events, passed on as they come
    /never     takes a body and waits
    /v1/...    an engine's answer to a chat request, or a stream of them

With a certificate clients are spoken to over TLS, as each does it by default, but with TLS 1.3 and without sessions
that go on.
"""

from __future__ import annotations

import json
from string import Template

CONNECTIONS_MAX = 20000

NGINX = Template("""\
$user
worker_processes 1; pid $directory/$name.pid; error_log stderr error; daemon off; worker_rlimit_nofile $descriptors;
events { worker_connections $connections; }
http {
    access_log off; keepalive_requests 1000000000; keepalive_timeout 3600; client_max_body_size 0;
    client_body_temp_path $directory/body; proxy_temp_path $directory/proxy;
    fastcgi_temp_path $directory/fastcgi; uwsgi_temp_path $directory/uwsgi; scgi_temp_path $directory/scgi;
    $http
}
""")

ORIGIN = """\
sendfile on; tcp_nopush on;
server {
    listen 127.0.0.1:$port backlog=4096;
    listen 127.0.0.1:$tls ssl backlog=4096;
    ssl_certificate $directory/origin.pem; ssl_certificate_key $directory/origin.key;
    location / {
        default_type application/json;
        return 200 '{"object":"list","data":[],"model":"x","usage":{"total_tokens":0}}\\n';
    }
    location /bytes/ { default_type application/octet-stream; root $directory/files; }
}
"""

# Answers are buffered as by default, but not in files; of uploads nothing is kept back.
NGINX_PROXY = """\
upstream origin { server 127.0.0.1:$origin; keepalive 256; keepalive_requests 1000000000; }
upstream tls { server 127.0.0.1:$tls; keepalive 256; keepalive_requests 1000000000; }
upstream stream { server 127.0.0.1:$stream; keepalive 256; }
server {
    listen 127.0.0.1:$port $secured backlog=4096;
    $certificate
    $upkeep
    proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header Host $$host;
    proxy_set_header X-Forwarded-For $$proxy_add_x_forwarded_for;
    proxy_max_temp_file_size 0;
    proxy_ssl_verify on; proxy_ssl_trusted_certificate $directory/origin.pem; proxy_ssl_name 127.0.0.1;
    location / { proxy_pass http://origin; }
    location /tls { proxy_pass https://tls; }
    location /stream { proxy_buffering off; proxy_pass http://stream; }
    location /v1 { proxy_buffering off; proxy_request_buffering off; proxy_pass http://stream; }
    location /upload { proxy_request_buffering off; proxy_pass http://stream; }
    location /shed { return 503; }
    location /never { client_body_buffer_size 256k; proxy_read_timeout 1h; proxy_pass http://stream; }
}
"""

# Where operators look after it: a line for each request, and a page of figures.
NGINX_UPKEEP = "access_log $access_log; location /status { access_log off; stub_status; }"

HAPROXY = Template("""\
global
    nbthread 1
    tune.ssl.cachesize 0
    maxconn 9920
    $tune
    $upkeep_global
defaults
    mode http
    option forwardfor
    option http-keep-alive
    http-reuse always
    timeout client 1h
    timeout server 1h
    timeout connect 5s
    timeout http-keep-alive 1h
    $upkeep_defaults
frontend front
    bind 127.0.0.1:$port $secured backlog 4096
    http-request deny deny_status 503 if { path /shed }
    use_backend never if { path /never }
    use_backend stream if { path_beg /stream } || { path_beg /upload } || { path_beg /v1 }
    use_backend tls if { path /tls }
    default_backend origin
backend origin
    server origin 127.0.0.1:$origin pool-max-conn 256
backend tls
    server tls 127.0.0.1:$tls ssl verify required ca-file $directory/origin.pem pool-max-conn 256
backend stream
    # Else events are held back for up to 200 ms, to be sent together.
    option http-no-delay
    server stream 127.0.0.1:$stream pool-max-conn 256
backend never
    option http-buffer-request
    timeout queue 1h
    server never 127.0.0.1:$stream maxconn 1
$upkeep_page
""")

# A body waits in one buffer or not whole.
HAPROXY_BODIES = "tune.bufsize 262144"

# It writes its log where its standard output goes. Who is replaced ends when its connections have.
HAPROXY_UPKEEP = {
    "upkeep_global": "log stdout format raw daemon\n    hard-stop-after 10s",
    "upkeep_defaults": "log global\n    option httplog",
    "upkeep_page": """\
frontend page
    bind 127.0.0.1:$admin
    no log
    http-request use-service prometheus-exporter if { path /metrics }
""",
}

# Limits are learnt, as they are by default, but not below what the clients do at once: nothing is refused, the queue is
# there and empty. The only slot of `held` is taken by a request that is never answered, and nothing may wait there.
PENSTOCK = Template("""\
version: 1
listen: {address: "127.0.0.1:$port"$secured}
admin: $admin
threads: $threads
log: {access: {to: $access_log}}
server: {max_connections: 12000, max_body_size: ${body_gibibytes}GiB, timeouts: {keep_alive: 1h}$holding_server}
pools:
  origin:
    backends: [http://127.0.0.1:$origin]
    limit: {algorithm: knee, min: 100, max: 200}
    keep_alive: {idle: 1h}
  tls:
    backends: [https://127.0.0.1:$tls]
    tls: {ca_file: $directory/origin.pem}
    limit: {algorithm: knee, min: 100, max: 200}
    keep_alive: {idle: 1h}
  stream:
    backends: [http://127.0.0.1:$stream]
    limit: {algorithm: knee, min: 10000, max: 20000}
    keep_alive: {idle: 1h}
  held:
    backends: [http://127.0.0.1:$hole]
    limit: {algorithm: fixed, limit: 1}
    queue: {max_requests: 0}
    timeouts: {first_byte: 24h}
$holding_pool
routes:
$holding_route
  - {path: /shed, pool: held}
  - {path: /stream/*, pool: stream}
  - {path: /v1/*, pool: stream$models}
  - {path: /upload, pool: stream}
  - {path: /tls, pool: tls}
  - {path: /*, pool: origin}
""")

# By default what waits may have 64 MiB, and the rest of it stays with its clients.
PENSTOCK_BODIES = {
    "holding_server": ", body_before_queue_total: 1GiB",
    "holding_pool": """\
  never:
    backends: [http://127.0.0.1:$stream]
    limit: {algorithm: fixed, limit: 1}
    queue: {max_requests: 2000, max_wait: 1h, max_bytes: 1GiB}
    timeouts: {first_byte: 24h}
""",
    "holding_route": "  - {path: /never, pool: never, models: [x]}",
}


def envoy(
    ports: dict[str, int], directory: str, is_adaptive: bool, certificate: str | None, access_log: str | None,
    is_holding: bool,
) -> str:
    """Envoy's configuration; JSON is what it reads fastest.

    /shed meets a circuit breaker that lets no request pass, as what Envoy refuses for overload does. The adaptive filter
    may not refuse what the clients do at once, as with Penstock. Where it is to hold bodies, a filter reads them whole first.
    """
    base = "type.googleapis.com/envoy.extensions"
    filters = [{
        "name": "envoy.filters.http.router",
        "typed_config": {"@type": f"{base}.filters.http.router.v3.Router"},
    }]
    if is_adaptive:
        filters.insert(0, {
            "name": "envoy.filters.http.adaptive_concurrency",
            "typed_config": {
                "@type": f"{base}.filters.http.adaptive_concurrency.v3.AdaptiveConcurrency",
                "gradient_controller_config": {
                    "sample_aggregate_percentile": {"value": 90},
                    "concurrency_limit_params": {
                        "concurrency_update_interval": "0.1s", "max_concurrency_limit": 20000},
                    "min_rtt_calc_params": {
                        "interval": "60s", "request_count": 50, "jitter": {"value": 10},
                        "min_concurrency": 10000},
                },
                "enabled": {"default_value": True, "runtime_key": "adaptive_concurrency.enabled"},
            },
        })
    if is_holding:
        filters.insert(0, {
            "name": "envoy.filters.http.buffer",
            "typed_config": {"@type": f"{base}.filters.http.buffer.v3.Buffer", "max_request_bytes": 1 << 20},
        })
    routes = [
        ({"path": "/never"}, "never"), ({"path": "/shed"}, "held"), ({"prefix": "/stream"}, "stream"), ({"path": "/upload"}, "stream"),
        ({"prefix": "/v1"}, "stream"), ({"path": "/tls"}, "tls"), ({"prefix": "/"}, "origin"),
    ]
    manager = {
        "@type": f"{base}.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "front", "codec_type": "HTTP1", "use_remote_address": True,
        "stream_idle_timeout": "0s", "http_filters": filters,
        "common_http_protocol_options": {"idle_timeout": "3600s"},
        "route_config": {"virtual_hosts": [{
            "name": "all", "domains": ["*"],
            "routes": [
                {"match": match, "route": {"cluster": cluster, "timeout": "0s"}}
                for match, cluster in routes],
        }]},
    }
    if access_log:
        manager["access_log"] = [{
            "name": "envoy.access_loggers.file",
            "typed_config": {
                "@type": f"{base}.access_loggers.file.v3.FileAccessLog", "path": access_log},
        }]
    clusters = [
        envoy_cluster("origin", ports["origin"]),
        envoy_cluster("stream", ports["stream"]),
        envoy_cluster("tls", ports["tls"], authority=f"{directory}/origin.pem"),
        envoy_cluster("held", ports["origin"], requests_max=0),
        envoy_cluster("never", ports["stream"], connections_max=1),
    ]
    return json.dumps({
        "admin": {"address": envoy_address(ports["admin"])},
        "static_resources": {
            "listeners": [{
                "address": envoy_address(ports["port"]),
                "filter_chains": [envoy_secured(certificate) | {"filters": [{
                    "name": "envoy.filters.network.http_connection_manager", "typed_config": manager}]}],
            }],
            "clusters": clusters,
        },
    })


def envoy_secured(certificate: str | None) -> dict[str, object]:
    """What makes a chain of filters speak TLS."""
    if not certificate:
        return {}
    files = {"certificate_chain": {"filename": f"{certificate}.pem"}, "private_key": {"filename": f"{certificate}.key"}}
    return {
        "transport_socket": {
            "name": "envoy.transport_sockets.tls",
            "typed_config": {
                "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext",
                "disable_stateless_session_resumption": True, "disable_stateful_session_resumption": True,
                "common_tls_context": {"tls_certificates": [files]},
            },
        },
    }


def envoy_address(port: int) -> dict[str, object]:
    """A port of loopback."""
    return {"socket_address": {"address": "127.0.0.1", "port_value": port}}


def envoy_cluster(
    name: str, port: int, requests_max: int = CONNECTIONS_MAX, authority: str | None = None,
    connections_max: int = CONNECTIONS_MAX,
) -> dict[str, object]:
    """One backend, with or without TLS."""
    breaker = {
        "max_connections": connections_max, "max_requests": requests_max,
        "max_pending_requests": requests_max}
    cluster: dict[str, object] = {
        "name": name, "type": "STATIC", "connect_timeout": "5s",
        "circuit_breakers": {"thresholds": [breaker]},
        "load_assignment": {
            "cluster_name": name,
            "endpoints": [{"lb_endpoints": [{"endpoint": {"address": envoy_address(port)}}]}]},
    }
    if authority:
        cluster["transport_socket"] = {
            "name": "envoy.transport_sockets.tls",
            "typed_config": {
                "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext",
                "common_tls_context": {"validation_context": {"trusted_ca": {"filename": authority}}},
            },
        }
    return cluster
