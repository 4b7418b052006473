"""Rates of bytes: what passes, how it is shared, and what it must not hold back."""

from __future__ import annotations

import http.client
import http.server
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import pytest

from conftest import StartGateway
from processes import Gateway

POLICY = """
listen: 127.0.0.1:0
admin: 127.0.0.1:0
threads: {threads}
log: {{to: stderr, access: {{to: stderr}}}}
server: {{max_body_size: 1GiB, timeouts: {{write_stall: 2s, body_idle: 2s}}}}
pools:
  shards:
    backends: [{url}]
    limit: 16
    timeouts: {{idle: 1s, first_byte: 2s}}
{pool}
routes: [{{path: /*, pool: shards}}]
"""

MEGABYTE = 1_000_000


class Shards(http.server.BaseHTTPRequestHandler):
    """`GET /N` answers with N bytes, `GET /events` with events, `POST` with how many bytes came."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """A shard, or events."""
        if self.path == "/events":
            self.send_response(200)
            self.send_header("Content-Type", "text/event-stream")
            self.send_header("Connection", "close")
            self.end_headers()
            for _ in range(100):
                self.wfile.write(b"data: " + b"e" * 20_000 + b"\n\n")
            self.close_connection = True
            return
        size = int(self.path.rsplit("/", 1)[-1])
        self.send_response(200)
        self.send_header("Content-Length", str(size))
        self.end_headers()
        piece = b"s" * 65536
        while size > 0:
            self.wfile.write(piece[:size])
            size -= len(piece)

    def do_POST(self) -> None:
        """Takes what comes."""
        left = int(self.headers["Content-Length"])
        came = 0
        while came < left:
            came += len(self.rfile.read(min(65536, left - came)))
        text = str(came).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, format: str, *args: object) -> None:
        """Says nothing."""


class ShardServer(http.server.ThreadingHTTPServer):
    """Serves clients that leave when they like."""

    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """Says nothing."""


@pytest.fixture
def shards() -> Iterator[str]:
    """The address of a server of shards."""
    server = ShardServer(("127.0.0.1", 0), Shards)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()


@dataclass
class Reader:
    """A client that reads for so many seconds, and what it got of each of them."""

    url: str
    path: str
    seconds: float
    fields: dict[str, str] = field(default_factory=dict)
    bytes: int = 0
    status: int = 0
    ended: bool = False

    def run(self) -> None:
        """Reads."""
        client = http.client.HTTPConnection(urlsplit(self.url).netloc, timeout=20)
        client.request("GET", self.path, headers=self.fields)
        answer = client.getresponse()
        self.status = answer.status
        until = time.monotonic() + self.seconds
        while time.monotonic() < until:
            piece = answer.read1(65536)
            if not piece:
                self.ended = True
                break
            self.bytes += len(piece)
        client.close()


def read_all(*readers: Reader) -> None:
    """Lets all read at once."""
    threads = [threading.Thread(target=reader.run, daemon=True) for reader in readers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
        assert not thread.is_alive()
    assert all(reader.status == 200 for reader in readers)


def start(gateway: StartGateway, url: str, pool: str, threads: int = 1) -> Gateway:
    """A gateway with those rates."""
    lines = "\n".join(f"    {line}" for line in pool.splitlines())
    return gateway(POLICY.format(url=url, pool=lines, threads=threads))


@pytest.mark.timed
def test_a_shard_takes_its_time(shards: str, gateway: StartGateway) -> None:
    """20 MB at 4 MB/s, a tenth of a second of which comes at once."""
    through = start(gateway, shards, "bytes_per_second: 4000000B")
    reader = Reader(through.url, f"/{20 * MEGABYTE}", 20)
    began = time.monotonic()
    read_all(reader)
    took = time.monotonic() - began
    assert reader.bytes == 20 * MEGABYTE and reader.ended
    assert took == pytest.approx(4.9, rel=0.05)
    labels = {"pool": "shards", "direction": "down"}
    assert through.metric("penstock_paced_bytes_total", **labels) == 20 * MEGABYTE
    assert 3 < through.metric("penstock_paced_seconds_total", **labels) < took


@pytest.mark.timed
@pytest.mark.parametrize("threads", [1, 2])
def test_streams_share_evenly(shards: str, gateway: StartGateway, threads: int) -> None:
    """Whatever threads they are served by."""
    through = start(gateway, shards, "bytes_per_second: 4000000B", threads)
    readers = [Reader(through.url, f"/{100 * MEGABYTE}", 4) for _ in range(4)]
    read_all(*readers)
    together = sum(reader.bytes for reader in readers)
    # The first burst, and what sockets hold at the end.
    assert 0.95 * 16 * MEGABYTE < together < 1.08 * 16.4 * MEGABYTE
    for reader in readers:
        assert reader.bytes == pytest.approx(together / 4, rel=0.1)


@pytest.mark.timed
def test_a_tenant_has_its_own_below_the_pools(shards: str, gateway: StartGateway) -> None:
    """And the others have the rest."""
    pool = "bytes_per_second: 4000000B\ntenant:\n  header: x-team\n  named: [{name: nightly, bytes_per_second: 1000000B}]"
    through = start(gateway, shards, pool)
    nightly = [Reader(through.url, f"/{100 * MEGABYTE}", 4, {"X-Team": "nightly"}) for _ in range(2)]
    other = Reader(through.url, f"/{100 * MEGABYTE}", 4, {"X-Team": "other"})
    read_all(*nightly, other)
    of_tenant = sum(reader.bytes for reader in nightly)
    assert 0.95 * 4 * MEGABYTE < of_tenant < 1.05 * 4.2 * MEGABYTE
    assert 0.9 * 12 * MEGABYTE < other.bytes < 1.1 * 12.5 * MEGABYTE


@pytest.mark.timed
def test_an_upload_takes_its_time(shards: str, gateway: StartGateway) -> None:
    """Longer than the client may be silent, and the backend; nobody is at fault."""
    through = start(gateway, shards, "bytes_per_second_up: 2000000B")
    client = http.client.HTTPConnection(urlsplit(through.url).netloc, timeout=20)
    began = time.monotonic()
    client.request("POST", "/", b"u" * 10 * MEGABYTE)
    answer = client.getresponse()
    assert answer.status == 200 and answer.read() == str(10 * MEGABYTE).encode()
    assert time.monotonic() - began == pytest.approx(4.9, rel=0.06)
    assert through.metric("penstock_paced_bytes_total", direction="up") == 10 * MEGABYTE
    client.close()


@pytest.mark.timed
def test_waiting_is_no_time_out(shards: str, gateway: StartGateway) -> None:
    """At 4 KiB every four seconds the backend is read less often than its time-out says; uploads likewise."""
    pool = "bytes_per_second: 1KiB\nbytes_per_second_up: 1KiB"
    through = start(gateway, shards, pool)
    reader = Reader(through.url, "/72000", 30)
    began = time.monotonic()
    read_all(reader)
    assert reader.bytes == 72_000 and reader.ended
    assert time.monotonic() - began > 5
    client = http.client.HTTPConnection(urlsplit(through.url).netloc, timeout=30)
    client.request("POST", "/", b"u" * 72_000)
    assert client.getresponse().read() == b"72000"
    client.close()
    assert through.metric("penstock_requests_total", code="2xx") == 2


@pytest.mark.timed
def test_events_pass_as_they_come(shards: str, gateway: StartGateway) -> None:
    """Each is wanted at once."""
    through = start(gateway, shards, "bytes_per_second: 20KiB")
    began = time.monotonic()
    events = Reader(through.url, "/events", 10)
    read_all(events)
    assert events.bytes == 100 * 20_008 and events.ended
    assert time.monotonic() - began < 3


@pytest.mark.timed
def test_a_slow_client_beside_is_not_cut(shards: str, gateway: StartGateway) -> None:
    """One that reads 500 KB a second has what it can take, and the other one the rest."""
    through = start(gateway, shards, "bytes_per_second: 2000000B")
    fast = Reader(through.url, f"/{100 * MEGABYTE}", 6)
    thread = threading.Thread(target=fast.run, daemon=True)
    thread.start()
    slow = socket.socket()
    slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
    address = urlsplit(through.url)
    slow.connect((address.hostname, address.port))
    slow.sendall(f"GET /{100 * MEGABYTE} HTTP/1.1\r\nHost: gw\r\n\r\n".encode())
    taken = 0
    until = time.monotonic() + 6
    while time.monotonic() < until:
        piece = slow.recv(25_000)
        assert piece, "it was cut"
        taken += len(piece)
        time.sleep(0.05)
    slow.close()
    thread.join(10)
    assert taken > MEGABYTE
    assert fast.bytes > 6 * MEGABYTE


@pytest.mark.timed
def test_clients_that_leave_give_back_what_they_had(shards: str, gateway: StartGateway) -> None:
    """Whoever comes after a crowd that left has the whole rate."""
    through = start(gateway, shards, "bytes_per_second: 4000000B")
    read_all(*(Reader(through.url, f"/{100 * MEGABYTE}", 0.5) for _ in range(12)))
    through.wait_until_idle()
    after = Reader(through.url, f"/{100 * MEGABYTE}", 3)
    read_all(after)
    assert 0.95 * 12 * MEGABYTE < after.bytes < 1.1 * 12.4 * MEGABYTE
