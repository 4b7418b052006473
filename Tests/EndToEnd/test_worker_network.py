"""Workers behind a network that loses packets, or all of them without a word, and behind clients that read slowly."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import pytest

import namespaces
from conftest import StartGateway
from fleet import free_port
from namespaces import Namespace, Wire
from processes import Gateway, eventually, request
from sockets import RawClient
from worker_scene import REPEATABLE, CountingEngine, StartEngine, StartWorker, credits, load, policy, wait_for_credits

pytestmark = [pytest.mark.timed, pytest.mark.limit(150)]

in_namespaces = pytest.mark.skipif(bool(namespaces.why_not()), reason=namespaces.why_not() or "namespaces can be made")


@dataclass
class Remote:
    """A gateway in one network, an engine and its worker in another one, and the wire between them."""

    near: Namespace
    far: Namespace
    wire: Wire
    port: int
    through: Gateway
    engine: CountingEngine


@pytest.fixture
def remote(
    gateway: StartGateway, penstock_worker: StartWorker, counting_engine: StartEngine, tmp_path: Path
) -> Iterator[Callable[[int, int], Remote]]:
    """Starts all of it, with an engine that works for so many milliseconds and so many credits."""
    with Namespace() as near, Namespace() as far, Wire(near, far) as wire:

        def start(milliseconds: int, count: int) -> Remote:
            port = free_port()
            with near.inside():
                through = gateway(policy(tmp_path, port, listener=f"{Wire.ADDRESSES[0]}:{port}"))
            with far.inside():
                engine = counting_engine("--milliseconds", str(milliseconds))
                penstock_worker(port, engine.url, "--credits", str(count), host=Wire.ADDRESSES[0])
            with near.inside():
                wait_for_credits(through, count)
            return Remote(near, far, wire, port, through, engine)

        yield start


@in_namespaces
def test_lost_packets(remote: Callable[[int, int], Remote]) -> None:
    """One in fifty each way: everything is answered, once."""
    scene = remote(20, 8)
    with scene.near.inside():
        scene.wire.loss = 0.02
        assert load(scene.through, 300, 16) == {200: 300}
        scene.wire.loss = 0.0
    assert scene.wire.lost > 0
    with scene.far.inside():
        seen = scene.engine.seen()
    assert seen["most"] <= 8
    print(f"{scene.wire.lost} packets lost, {seen['answered']} answers of the engine")


@pytest.mark.long
@in_namespaces
def test_a_worker_that_vanishes(
    remote: Callable[[int, int], Remote], penstock_worker: StartWorker, counting_engine: StartEngine
) -> None:
    """No packet gets through any more: what it had runs once more elsewhere, its engine stops, and it comes back."""
    scene = remote(60_000, 4)
    through, engine = scene.through, scene.engine
    with scene.near.inside(), ThreadPoolExecutor(3) as pool:
        other = counting_engine()
        running = [
            pool.submit(request, through.url, REPEATABLE, "POST", b'{"model": "m"}', None, 100) for _ in range(3)
        ]
        with scene.far.inside():
            eventually(lambda: engine.seen()["running"] == 3, "they run")
        scene.wire.loss = 1.0
        began = time.monotonic()
        eventually(lambda: credits(through) == 0, "it is given up", 25)
        print(f"given up after {time.monotonic() - began:.1f} s")
        penstock_worker(scene.port, other.url, "--credits", "2", host=Wire.ADDRESSES[0])
        assert [answer.result().status for answer in running] == [200] * 3
        with scene.far.inside():
            eventually(lambda: engine.seen()["cancelled"] == 3, "its engine stops", 25)
            print(f"its engine stopped after {time.monotonic() - began:.1f} s")
        scene.wire.loss = 0.0
        wait_for_credits(through, 6, 60)


@pytest.mark.long
@in_namespaces
def test_a_worker_that_vanishes_within_streams(remote: Callable[[int, int], Remote]) -> None:
    """Something is always on its way: the kernel's probes are not sent then, and the engine stops all the same."""
    scene = remote(100_000, 2)
    with scene.near.inside(), RawClient(scene.through.url) as client:
        client.send(b"GET /s/stream HTTP/1.1\r\nHost: g\r\n\r\n")
        client.read_until(b"data: ")
        scene.wire.loss = 1.0
        began = time.monotonic()
        with scene.far.inside():
            eventually(lambda: scene.engine.seen()["cancelled"] == 1, "its engine stops", 45)
        print(f"its engine stopped after {time.monotonic() - began:.1f} s")


@pytest.mark.long
@pytest.mark.parametrize("kind", ["answer", "body"])
def test_a_peer_that_takes_nothing_for_a_while(
    gateway: StartGateway, penstock_worker: StartWorker, counting_engine: StartEngine, tmp_path: Path, kind: str
) -> None:
    """A long answer whose client pauses for 25 s, and a long body whose engine does: neither is taken for dead."""
    port = free_port()
    through = gateway(policy(tmp_path, port))
    engine = counting_engine("--pause", "25" if kind == "body" else "0")
    penstock_worker(port, engine.url, "--credits", "2")
    wait_for_credits(through, 2)
    body = b"x" * (24 << 20)
    parts = urlsplit(through.url)
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 64 * 1024)
    client.connect((parts.hostname or "", parts.port or 0))
    head = b"POST /x HTTP/1.1\r\nHost: g\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(body)
    client.sendall(head + body)
    received = client.recv(65536)
    if kind == "answer":
        time.sleep(25)
    while piece := client.recv(1 << 20):
        received += piece
    assert received.startswith(b"HTTP/1.1 200 ")
    assert len(received.split(b"\r\n\r\n", 1)[1]) == len(body)
    client.close()
