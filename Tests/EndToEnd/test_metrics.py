"""/metrics as Prometheus reads it, and the admin listener's other pages."""

from __future__ import annotations

import contextlib
import gzip
import itertools
import random
import shutil
import socket
import subprocess
import time
from collections.abc import Callable

import pytest

from conftest import StartGateway, StartServer
from processes import Gateway, eventually, one_pool, parse_metrics, post_json, request
from sockets import RawClient, closed_address, read_head, scripted_backend

OPENMETRICS = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5"


def used_gateway(server: StartServer, gateway: StartGateway) -> Gateway:
    """A gateway that has forwarded, failed and refused, so that most series have samples."""
    backend = server("--no-model", "--token-delay", "0")
    through = gateway(one_pool(backend.url))
    chat = {"messages": [{"role": "user", "content": "a b"}]}
    assert post_json(through.url, "/v1/chat/completions", chat).status == 200
    assert request(through.url, "/missing").status == 404
    with RawClient(through.url) as client:
        client.send(b"NOT HTTP\r\n\r\n")
        client.read_to_end()
    return through


@pytest.mark.skipif(not shutil.which("promtool"), reason="promtool is not installed")
def test_promtool_accepts_metrics(server: StartServer, gateway: StartGateway) -> None:
    """Names, units and types follow Prometheus' conventions."""
    through = used_gateway(server, gateway)
    text = request(through.admin_url, "/metrics").body
    ended = subprocess.run(
        ["promtool", "check", "metrics"], input=text, capture_output=True, timeout=20, check=False
    )
    assert ended.returncode == 0, ended.stderr.decode()
    assert not ended.stderr, ended.stderr.decode()


def test_openmetrics_by_accept(server: StartServer, gateway: StartGateway) -> None:
    """Who asks for OpenMetrics gets it, with the same numbers."""
    through = used_gateway(server, gateway)
    plain = request(through.admin_url, "/metrics")
    assert plain.headers["content-type"].startswith("text/plain; version=0.0.4")
    modern = request(through.admin_url, "/metrics", headers={"Accept": OPENMETRICS})
    assert modern.headers["content-type"].startswith("application/openmetrics-text")
    assert modern.body.endswith(b"# EOF\n")
    name = "penstock_decisions_total"
    counts = [
        {tuple(sorted(sample.labels.items())): sample.value for sample in samples if sample.name == name}
        for samples in (parse_metrics(plain.body.decode()), parse_metrics(modern.body.decode()))
    ]
    assert counts[0] and counts[0] == counts[1]


def test_gzip_by_accept_encoding(server: StartServer, gateway: StartGateway) -> None:
    """A scraper that takes gzip gets it."""
    through = used_gateway(server, gateway)
    packed = request(through.admin_url, "/metrics", headers={"Accept-Encoding": "gzip"})
    assert packed.headers["content-encoding"] == "gzip"
    names = {sample.name for sample in parse_metrics(gzip.decompress(packed.body).decode())}
    assert "penstock_limit" in names
    refused = request(through.admin_url, "/metrics", headers={"Accept-Encoding": "gzip;q=0"})
    assert "content-encoding" not in refused.headers


def test_clients_cannot_add_series(server: StartServer, gateway: StartGateway) -> None:
    """However odd the requests, the number of series stays what it was."""
    through = used_gateway(server, gateway)
    for method in ("GET", "OPTIONS", "DELETE"):
        request(through.url, "/", method)
    before = len(through.metrics())
    choose = random.Random(7)
    for _ in range(50):
        token = f"{choose.getrandbits(64):x}"
        headers = {"X-Tenant": token, "User-Agent": token, "Host": f"{token}.example"}
        request(through.url, f"/{token}?{token}", choose.choice(["GET", "DELETE"]), headers=headers)
    assert len(through.metrics()) == before


def test_names_that_are_no_utf8(server: StartServer, gateway: StartGateway) -> None:
    """Whatever bytes a client calls a model, no series stands twice: strict parsers would refuse the page."""
    backend = server("--no-model", "--token-delay", "0")
    policy = one_pool(backend.url).replace("pool: chat}", 'pool: chat, models: ["*"]}')
    assert "models" in policy
    through = gateway(policy)
    names = [b"\xff", b"\xfe", "\N{REPLACEMENT CHARACTER}".encode(), b"a\xc3", b"a\xc3\x28", b'\\"q\\\\e']
    for name in names:
        request(through.url, "/v1/chat/completions", "POST", b'{"model":"%b"}' % name)
    request(through.url, "/v2/models/%FE/infer", "POST", b"{}")
    for accept in ("text/plain", OPENMETRICS):
        text = request(through.admin_url, "/metrics", headers={"Accept": accept}).body.decode()
        series = [line.rpartition(" ")[0] for line in text.split("\n") if line and line[0] != "#"]
        assert any("\N{REPLACEMENT CHARACTER}" in each for each in series)
        assert len(set(series)) == len(series)


def test_health_and_readiness(server: StartServer, gateway: StartGateway) -> None:
    """Healthy and ready while it takes requests; ready while a backend can be used, where that is asked."""
    through = used_gateway(server, gateway)
    assert request(through.admin_url, "/healthz").status == 200
    assert request(through.admin_url, "/readyz").status == 200
    assert request(through.admin_url, "/nothing").status == 404
    alone = gateway(one_pool(closed_address()))

    def once_refused(condition: Callable[[], bool], what: str) -> None:
        """A backend that refuses is ejected for a moment only: on a slow machine that may be over at the look."""

        def attempt() -> bool:
            for _ in range(3):
                request(alone.url)
            return condition()

        eventually(attempt, what)

    once_refused(lambda: alone.status()["state"] == "unavailable", "unavailable")
    assert request(alone.admin_url, "/healthz").status == 200
    assert request(alone.admin_url, "/readyz").status == 200
    alone.reload(one_pool(closed_address(), extra="server: {readiness: backends}"))
    eventually(lambda: alone.metric("penstock_policy_reloads_total") == 1, "reload counted")
    once_refused(lambda: request(alone.admin_url, "/readyz").status == 503, "not ready")


def test_a_dead_backend_is_not_called_usable(server: StartServer, gateway: StartGateway) -> None:
    """The end of an ejection is no news: nothing calls the backend usable before something ended well there."""
    address = closed_address()
    ejection = "ejection: {base: 200ms, max: 400ms}"
    policy = one_pool(address, extra="server: {readiness: backends}").replace("    limit:", f"    {ejection}\n    limit:")
    through = gateway(policy)
    assert request(through.url).status in (502, 503)
    seen = set()
    end = time.monotonic() + 4
    for count in itertools.count():
        if time.monotonic() > end:
            break
        if count % 20 == 0:
            request(through.url)
        backend = through.status()["pools"][0]["backends"][0]
        assert not backend["usable"] and through.metric("penstock_backend_usable") == 0
        assert through.status()["state"] == "unavailable"
        assert request(through.admin_url, "/readyz").status == 503
        seen.add(backend["on_trial"])
        time.sleep(0.03)
    assert seen == {True, False}
    # Nobody sends anything any more, and who asks for readiness finds out all the same.
    time.sleep(0.5)
    assert not through.status()["pools"][0]["backends"][0]["usable"]
    server("--no-model", "--port", address.rpartition(":")[2])
    eventually(lambda: request(through.admin_url, "/readyz").status == 200, "ready", 20)
    assert through.metric("penstock_backend_on_trial") == 0 and through.metric("penstock_backend_usable") == 1
    assert request(through.url, "/v1/models").status == 200


def slams(connection: socket.socket) -> None:
    """Takes a connection and ends it, whatever is asked."""
    connection.settimeout(5)
    with contextlib.suppress(OSError):
        connection.recv(65536)


def is_busy(connection: socket.socket) -> None:
    """Answers everything with 503, as a server does that loads a model."""
    while read_head(connection):
        connection.sendall(b"HTTP/1.1 503 Loading\r\nContent-Length: 0\r\n\r\n")


def answers(connection: socket.socket) -> None:
    """Answers everything with 404, as a server does that knows no such path."""
    while read_head(connection):
        connection.sendall(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")


def knows_no_head(connection: socket.socket) -> None:
    """Answers with 501, as Python's own server does where nobody has written a `do_HEAD`."""
    while read_head(connection):
        connection.sendall(b"HTTP/1.1 501 Unsupported method\r\nContent-Length: 0\r\n\r\n")


@pytest.mark.parametrize(("script", "well"), [(slams, answers), (is_busy, knows_no_head)])
def test_a_backend_that_is_only_connected_to_is_not_ready(
    gateway: StartGateway, script: Callable[[socket.socket], None], well: Callable[[socket.socket], None]
) -> None:
    """It was ejected, and takes connections again: nothing speaks for it until it has answered something."""
    address = closed_address()
    ejection = "ejection: {base: 100ms, max: 100ms}"
    policy = one_pool(address, extra="server: {readiness: backends}").replace("    limit:", f"    {ejection}\n    limit:")
    through = gateway(policy)
    eventually(lambda: request(through.url) and request(through.admin_url, "/readyz").status == 503, "not ready")
    port = int(address.rpartition(":")[2])
    with scripted_backend(script, port=port):
        time.sleep(0.2)
        for _ in range(30):
            assert request(through.admin_url, "/readyz").status == 503
            assert through.metric("penstock_backend_usable") == 0
            time.sleep(0.02)
    with scripted_backend(well, port=port):
        eventually(lambda: request(through.admin_url, "/readyz").status == 200, "ready", 10)
        assert through.metric("penstock_backend_usable") == 1 and through.metric("penstock_backend_on_trial") == 0


def test_a_backend_whose_connections_break_is_not_ready(gateway: StartGateway) -> None:
    """It was never ejected; nobody sends it anything any more, and it is well again all the same."""
    address = closed_address()
    port = int(address.rpartition(":")[2])
    with scripted_backend(answers, port=port):
        through = gateway(one_pool(address, extra="server: {readiness: backends}"))
        eventually(lambda: request(through.admin_url, "/readyz").status == 200, "ready", 10)
    with scripted_backend(slams, port=port):
        for _ in range(8):
            assert request(through.url, method="POST", body=b"x").status >= 500
        for _ in range(10):
            assert request(through.admin_url, "/readyz").status == 503
        assert through.metric("penstock_backend_suspected", cause="failures") == 1
        assert not through.status()["pools"][0]["backends"][0]["usable"]
    with scripted_backend(answers, port=port):
        eventually(lambda: request(through.admin_url, "/readyz").status == 200, "ready", 10)
        assert request(through.url).status == 404


def hangs(connection: socket.socket) -> None:
    """Answers HEAD, and nothing else."""
    while head := read_head(connection):
        if head.startswith(b"HEAD "):
            connection.sendall(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")


def test_a_request_that_hangs_keeps_nobody_from_being_ready(gateway: StartGateway) -> None:
    """The one that is on trial with the backend says nothing of it, and takes no other's turn."""
    address = closed_address()
    port = int(address.rpartition(":")[2])
    with scripted_backend(slams, port=port):
        through = gateway(one_pool(address, extra="server: {readiness: backends}"))
        for _ in range(8):
            assert request(through.url, method="POST", body=b"x").status >= 500
        assert request(through.admin_url, "/readyz").status == 503
    with scripted_backend(hangs, port=port), contextlib.ExitStack() as stack:
        client = RawClient(through.url)
        stack.callback(client.socket.close)
        time.sleep(3.5)
        client.send(b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\nx")
        eventually(lambda: through.status()["pools"][0]["backends"][0]["in_flight"] == 1, "on trial")
        eventually(lambda: request(through.admin_url, "/readyz").status == 200, "ready", 10)
        assert through.status()["pools"][0]["backends"][0]["in_flight"] == 1


def test_a_backend_that_nothing_was_heard_of_is_not_ready(gateway: StartGateway) -> None:
    """No client has tried it, at the start or after a reload: it is asked, and is ready when it has answered."""
    ready = "server: {readiness: backends}"
    address = closed_address()
    through = gateway(one_pool(address, extra=ready))
    for _ in range(5):
        assert request(through.admin_url, "/readyz").status == 503
        time.sleep(0.02)
    with scripted_backend(answers, port=int(address.rpartition(":")[2])):
        eventually(lambda: request(through.admin_url, "/readyz").status == 200, "ready", 20)
    for reloads, other in enumerate([closed_address(), address, closed_address()], 1):
        through.reload(one_pool(other, extra=ready))
        eventually(lambda: through.metric("penstock_policy_reloads_total") == reloads, "reload counted")
        for _ in range(5):
            assert request(through.admin_url, "/readyz").status == 503
            time.sleep(0.02)


def test_status(server: StartServer, gateway: StartGateway) -> None:
    """The state of pools, limits and queues as JSON."""
    through = used_gateway(server, gateway)
    pools = through.status()["pools"]
    assert [pool["name"] for pool in pools] == ["chat"]


def test_admin_is_not_served_to_clients(server: StartServer, gateway: StartGateway) -> None:
    """The clients' listener forwards /metrics like any path: here the backend does not know it."""
    through = used_gateway(server, gateway)
    assert request(through.url, "/metrics").status == 404
    assert b"penstock_limit" not in request(through.url, "/metrics").body
