"""Copies of requests for another pool: what they are, and that whatever becomes of them is nobody's business."""

from __future__ import annotations

import hashlib
import http.client
import json
import os
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from websockets.sync.server import Server
from websockets.sync.server import serve as serve_websocket

from conftest import StartGateway
from processes import Gateway, eventually, request
from sockets import RawClient, closed_address, read_head, scripted_backend, unanswering_address
from test_websocket import echo, opened

pytestmark = pytest.mark.timed

HELLO = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


@dataclass(frozen=True)
class Seen:
    """A request as a backend got it."""

    line: str
    fields: dict[str, str]
    body: bytes


@dataclass
class Recorder:
    """A backend that remembers what it was asked, and answers with `answer`."""

    answer: bytes = HELLO
    seen: list[Seen] = field(default_factory=list)
    address: str = ""

    def serve(self, connection: socket.socket) -> None:
        """All requests of a connection."""
        file = connection.makefile("rb")
        while line := file.readline():
            fields = http.client.parse_headers(file)
            self.seen.append(
                Seen(
                    line.decode().strip(),
                    {name.lower(): value for name, value in fields.items()},
                    self._body(file, fields),
                )
            )
            connection.sendall(self.answer)

    @staticmethod
    def _body(file: socket.SocketIO, fields: http.client.HTTPMessage) -> bytes:
        if fields.get("Transfer-Encoding") != "chunked":
            return file.read(int(fields.get("Content-Length", 0)))
        body = b""
        while size := int(file.readline(), 16):
            body += file.read(size)
            file.readline()
        file.readline()
        return body


@pytest.fixture
def recorders() -> Iterator[list[Recorder]]:
    """The one that serves, and the one that gets copies."""
    with ExitStack() as stack:
        made = [Recorder(), Recorder()]
        for recorder in made:
            recorder.address = stack.enter_context(scripted_backend(recorder.serve))
        yield made


def policy(own: str, shadow: str, mirror: str = "share: 1", more: str = "", extra: str = "") -> str:
    """A route whose requests are copied to a pool of its own; `more` stands in the first pool, `extra` in the other."""
    return f"""\
version: 1
listen: 127.0.0.1:0
admin: 127.0.0.1:0
threads: 2
log: {{access: stdout}}
pools:
  own:
    backends: [{own}]
    limit: {{algorithm: fixed, limit: 64}}
    {more}
  shadow:
    backends: [{shadow}]
    limit: {{algorithm: fixed, limit: 16}}
    timeouts: {{connect: 500ms, first_byte: 1s}}
    {extra}
routes:
  - path: /*
    pool: own
    mirror: {{pool: shadow, {mirror}}}
"""


def mirrors(through: Gateway, outcome: str) -> float:
    """Copies that came to that."""
    return through.metric("penstock_mirrors_total", pool="shadow", outcome=outcome)


def seconds_of(through: Gateway, count: int) -> list[float]:
    """How long requests take, all of which are answered as the backend does."""
    times = []
    for number in range(count):
        began = time.monotonic()
        answer = request(through.url, f"/{number}", "POST", b"x" * 2000, timeout=5)
        times.append(time.monotonic() - began)
        assert (answer.status, answer.body) == (200, b"ok")
    return times


def test_copies_are_what_was_asked(
    gateway: StartGateway, recorders: list[Recorder], penstock: Path
) -> None:
    """With the body, however it is framed, and a mark; and they are counted and logged apart."""
    own, shadow = recorders
    through = gateway(policy(own.address, shadow.address))
    bodies = [None, b"", b"short", os.urandom(100_000)]
    for body in bodies:
        method = "GET" if body is None else "POST"
        assert request(through.url, "/a?b=c", method, body, {"X-One": "1"}).body == b"ok"
    chunked = http.client.HTTPConnection(urlsplit(through.url).netloc)
    chunked.request("POST", "/chunks", iter([b"a" * 1000, b"b" * 3000]), encode_chunked=True)
    assert chunked.getresponse().read() == b"ok"
    chunked.close()
    eventually(lambda: mirrors(through, "answered") == 5, "all copies are answered")
    by_id = {one.fields["x-request-id"]: one for one in own.seen}
    assert len(by_id) == len(shadow.seen) == 5
    for copy in shadow.seen:
        original = by_id[copy.fields["x-request-id"]]
        assert (copy.line, copy.body) == (original.line, original.body)
        assert copy.fields.pop("penstock-mirror") == "1"
        assert copy.fields == original.fields
    assert sorted(len(one.body) for one in shadow.seen) == [0, 0, 5, 4000, 100_000]
    assert through.metric("penstock_mirrors_inflight", pool="shadow") == 0
    requests = [one for one in through.metrics() if one.name == "penstock_requests_total"]
    assert sum(one.value for one in requests if one.labels["pool"] == "own") == 5
    assert sum(one.value for one in requests if one.labels["pool"] == "shadow") == 0
    eventually(lambda: sum('"mirror":true' in line for line in through.output) == 5, "the log says them")
    lines = [json.loads(line) for line in through.output if line.startswith("{")]
    copies = [line for line in lines if line.get("mirror")]
    assert {line["pool"] for line in copies} == {"shadow"} and {line["status"] for line in copies} == {200}
    assert sum(line.get("pool") == "own" for line in lines) == 5
    assert through.status()["mirrors"] == [{"path": "/*", "pool": "shadow", "share": 1.0}]
    words = [str(penstock), "check", "--explain", "GET /", str(through.policy_file)]
    told = subprocess.run(words, capture_output=True, text=True, timeout=20, check=True).stdout
    assert "100.0 % are copied to pool shadow" in told
    # What is a copy already is not copied again; the negative control is the same request without the mark.
    for fields in ({"Penstock-Mirror": "1"}, {}):
        assert request(through.url, "/again", headers=fields).body == b"ok"
    eventually(lambda: mirrors(through, "answered") == 6, "one more copy")
    assert sum(one.line.startswith("GET /again") for one in shadow.seen) == 1


def test_shares(gateway: StartGateway, recorders: list[Recorder]) -> None:
    """By ids that are said, so that every run is the same; none with a share of 0."""
    own, shadow = recorders
    through = gateway(policy(own.address, shadow.address, "share: 0.1"))
    for number in range(500):
        assert request(through.url, headers={"X-Request-ID": f"run-{number}"}).body == b"ok"
    eventually(lambda: mirrors(through, "answered") == len(shadow.seen), "all are answered")
    assert abs(len(shadow.seen) - 50) <= 5 * (500 * 0.1 * 0.9) ** 0.5
    before = len(shadow.seen)
    through.reload(policy(own.address, shadow.address, "share: 0"))
    eventually(lambda: through.status()["mirrors"][0]["share"] == 0, "the reload")
    seconds_of(through, 50)
    assert len(shadow.seen) == before


def silent(connection: socket.socket) -> None:
    """Takes what is sent and says nothing."""
    while connection.recv(65536):
        pass


def babbling(connection: socket.socket) -> None:
    """Sends what is no HTTP."""
    read_head(connection)
    connection.sendall(b"\0" * 1000)


def trickling(connection: socket.socket) -> None:
    """Answers a byte at a time, without an end."""
    read_head(connection)
    connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    while True:
        time.sleep(0.05)
        connection.sendall(b"1\r\n.\r\n")


@pytest.mark.parametrize("kind", ["dead", "unanswering", "silent", "babbling", "trickling"])
def test_a_sick_mirror_costs_nothing(
    gateway: StartGateway, recorders: list[Recorder], kind: str
) -> None:
    """Every request is answered, as fast as without it; the negative control asks the sick one itself."""
    scripts: dict[str, Callable[[socket.socket], None]] = {
        "silent": silent,
        "babbling": babbling,
        "trickling": trickling,
    }
    with ExitStack() as stack:
        if kind == "dead":
            shadow = closed_address()
        elif kind == "unanswering":
            shadow = stack.enter_context(unanswering_address())
        else:
            shadow = stack.enter_context(scripted_backend(scripts[kind]))
        alone = gateway(policy(recorders[0].address, shadow, "share: 0"))
        usual = sorted(seconds_of(alone, 60))
        through = gateway(policy(recorders[0].address, shadow))
        times = sorted(seconds_of(through, 120))
        # Half a second is what the least of the mirror's time-outs is.
        assert times[-1] < 0.4
        assert times[60] < usual[30] + 0.02
        counted = sum(mirrors(through, name) for name in ("answered", "failed", "refused", "bound"))
        under_way = through.metric("penstock_mirrors_inflight", pool="shadow")
        assert counted + under_way == 120
        assert mirrors(through, "answered") == 0
        assert through.metric("penstock_retries_total", pool="own") == 0
        if kind in ("silent", "trickling"):
            # No more than the pool's limit are ever there.
            assert under_way <= 16
            assert mirrors(through, "refused") > 0
        control = gateway(policy(shadow, recorders[1].address, more="timeouts: {connect: 500ms, first_byte: 1s}"))
        if kind == "trickling":
            with RawClient(control.url) as client:
                client.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
                client.read_until(b".\r\n1\r\n.")
            return
        with pytest.raises((AssertionError, TimeoutError)):
            seconds_of(control, 1)


def test_bounds(gateway: StartGateway, recorders: list[Recorder]) -> None:
    """Of number, of bytes, and of a body; what is over them is not copied, and arrives whole."""
    own, _ = recorders
    large = os.urandom(3 << 20)
    with scripted_backend(silent) as slow:
        through = gateway(
            policy(own.address, slow, "share: 1, max_body: 64KiB, max_in_flight: 2, max_bytes: 96KiB").replace(
                "threads: 2", "threads: 1"
            )
        )
        assert request(through.url, "/large", "POST", large).body == b"ok"
        assert hashlib.sha256(own.seen[-1].body).digest() == hashlib.sha256(large).digest()
        assert mirrors(through, "body") == 1
        request(through.url, "/first", "POST", b"x" * 60_000)
        # Together these would be more than 96 KiB.
        request(through.url, "/second", "POST", b"x" * 60_000)
        assert mirrors(through, "bound") == 1
        request(through.url, "/third")
        request(through.url, "/fourth")
        assert mirrors(through, "bound") == 2
        assert through.metric("penstock_mirrors_inflight", pool="shadow") == 2
        # Their places are free again when the backend's time is up.
        eventually(lambda: through.metric("penstock_mirrors_inflight", pool="shadow") == 0, "they end", 10)
        assert mirrors(through, "failed") == 2


def test_a_body_that_is_not_there_is_not_waited_for(gateway: StartGateway, recorders: list[Recorder]) -> None:
    """One that comes while its request is under way already."""
    own, shadow = recorders
    text = policy(own.address, shadow.address).replace("threads: 2", "server: {body_before_queue: 0B}")
    through = gateway(text)
    with RawClient(through.url) as client:
        client.send(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 6\r\n\r\nabc")
        eventually(lambda: through.metric("penstock_inflight", pool="own") == 1, "it is under way")
        client.send(b"def")
        client.read_until(b"ok")
    assert own.seen[-1].body == b"abcdef"
    assert mirrors(through, "body") == 1 and not shadow.seen


def test_streams_are_read_to_their_ends(gateway: StartGateway, recorders: list[Recorder]) -> None:
    """The client gets its own stream alone, while the copy's is thrown away."""

    def stream(name: bytes, pause: float) -> Callable[[socket.socket], None]:
        def answer(connection: socket.socket) -> None:
            while read_head(connection):
                connection.sendall(
                    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
                )
                for _ in range(5):
                    event = b"data: " + name + b"\n\n"
                    connection.sendall(b"%x\r\n%s\r\n" % (len(event), event))
                    time.sleep(pause)
                connection.sendall(b"0\r\n\r\n")

        return answer

    with scripted_backend(stream(b"own", 0.02)) as own, scripted_backend(stream(b"shadow", 0.1)) as shadow:
        through = gateway(policy(own, shadow))
        for _ in range(2):
            assert request(through.url, "/v1/chat/completions", "POST", b"{}").body == b"data: own\n\n" * 5
        assert through.metric("penstock_mirrors_inflight", pool="shadow") > 0
        eventually(lambda: mirrors(through, "answered") == 2, "the copies end by themselves")
        idle = through.status()["pools"][1]["backends"][0]["connections"]["idle"]
        assert idle > 0


def test_websockets_are_not_copied(gateway: StartGateway, recorders: list[Recorder]) -> None:
    """Nor are they counted."""
    server: Server = serve_websocket(echo, "127.0.0.1", 0)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    backend = f"http://127.0.0.1:{server.socket.getsockname()[1]}"
    through = gateway(policy(backend, recorders[1].address, more="websocket: allow"))
    with opened(through) as client:
        client.send("hello")
        assert client.recv(timeout=10) == "hello"
    server.shutdown()
    thread.join(5)
    assert not recorders[1].seen
    assert sum(mirrors(through, name) for name in ("answered", "failed", "refused", "body", "bound")) == 0


def test_nobody_pays_and_no_key_is_told(
    gateway: StartGateway, recorders: list[Recorder], penstock: Path, tmp_path: Path
) -> None:
    """Quotas are the clients' requests' alone, and what the pool keeps to itself does not leave by a copy."""
    own, shadow = recorders
    made = subprocess.run([str(penstock), "key", "new", "acme"], capture_output=True, text=True, check=True)
    key = made.stderr.split()[-1]
    keys = tmp_path / "own.keys"
    keys.write_text(made.stdout.strip() + "\n")
    tenant = f"tenant: {{keys: {keys}, default: {{requests_per_minute: 5}}}}"
    through = gateway(policy(own.address, shadow.address, more=tenant, extra=tenant))
    statuses = [
        request(through.url, headers={"Authorization": f"Bearer {key}"}).status for _ in range(6)
    ]
    assert statuses == [200] * 5 + [429]
    eventually(lambda: mirrors(through, "answered") == 5, "what was forwarded was copied")
    assert all("authorization" not in one.fields for one in shadow.seen)


def test_what_is_tried_again_is_copied_once(gateway: StartGateway, recorders: list[Recorder]) -> None:
    """A copy is of the request, not of its tries."""
    own, shadow = recorders
    with scripted_backend(Recorder(b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n").serve) as busy:
        through = gateway(policy(f"{busy}, {own.address}", shadow.address))
        for _ in range(20):
            assert request(through.url).status in (200, 503)
        eventually(lambda: mirrors(through, "answered") == 20, "all copies are answered")
        assert through.metric("penstock_retries_total", pool="own") > 0
        assert len(shadow.seen) == 20
