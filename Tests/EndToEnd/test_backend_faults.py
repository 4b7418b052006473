"""Networks and backends that fail in every phase: what is safe is tried again, once; everything is answered and counted."""

from __future__ import annotations

import hashlib
import os
import signal
import socket
import struct
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest

import namespaces
from conftest import StartGateway
from namespaces import Namespace, Wire
from processes import HERE, Gateway, Process, eventually, listening_address, one_pool, request
from sockets import RawClient, read_head, scripted_backend

GET = b"GET / HTTP/1.1\r\nHost: gateway\r\n\r\n"
TIMEOUTS = "    timeouts: {connect: 800ms, first_byte: 800ms, idle: 800ms}\n    limit:"
AT_ONCE = 2.0
# Each reactor keeps idle connections, and remembers names, of its own.
ONE_THREAD = "threads: 1\n"

in_namespaces = pytest.mark.skipif(
    bool(namespaces.why_not()), reason=namespaces.why_not() or "namespaces can be made"
)


def impatient(*backends: str, **more: object) -> str:
    """A policy whose time-outs are short."""
    return one_pool(*backends, **more).replace("    limit:", TIMEOUTS)  # type: ignore[arg-type]


def reset(connection: socket.socket) -> None:
    """Closes with RST."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def retries(through: Gateway) -> float:
    """How many tries were made again."""
    return through.metric("penstock_retries_total")


@dataclass
class Remote:
    """A backend's process at the other end of a wire; the test itself is at the gateway's end."""

    wire: Wire
    url: str


@pytest.fixture
def remote() -> Iterator[Remote]:
    """A gateway's namespace, in which the test runs, and a backend's, with a wire between them."""
    with Namespace() as near, Namespace() as far, Wire(near, far) as wire:
        with far.inside():
            command = [sys.executable, str(HERE / "fault_server.py"), "--host", Wire.ADDRESSES[1]]
            backend = Process([*command, "--milliseconds", "5"])
        try:
            url = backend.wait_for_line(listening_address, "address of the backend")
            with near.inside():
                yield Remote(wire, url)
        finally:
            backend.stop()


@in_namespaces
def test_black_hole_at_connect(remote: Remote, gateway: StartGateway) -> None:
    """Where packets vanish the client is told after the connect time-out, and the slot comes back."""
    through = gateway(impatient(remote.url))
    remote.wire.loss = 1.0
    began = time.monotonic()
    answer = request(through.url)
    assert (answer.status, answer.headers["x-penstock-reason"]) == (504, "connect_timeout")
    assert 0.7 < time.monotonic() - began < 3
    through.wait_until_idle()
    remote.wire.loss = 0.0
    eventually(lambda: request(through.url).status == 200, "the backend used again", 10)


@in_namespaces
def test_black_hole_is_gone_around(remote: Remote, gateway: StartGateway) -> None:
    """With another backend there nobody is told: the try is made again, once, and counted."""

    def script(connection: socket.socket) -> None:
        while read_head(connection):
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nnear")

    with scripted_backend(script) as near:
        through = gateway(impatient(remote.url, near, limit=4))
        remote.wire.loss = 1.0
        for _ in range(20):
            assert request(through.url).body == b"near"
        failed = through.metric("penstock_upstream_connections_failed_total", reason="connect_timeout")
        assert failed >= 1
        assert retries(through) == failed
        through.wait_until_idle()


@in_namespaces
@pytest.mark.parametrize("fault", ["stall", "stall-body"])
def test_black_hole_after_the_request(
    remote: Remote, gateway: StartGateway, fault: str
) -> None:
    """A backend that vanishes with a request costs its time-out: a 504, or a cut where the answer had begun."""
    through = gateway(impatient(remote.url))
    with RawClient(through.url) as client:
        client.send(f"GET / HTTP/1.1\r\nHost: g\r\nX-Fault: {fault}\r\nX-Size: 500\r\n\r\n".encode())
        eventually(lambda: through.metric("penstock_upstream_connections") == 1, "request sent")
        if fault == "stall-body":
            client.read_until(b"id=")
        remote.wire.loss = 1.0
        rest, _ = client.read_to_end() if fault == "stall-body" else (client.read_until(b"}\n"), False)
    if fault == "stall":
        assert b" 504 " in rest and b"first_byte_timeout" in rest
    else:
        assert len(rest) < 500
        assert through.metric("penstock_requests_total", reason="upstream_idle_timeout") == 1
    through.wait_until_idle(AT_ONCE)
    assert retries(through) == 0


@in_namespaces
def test_black_hole_in_an_idle_connection(remote: Remote, gateway: StartGateway) -> None:
    """A kept connection whose other end has vanished costs one request; nothing is sent twice on a guess."""
    through = gateway(impatient(remote.url, extra=ONE_THREAD))
    assert request(through.url).status == 200
    remote.wire.loss = 1.0
    answer = request(through.url)
    assert (answer.status, answer.headers["x-penstock-reason"]) == (504, "first_byte_timeout")
    assert retries(through) == 0
    remote.wire.loss = 0.0
    eventually(lambda: request(through.url).status == 200, "the backend used again", 10)
    through.wait_until_idle()


@in_namespaces
def test_a_short_black_hole_heals(remote: Remote, gateway: StartGateway) -> None:
    """An interruption below the time-outs delays a stream and takes nothing out of it."""
    through = gateway(one_pool(remote.url))
    size = 20_000
    with RawClient(through.url) as client:
        client.send(f"GET / HTTP/1.1\r\nHost: g\r\nX-Stream: 1\r\nX-Size: {size}\r\n\r\n".encode())
        client.read_until(b"id=")
        remote.wire.loss = 1.0
        time.sleep(0.7)
        remote.wire.loss = 0.0
        rest = client.read_until(b"\r\n0\r\n\r\n")
    assert rest.count(b"x") == size
    through.wait_until_idle()


@in_namespaces
def test_lost_packets(remote: Remote, gateway: StartGateway) -> None:
    """Of ten packets one is lost: every body comes whole, both ways, and nothing is sent twice."""

    def script(connection: socket.socket) -> None:
        head = read_head(connection)
        body = head.partition(b"\r\n\r\n")[2]
        while len(body) < 200_000 and (more := connection.recv(65536)):
            body += more
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)

    remote.wire.loss = 0.1
    body = os.urandom(200_000)
    through = gateway(one_pool(remote.url, limit=8))
    for _ in range(20):
        assert request(through.url, headers={"X-Size": "50000"}).body.count(b"x") == 50_000
    assert remote.wire.lost > 50
    assert through.metric("penstock_requests_total", code="2xx") == 20
    # The same for what is uploaded: an echo, with the gateway's clients at the far end of the wire this time.
    with scripted_backend(script) as echo:
        near = gateway(one_pool(echo, limit=8))
        echoed = request(near.url, method="POST", body=body).body
        assert hashlib.sha256(echoed).digest() == hashlib.sha256(body).digest()
    through.wait_until_idle()


@pytest.mark.parametrize("way", ["close", "reset"])
@pytest.mark.parametrize(
    ("method", "body", "again"), [("GET", None, True), ("DELETE", None, True), ("POST", b"{}", False)]
)
def test_closed_in_the_moment_of_reuse(
    gateway: StartGateway, way: str, method: str, body: bytes | None, again: bool
) -> None:
    """A kept connection that ends under its second request: what is safe is sent again, once, and counted."""
    received: list[int] = []

    def script(connection: socket.socket) -> None:
        number = 0
        while read_head(connection):
            number += 1
            received.append(number)
            if number == 2:
                if way == "reset":
                    reset(connection)
                return
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    with scripted_backend(script) as address:
        through = gateway(one_pool(address, extra=ONE_THREAD))
        assert request(through.url).status == 200
        answer = request(through.url, method=method, body=body)
        if again:
            assert answer.body == b"ok"
            assert received == [1, 2, 1]
            assert retries(through) == 1
        else:
            assert (answer.status, answer.headers["x-penstock-reason"]) == (502, "upstream_closed")
            assert received == [1, 2]
            assert retries(through) == 0
        through.wait_until_idle(AT_ONCE)


def test_tried_again_only_once(gateway: StartGateway) -> None:
    """A backend that closes under the second try as well has its 502."""
    received: list[bytes] = []

    def script(connection: socket.socket) -> None:
        received.append(read_head(connection))
        if len(received) == 1:
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
            received.append(read_head(connection))

    with scripted_backend(script) as address:
        through = gateway(one_pool(address, extra=ONE_THREAD))
        assert request(through.url).status == 200
        answer = request(through.url)
        assert (answer.status, answer.headers["x-penstock-reason"]) == (502, "upstream_closed")
        assert len(received) == 3
        assert retries(through) == 1
        through.wait_until_idle(AT_ONCE)


@pytest.mark.parametrize("sent", [b"", b"HTTP/1.1 200 OK\r\nConte", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf"])
def test_dies_on_a_fresh_connection(gateway: StartGateway, sent: bytes) -> None:
    """A backend that resets before, in or after the head: a 502 or a cut, and no second try."""
    received: list[bytes] = []

    def script(connection: socket.socket) -> None:
        received.append(read_head(connection))
        connection.sendall(sent)
        time.sleep(0.1)
        reset(connection)

    with scripted_backend(script) as address:
        through = gateway(one_pool(address))
        with RawClient(through.url) as client:
            client.send(GET.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
            answer, _ = client.read_to_end()
        if sent.endswith(b"half"):
            assert answer.endswith(b"half")
        else:
            assert b" 502 " in answer and b"upstream_closed" in answer
        assert (len(received), retries(through)) == (1, 0)
        assert through.metric("penstock_requests_total", reason="upstream_closed") == 1
        through.wait_until_idle(AT_ONCE)


def test_answers_by_the_byte(gateway: StartGateway) -> None:
    """However small the pieces of an answer are, it arrives; no time-out is for the whole of it."""
    answer = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nA: b\r\n\r\n"

    def script(connection: socket.socket) -> None:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        read_head(connection)
        for byte in answer:
            connection.sendall(bytes([byte]))
            time.sleep(0.02)

    with scripted_backend(script) as address:
        through = gateway(impatient(address))
        began = time.monotonic()
        assert request(through.url).body == b"hello"
        assert time.monotonic() - began > 1, "as long as no time-out lasts"
        through.wait_until_idle(AT_ONCE)


def test_never_reads_an_upload(gateway: StartGateway) -> None:
    """A process that stands still takes no more than the buffers hold, and its client is told."""
    command = [sys.executable, str(HERE / "fault_server.py"), "--milliseconds", "5"]
    backend = Process(command)
    try:
        url = backend.wait_for_line(listening_address, "address of the backend")
        through = gateway(impatient(url))
        assert request(through.url).status == 200
        backend.signal(signal.SIGSTOP)
        answers: list[bytes] = []
        with RawClient(through.url) as client:
            client.send(b"POST / HTTP/1.1\r\nHost: g\r\nContent-Length: 60000000\r\n\r\n")

            def upload() -> None:
                try:
                    client.send(bytes(60_000_000))
                except OSError:
                    pass

            uploading = threading.Thread(target=upload, daemon=True)
            uploading.start()
            answers.append(client.read_until(b"\r\n\r\n"))
            client.reset()
            uploading.join(5)
        assert b" 504 " in answers[0] and b"first_byte_timeout" in answers[0]
        assert through.resident_bytes() < 100 << 20
        through.wait_until_idle(AT_ONCE)
    finally:
        backend.signal(signal.SIGCONT)
        backend.stop()


# MARK: names


class NameServer:
    """A DNS server on port 53 of a namespace of its own that answers as `mode` says, now."""

    def __init__(self) -> None:
        self.mode = "answer"
        self.asked = 0
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 53))
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            query, peer = self._socket.recvfrom(4096)
            if not query:
                return
            self.asked += 1
            if self.mode == "silence":
                continue
            end = query.index(b"\0", 12) + 5
            is_address = query[end - 4 : end - 2] == b"\0\1"
            code = {"answer": 0, "no such name": 3, "failure": 2}[self.mode]
            answers = 1 if code == 0 and is_address else 0
            reply = query[:2] + struct.pack(">HHHHH", 0x8180 | code, 1, answers, 0, 0) + query[12:end]
            if answers:
                reply += b"\xc0\x0c" + struct.pack(">HHIH", 1, 1, 0, 4) + socket.inet_aton("127.0.0.1")
            self._socket.sendto(reply, peer)

    def close(self) -> None:
        """Ends the server."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as ending:
            ending.sendto(b"", self._socket.getsockname())
        self._thread.join(5)
        self._socket.close()


@contextmanager
def named_backend(start: Callable[[str], Gateway], directory: str) -> Iterator[tuple[NameServer, Gateway]]:
    """A gateway whose only resolver is ours, in front of `backend.test` and of an address without a name."""

    def script(connection: socket.socket) -> None:
        while read_head(connection):
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    with Namespace() as space, space.inside():
        names = NameServer()
        try:
            with scripted_backend(script) as url:
                port = url.rpartition(":")[2]
                policy = impatient(f"http://backend.test:{port}", limit=8, extra=ONE_THREAD).replace(
                    "routes: [", "routes: [{path: /plain, pool: plain}, "
                ).replace("pools:\n", f"pools:\n  plain: {{backends: [\"{url}\"]}}\n").replace(
                    "    limit:", "    ejection: {base: 50ms, max: 50ms}\n    keep_alive: {idle: 0s}\n    limit:"
                )
                yield names, start(policy)
        finally:
            names.close()


def with_resolver(gateway: StartGateway, directory: str) -> Callable[[str], Gateway]:
    """Starts gateways that see a resolv.conf and an nsswitch.conf of the test's."""
    with open(f"{directory}/resolv.conf", "w") as file:
        file.write("nameserver 127.0.0.1\noptions timeout:5 attempts:2\n")
    with open(f"{directory}/nsswitch.conf", "w") as file:
        file.write("hosts: files dns\n")
    mount = "".join(
        f"mount --bind {directory}/{name} /etc/{name} && " for name in ("resolv.conf", "nsswitch.conf")
    )
    before = ["unshare", "--mount", "sh", "-c", f'{mount}exec "$@"', "sh"]
    return lambda policy: gateway(policy, before=before)


@in_namespaces
@pytest.mark.parametrize(("mode", "status"), [("no such name", 502), ("failure", 502), ("silence", 504)])
def test_names_fail_and_recover(gateway: StartGateway, tmp_path: os.PathLike[str], mode: str, status: int) -> None:
    """A name that cannot be looked up is an answer like any failed connection, and nothing remembers it for long."""
    with named_backend(with_resolver(gateway, str(tmp_path)), str(tmp_path)) as (names, through):
        names.mode = mode
        failed = request(through.url)
        assert failed.status == status
        assert failed.headers["x-penstock-reason"] in ("connect_failed", "connect_timeout")
        names.mode = "answer"
        eventually(lambda: request(through.url).status == 200, "the name found again", 5)
        # What was found is good for a minute: a resolver that fails for a moment is not felt.
        names.mode = mode
        assert request(through.url).status == 200
        through.wait_until_idle()


@in_namespaces
def test_a_lookup_holds_nobody_up(gateway: StartGateway, tmp_path: os.PathLike[str]) -> None:
    """While a lookup hangs, others are served; giving it up, and ending the process, does not wait for it."""
    with named_backend(with_resolver(gateway, str(tmp_path)), str(tmp_path)) as (names, through):
        names.mode = "silence"
        waiting = [RawClient(through.url) for _ in range(8)]
        for client in waiting:
            client.send(GET)
        eventually(lambda: names.asked > 0 and through.metric("penstock_dials") == 8, "lookups under way")
        for number, client in enumerate(waiting):
            began = time.monotonic()
            if number % 2:
                client.close()
            assert request(through.url, "/plain").body == b"ok"
            assert time.monotonic() - began < 0.5
        # Those that stayed are given up by the gateway, at the connect time-out.
        eventually(lambda: through.metric("penstock_dials") == 0, "all dials given up", 3)
        for client in waiting[::2]:
            assert b" 50" in client.read_until(b"\r\n\r\n")
            client.close()
        through.wait_until_idle(AT_ONCE)
        with RawClient(through.url) as last:
            eventually(lambda: request(through.url, "/plain").status == 200, "served")
            last.send(GET)
            eventually(lambda: through.metric("penstock_dials") == 1, "a lookup under way", 3)
            began = time.monotonic()
            through.signal(signal.SIGTERM)
            through.signal(signal.SIGTERM)
            through.wait(3)
            assert time.monotonic() - began < 2
