"""Workers behind a network that loses packets, or all of them without a word, and behind clients that read slowly."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest

import namespaces
from conftest import StartGateway
from fleet import free_port
from namespaces import Namespace, Wire
from processes import eventually, request
from worker_scene import REPEATABLE, StartEngine, StartWorker, credits, load, policy, wait_for_credits

pytestmark = [pytest.mark.timed, pytest.mark.limit(150)]

in_namespaces = pytest.mark.skipif(bool(namespaces.why_not()), reason=namespaces.why_not() or "namespaces can be made")


@contextmanager
def two_places() -> Iterator[tuple[Namespace, Namespace, Wire]]:
    """A gateway's network and a worker's, with a wire between them."""
    with Namespace() as near, Namespace() as far, Wire(near, far) as wire:
        yield near, far, wire


@in_namespaces
def test_lost_packets(
    gateway: StartGateway, penstock_worker: StartWorker, counting_engine: StartEngine, tmp_path: Path
) -> None:
    """One in fifty each way: everything is answered, once."""
    port = free_port()
    with two_places() as (near, far, wire):
        with near.inside():
            through = gateway(policy(tmp_path, port, listener=f"{Wire.ADDRESSES[0]}:{port}"))
        with far.inside():
            engine = counting_engine("--milliseconds", "20")
            penstock_worker(port, engine.url, "--credits", "8", host=Wire.ADDRESSES[0])
        with near.inside():
            wait_for_credits(through, 8)
            wire.loss = 0.02
            assert load(through, 300, 16) == {200: 300}
            wire.loss = 0.0
        assert wire.lost > 0
        with far.inside():
            seen = engine.seen()
        assert seen["most"] <= 8
        print(f"{wire.lost} packets lost, {seen['answered']} answers of the engine")


@pytest.mark.long
@in_namespaces
def test_a_worker_that_vanishes(
    gateway: StartGateway, penstock_worker: StartWorker, counting_engine: StartEngine, tmp_path: Path
) -> None:
    """No packet gets through any more: what it had runs once more elsewhere, its engine stops, and it comes back."""
    port = free_port()
    with two_places() as (near, far, wire):
        with near.inside():
            through = gateway(policy(tmp_path, port, listener=f"{Wire.ADDRESSES[0]}:{port}"))
            other = counting_engine()
        with far.inside():
            engine = counting_engine("--milliseconds", "60000")
            penstock_worker(port, engine.url, "--credits", "4", host=Wire.ADDRESSES[0])
        with near.inside(), ThreadPoolExecutor(3) as pool:
            wait_for_credits(through, 4)
            running = [
                pool.submit(request, through.url, REPEATABLE, "POST", b'{"model": "m"}', None, 100) for _ in range(3)
            ]
            with far.inside():
                eventually(lambda: engine.seen()["running"] == 3, "they run")
            wire.loss = 1.0
            began = time.monotonic()
            eventually(lambda: credits(through) == 0, "it is given up", 25)
            print(f"given up after {time.monotonic() - began:.1f} s")
            penstock_worker(port, other.url, "--credits", "2", host=Wire.ADDRESSES[0])
            assert [answer.result().status for answer in running] == [200] * 3
            with far.inside():
                eventually(lambda: engine.seen()["cancelled"] == 3, "its engine stops", 25)
                print(f"its engine stopped after {time.monotonic() - began:.1f} s")
            wire.loss = 0.0
            wait_for_credits(through, 6, 60)


@pytest.mark.long
@in_namespaces
def test_a_worker_that_vanishes_within_streams(
    gateway: StartGateway, penstock_worker: StartWorker, counting_engine: StartEngine, tmp_path: Path
) -> None:
    """Something is always on its way: the kernel's probes are not sent then, and the engine stops all the same."""
    port = free_port()
    with two_places() as (near, far, wire):
        with near.inside():
            through = gateway(policy(tmp_path, port, listener=f"{Wire.ADDRESSES[0]}:{port}"))
        with far.inside():
            engine = counting_engine("--milliseconds", "100000")
            penstock_worker(port, engine.url, "--credits", "2", host=Wire.ADDRESSES[0])
        with near.inside():
            wait_for_credits(through, 2)
            parts = urlsplit(through.url)
            client = socket.create_connection((parts.hostname or "", parts.port or 0))
            client.sendall(b"GET /s/stream HTTP/1.1\r\nHost: g\r\n\r\n")
            assert client.recv(65536)
        wire.loss = 1.0
        began = time.monotonic()
        with far.inside():
            eventually(lambda: engine.seen()["cancelled"] == 1, "its engine stops", 45)
        print(f"its engine stopped after {time.monotonic() - began:.1f} s")
        client.close()


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
