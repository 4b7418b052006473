"""Clients that send and read slowly, in the pool of good ones: they have their time, and cost nobody a place."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from conftest import StartGateway
from processes import Gateway, eventually, one_pool, request
from sockets import RawClient, read_head, scripted_backend

SLOW = 12
LARGE = 900_000


def script(connection: socket.socket) -> None:
    """A backend that reads bodies whole and answers at once, `/large` with much."""
    connection.settimeout(60)
    while head := read_head(connection):
        fields, _, rest = head.partition(b"\r\n\r\n")
        missing = int((fields.lower() + b"\r\ncontent-length: 0").split(b"content-length: ")[1].split(b"\r\n")[0])
        missing -= len(rest)
        while missing > 0:
            missing -= len(connection.recv(65_536)) or missing
        size = LARGE if b" /large" in head else 2
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size + b"~" * size)


def small_segments(url: str) -> RawClient:
    """A client whose kernel takes little at a time, and for which the gateway's holds little: as on a real network."""
    client = RawClient.__new__(RawClient)
    host, _, port = url.removeprefix("http://").partition(":")
    client.socket = socket.socket()
    client.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, 1000)
    client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16_384)
    client.socket.settimeout(20)
    client.socket.connect((host, int(port)))
    client.received = b""
    return client


def good_requests(through: Gateway, seconds: float) -> list[float]:
    """The times of good requests, one behind the other; all are answered."""
    times = []
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        began = time.monotonic()
        assert request(through.url, method="POST", body=b"{}").status == 200
        times.append(time.monotonic() - began)
        time.sleep(0.02)
    return times


@contextmanager
def trickling(clients: list[RawClient], seconds: float) -> Iterator[None]:
    """Sends a byte on each of them every so often, for as long as they take it."""
    ending = threading.Event()

    def trickle() -> None:
        while not ending.wait(seconds):
            for client in clients:
                try:
                    client.send(b"a")
                except OSError:
                    continue

    thread = threading.Thread(target=trickle, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ending.set()
        thread.join()


@pytest.mark.limit(60)
def test_slow_uploads_take_no_place(gateway: StartGateway) -> None:
    """A byte each half second: no slot of the limit waits for it, and it ends when a head's time has passed."""
    with scripted_backend(script) as address:
        times = "server: {timeouts: {head: 2s}}\n"
        through = gateway(one_pool(address, limit=2, max_requests=100, extra=times))
        clients = [RawClient(through.url) for _ in range(SLOW)]
        for client in clients:
            client.send(b"POST / HTTP/1.1\r\nHost: gateway\r\nContent-Length: 1000\r\n\r\n")
        with trickling(clients, 0.5):
            taken = good_requests(through, 4)
        print(f"{len(taken)} good requests, the longest in {max(taken):.3f} s")
        assert max(taken) < 1
        for client in clients:
            assert b" 408 " in client.read_until(b"client_timeout")
            client.close()
        through.wait_until_idle()


@pytest.mark.limit(60)
def test_a_steady_upload_is_served(gateway: StartGateway) -> None:
    """A phone: some kilobytes a second, and nothing for a while on the way."""
    with scripted_backend(script) as address:
        times = "server: {timeouts: {head: 1s, body_idle: 4s}}\n"
        through = gateway(one_pool(address, extra=times))
        with RawClient(through.url) as client:
            client.send(b"POST / HTTP/1.1\r\nHost: gateway\r\nContent-Length: 20000\r\n\r\n")
            for number in range(20):
                client.send(b"b" * 1000)
                time.sleep(3 if number == 5 else 0.1)
            assert b" 200 OK" in client.read_until(b"~~")


@pytest.mark.limit(60)
def test_slow_readers_keep_no_place(gateway: StartGateway) -> None:
    """A large answer to a client that reads little by little is taken from the backend at once."""
    with scripted_backend(script) as address:
        through = gateway(one_pool(address, limit=2, max_requests=100))
        assert request(through.url).status == 200
        slow_readers_round(through)
        # The first round warms code and buffers; a later one needs nothing more. What is kept grows in each, and the
        # allocator's habits now and then in one.
        growth = 0
        for _ in range(3):
            before = through.resident_bytes()
            slow_readers_round(through)
            growth = through.resident_bytes() - before
            print(f"{growth / 1e6:.1f} MB more after a further round")
            if growth < 3 << 20:
                break
        assert growth < 3 << 20


def slow_readers_round(through: Gateway) -> None:
    """Twelve slow readers of a large answer each, beside good requests; they have all of it in the end."""
    expected = through.metric("penstock_upstream_received_bytes_total") + SLOW * LARGE
    clients = [small_segments(through.url) for _ in range(SLOW)]
    for client in clients:
        client.send(b"GET /large HTTP/1.1\r\nHost: gateway\r\n\r\n")
    eventually(lambda: through.metric("penstock_upstream_received_bytes_total") > expected, "all answers")
    through.wait_until_idle(2)
    taken = good_requests(through, 2)
    print(f"{len(taken)} good requests, the longest in {max(taken):.3f} s")
    assert max(taken) < 1
    assert through.metric("penstock_client_connections") == SLOW
    # The clients have most of it still to come.
    for client in clients:
        assert len(client.read_until(b"\r\n\r\n")) < 1000
        while len(client.received) < LARGE:
            client.received += client.socket.recv(65_536)
        client.close()
    eventually(lambda: through.metric("penstock_client_connections") == 0, "all of them gone")


@pytest.mark.limit(60)
@pytest.mark.parametrize("kind", ["tcp", "unix"])
def test_write_stall_counts_what_the_client_takes(gateway: StartGateway, tmp_path: Path, kind: str) -> None:
    """20 kB/s of ten megabytes is never too slow, long before the kernel says that it has room; nothing at all is."""

    def large(connection: socket.socket) -> None:
        read_head(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 10000000\r\n\r\n" + b"~" * 10_000_000)

    with scripted_backend(large) as address:
        path = tmp_path / "gateway"
        listen = "127.0.0.1:0" if kind == "tcp" else f'["127.0.0.1:0", "unix:{path}"]'
        times = "server: {timeouts: {write_stall: 3s}}\n"
        through = gateway(one_pool(address, limit=10, listen=listen, extra=times))

        def connect() -> socket.socket:
            if kind == "tcp":
                return RawClient(through.url).socket
            link = socket.socket(socket.AF_UNIX)
            link.connect(str(path))
            return link

        steady, silent = connect(), connect()
        for link in (steady, silent):
            link.settimeout(10)
            link.sendall(b"GET / HTTP/1.1\r\nHost: gateway\r\n\r\n")
        began = time.monotonic()
        cut_after = 0.0
        got = 0
        while time.monotonic() - began < 15:
            wanted = int(20_000 * (time.monotonic() - began)) - got
            if wanted > 0:
                more = len(steady.recv(wanted))
                assert more, f"cut after {got} bytes"
                got += more
            if not cut_after and through.metric("penstock_requests_total", reason="write_timeout"):
                cut_after = time.monotonic() - began
            time.sleep(0.1)
        print(f"the one that takes nothing was cut after {cut_after:.1f} s")
        assert 2.9 < cut_after < 12
        assert through.metric("penstock_requests_total", reason="write_timeout") == 1
        steady.close()
        silent.close()
        through.wait_until_idle()
