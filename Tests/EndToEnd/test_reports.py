"""Load reports of backends: they are asked for, heeded, counted, and no client gets one."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from conftest import StartGateway
from processes import Gateway, eventually, request
from sockets import RawClient, read_head, scripted_backend


@dataclass
class Engine:
    """One that says what the test sets, in heads and behind bodies in chunks."""

    fields: bytes = b""
    trailers: bytes | None = None
    seconds: float = 0.0
    head: bytes = b""
    address: str = ""

    def serve(self, connection: socket.socket) -> None:
        """All requests of a connection."""
        while head := read_head(connection):
            self.head = head
            time.sleep(self.seconds)
            if self.trailers is None:
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n" + self.fields + b"\r\nx")
            else:
                connection.sendall(
                    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n%s\r\n1\r\nx\r\n0\r\n%s\r\n"
                    % (self.fields, self.trailers)
                )


@pytest.fixture
def engine() -> Iterator[Engine]:
    """One of them."""
    engine = Engine()
    with scripted_backend(engine.serve) as address:
        engine.address = address
        yield engine


def policy(engine: Engine, signals: str = "{reports: ask}") -> str:
    """A pool of it."""
    return f"""\
version: 1
listen: 127.0.0.1:0
admin: 127.0.0.1:0
threads: 2
pools:
  all:
    backends: [{engine.address}]
    limit: {{algorithm: fixed, limit: 8}}
    queue: {{max_wait: 2s}}
    signals: {signals}
routes: [{{path: /*, pool: all}}]
"""


def report(through: Gateway) -> dict[str, object] | None:
    """What the status says."""
    found = through.status()["pools"][0]["backends"][0]["report"]
    assert found is None or isinstance(found, dict)
    return found


def counted(through: Gateway, engine: Engine, result: str) -> float:
    """Reports that the metrics know of."""
    return through.metric("penstock_backend_reports_total", backend=engine.address, result=result)


TEXT = b"endpoint-load-metrics: TEXT named_metrics.kv_cache_usage_perc=0.4, named_metrics.num_requests_waiting=3.0\r\n"
JSON = b'endpoint-load-metrics: JSON {"named_metrics":{"kv_cache_usage_perc":0.4,"num_requests_waiting":3}}\r\n'
OLD = b"Endpoint-Load-Metrics-JSON: " + JSON.split(b"JSON ")[1]
# {named_metrics: {num_requests_waiting: 3, kv_cache_usage_perc: 0.4}}
BINARY = (
    b"endpoint-load-metrics-bin: Qh8KFG51bV9yZXF1ZXN0c193YWl0aW5nEQAAAAAAAAhAQh4KE2t2X2NhY2hlX3VzYWdlX3BlcmMRmpmZmZmZ2T8\r\n"
)


@pytest.mark.parametrize("line", [TEXT, JSON, OLD, BINARY], ids=["text", "json", "old", "binary"])
@pytest.mark.parametrize("place", ["head", "trailer"])
def test_they_are_asked_for_and_go_no_further(
    gateway: StartGateway, engine: Engine, line: bytes, place: str
) -> None:
    """In each spelling, before a body and behind it."""
    if place == "head":
        engine.fields = line
    else:
        engine.trailers = b"X-Mine: 1\r\n" + line
        # The later one counts.
        engine.fields = TEXT.replace(b"3.0", b"7.0")
    through = gateway(policy(engine))
    with RawClient(through.url) as client:
        client.send(
            b"GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\nEndpoint-Load-Metrics-Format: text\r\n\r\n"
        )
        told, _ = client.read_to_end()
    assert b"load-metrics" not in told.lower()
    assert (b"x-mine: 1" in told.lower()) == (place == "trailer")
    asked = [head for head in engine.head.lower().split(b"\r\n") if b"load-metrics" in head]
    assert asked == [b"endpoint-load-metrics-format: json"]
    eventually(lambda: report(through) is not None, "it is shown")
    shown = report(through)
    assert shown is not None
    assert (shown["queued"], shown["cache_use"], shown["cap"]) == (3.0, 0.4, None)
    # Not in the first ten seconds.
    assert shown["believed"] is False
    assert counted(through, engine, "read") == (1 if place == "head" else 2)
    assert counted(through, engine, "unreadable") == 0


@pytest.mark.parametrize(
    "fields",
    [
        b"endpoint-load-metrics: TEXT a=nan\r\n",
        b"endpoint-load-metrics: JSON {\r\n",
        b"endpoint-load-metrics-bin: *\r\n",
        TEXT + JSON,
        TEXT + OLD,
        b"endpoint-load-metrics: TEXT " + b"a=1," * 1100 + b"\r\n",
    ],
    ids=["nan", "cut", "letters", "twice", "two ways", "long"],
)
def test_what_cannot_be_read_is_counted(gateway: StartGateway, engine: Engine, fields: bytes) -> None:
    """And says nothing."""
    engine.fields = fields
    through = gateway(policy(engine))
    assert request(through.url).status == 200
    eventually(lambda: counted(through, engine, "unreadable") == 1, "it is counted")
    assert report(through) is None


def test_nobody_asks_by_default(gateway: StartGateway, engine: Engine) -> None:
    """What comes all the same is heeded, unless the policy has it otherwise; clients get none of it."""
    engine.fields = TEXT
    through = gateway(policy(engine, "{}"))
    reply = request(through.url, headers={"endpoint-load-metrics-format": "json"})
    assert b"load-metrics" not in engine.head
    assert "endpoint-load-metrics" not in {name.lower() for name in reply.headers}
    eventually(lambda: counted(through, engine, "read") == 1, "it is read")
    through.reload(policy(engine, "{reports: ignore}"))
    eventually(lambda: through.logged("policy reloaded"), "the reload")
    reply = request(through.url)
    assert "endpoint-load-metrics" not in {name.lower() for name in reply.headers}
    assert counted(through, engine, "read") == 1


@pytest.mark.long
def test_a_queue_lowers_what_is_sent(gateway: StartGateway, engine: Engine) -> None:
    """After the first ten seconds; what is left grows again once there is none, and with silence it is all there."""
    engine.seconds = 0.02
    idle = TEXT.replace(b"3.0", b"0")
    engine.fields = idle
    through = gateway(policy(engine))
    ending = threading.Event()

    def ask() -> None:
        while not ending.is_set():
            request(through.url)

    threads = [threading.Thread(target=ask) for _ in range(10)]
    for thread in threads:
        thread.start()
    try:
        eventually(lambda: (report(through) or {}).get("believed") is True, "they count", 15)
        engine.fields = TEXT
        label = engine.address
        eventually(
            lambda: through.metric("penstock_limit", backend=label) < 8, "it gets less", 5
        )
        engine.fields = idle
        eventually(lambda: through.metric("penstock_limit", backend=label) == 8, "it comes back", 5)
    finally:
        ending.set()
        for thread in threads:
            thread.join()


def test_signals_behind_bodies_count(gateway: StartGateway, engine: Engine) -> None:
    """As in heads, which they replace."""
    engine.fields = b"Penstock-Signal: limit=2, ttl=60\r\n"
    engine.trailers = b"Penstock-Signal: limit=4, ttl=60\r\nX-Mine: 1\r\n"
    through = gateway(policy(engine))
    with RawClient(through.url) as client:
        client.send(b"GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
        told, _ = client.read_to_end()
    assert b"penstock-signal" not in told.lower()
    assert told.endswith(b"0\r\nX-Mine: 1\r\n\r\n")
    eventually(
        lambda: through.metric("penstock_limit", backend=engine.address) == 4, "it gets what it said"
    )


@dataclass
class PagedEngine(Engine):
    """One with a page of metrics."""

    page: bytes = b""
    status: bytes = b"200 OK"
    pages: int = 0

    def serve(self, connection: socket.socket) -> None:
        """The page, and all else."""
        while head := read_head(connection):
            if head.startswith(b"GET /metrics HTTP/1.1\r\n"):
                self.pages += 1
                length = b"Content-Length: %d\r\n\r\n" % len(self.page)
                connection.sendall(b"HTTP/1.1 " + self.status + b"\r\n" + length + self.page)
            else:
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n" + self.fields + b"\r\nx")


PAGE = b'vllm:num_requests_waiting{engine="0"} 3\nvllm:kv_cache_usage_perc{engine="0"} 0.5\n'


@pytest.mark.timed
def test_a_page_of_metrics_is_a_report(gateway: StartGateway) -> None:
    """It is asked for while responses say nothing, counted, and shown; what responses say counts first."""
    engine = PagedEngine(page=PAGE)
    with scripted_backend(engine.serve) as address:
        engine.address = address
        through = gateway(policy(engine, "{metrics: /metrics}"))
        found = eventually(lambda: report(through), "what the page says", 10)
        assert (found["queued"], found["cache_use"]) == (3, 0.5)
        assert counted(through, engine, "read") >= 1
        # A page that is none takes nothing back, and is counted.
        engine.status = b"503 Busy"
        eventually(lambda: counted(through, engine, "unreadable") >= 1, "the page that is none", 10)
        assert report(through) is not None
        engine.status = b"200 OK"
        # As long as responses say it, nobody asks.
        engine.fields = b"endpoint-load-metrics: TEXT named_metrics.num_requests_waiting=1\r\n"
        asked = engine.pages
        end = time.monotonic() + 8
        while time.monotonic() < end:
            assert request(through.url).status == 200
            time.sleep(0.2)
        assert engine.pages <= asked + 1
        assert (report(through) or {}).get("queued") == 1
        # And not in maintenance.
        engine.fields = b"penstock-signal: state=maint, ttl=3600\r\n"
        assert request(through.url).status == 200
        asked = engine.pages
        time.sleep(7)
        assert engine.pages <= asked + 1


def test_nobody_is_asked_unless_the_policy_says_so(gateway: StartGateway) -> None:
    """A page costs an engine something."""
    engine = PagedEngine(page=PAGE)
    with scripted_backend(engine.serve) as address:
        engine.address = address
        through = gateway(policy(engine, "{reports: heed}"))
        assert request(through.url).status == 200
        time.sleep(1)
        assert engine.pages == 0 and report(through) is None
