"""Slow sides and many of them: memory stays within the water marks, and whoever does nothing is cut, to nobody's harm."""

from __future__ import annotations

import asyncio
import resource
import socket
import statistics
import sys
import threading
import time
import zlib
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager

import pytest

from conftest import StartGateway
from load import Stream, offer, quantile
from processes import HERE, Gateway, Process, eventually, listening_address, one_pool, request
from sockets import RawClient, read_head, scripted_backend

GIGABYTE = 1 << 30
PIECE = bytes(range(251)) * 4178  # about a megabyte whose period is no power of two
GROWTH = 4 << 20
HIGH = 64 << 10


@contextmanager
def watched(through: Gateway) -> Iterator[list[int]]:
    """Notes the gateway's resident memory all the time, from now on; the first note is of before."""
    seen = [through.resident_bytes()]
    ending = threading.Event()

    def watch() -> None:
        while not ending.wait(0.01):
            seen.append(through.resident_bytes())

    watching = threading.Thread(target=watch, daemon=True)
    watching.start()
    try:
        yield seen
    finally:
        ending.set()
        watching.join()


def checksum(size: int) -> int:
    """Of what `PIECE`, repeated, is up to `size`."""
    sum_so_far, left = 0, size
    while left:
        sum_so_far = zlib.crc32(PIECE[:left], sum_so_far)
        left -= min(left, len(PIECE))
    return sum_so_far


def write_pieces(connection: socket.socket, size: int) -> None:
    """Writes `size` bytes as fast as they are taken."""
    left = size
    while left:
        connection.sendall(PIECE[:left])
        left -= min(left, len(PIECE))


def read_slowly(connection: socket.socket, size: int, sum_so_far: int = 0) -> int:
    """Reads `size` bytes with rests in between, short ones and a few long ones; gives their checksum."""
    left = size
    pieces = 0
    while left:
        data = connection.recv(min(left, 1 << 20))
        if not data:
            raise AssertionError(f"closed with {left} bytes to come")
        sum_so_far = zlib.crc32(data, sum_so_far)
        left -= len(data)
        pieces += 1
        if pieces % 64 == 0:
            time.sleep(0.002)
        if pieces % 4096 == 0:
            time.sleep(0.3)
    return sum_so_far


@pytest.mark.long
@pytest.mark.limit(600)
def test_slow_reader_of_a_gigabyte(gateway: StartGateway) -> None:
    """A client that reads a large answer more slowly than the backend writes costs two buffers."""

    def script(connection: socket.socket) -> None:
        connection.settimeout(60)
        while head := read_head(connection):
            size = GIGABYTE if b"/large" in head else 1_000_000
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size)
            write_pieces(connection, size)

    with scripted_backend(script) as address:
        through = gateway(one_pool(address))
        assert len(request(through.url).body) == 1_000_000
        with watched(through) as memory, RawClient(through.url) as client:
            client.send(b"GET /large HTTP/1.1\r\nHost: gateway\r\n\r\n")
            client.read_until(b"\r\n\r\n")
            early = client.received
            found = read_slowly(client.socket, GIGABYTE - len(early), zlib.crc32(early))
        assert found == checksum(GIGABYTE)
        growth = max(memory) - memory[0]
        print(f"grew by {growth / 1e6:.2f} MB")
        assert growth < GROWTH
        through.wait_until_idle()


@pytest.mark.long
@pytest.mark.limit(600)
def test_slow_origin_of_a_gigabyte(gateway: StartGateway) -> None:
    """The same the other way: an upload that the backend takes more slowly than the client sends."""
    found: list[int] = []

    def script(connection: socket.socket) -> None:
        connection.settimeout(60)
        while head := read_head(connection):
            head, _, early = head.partition(b"\r\n\r\n")
            size = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
            found.append(read_slowly(connection, size - len(early), zlib.crc32(early)))
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    with scripted_backend(script) as address:
        through = gateway(one_pool(address, extra="server: {max_body_size: 2GiB}\n"))
        assert request(through.url, method="POST", body=PIECE).body == b"ok"
        with watched(through) as memory, RawClient(through.url) as client:
            client.socket.settimeout(60)
            client.send(b"POST / HTTP/1.1\r\nHost: gateway\r\nContent-Length: %d\r\n\r\n" % GIGABYTE)
            write_pieces(client.socket, GIGABYTE)
            client.read_until(b"ok")
        assert found[-1] == checksum(GIGABYTE)
        growth = max(memory) - memory[0]
        print(f"grew by {growth / 1e6:.2f} MB")
        assert growth < GROWTH
        through.wait_until_idle()


# What the streams are made of: numbers of eight figures, so that what was left out or mixed would show.
NUMBERS = b"".join(b"%08d" % number for number in range(8192))


async def endless(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """A backend that streams for as long as it is let."""
    try:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while True:
            writer.write(b"%x\r\n%b\r\n" % (len(NUMBERS), NUMBERS))
            await writer.drain()
    except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
        writer.close()


def chunks_content(body: bytes) -> bytes:
    """The content of all chunks, as far as it is there."""
    content = b""
    while True:
        size, found, rest = body.partition(b"\r\n")
        if not found:
            return content
        content += rest[: int(size, 16)]
        body = rest[int(size, 16) + 2 :]


class Dawdler:
    """A client that takes a kilobyte in every fifth of a second, or less on a machine that has no time for it."""

    def __init__(self) -> None:
        self.received = b""

    async def read(self, url: str, ending: asyncio.Event) -> None:
        """Asks, and reads until `ending`; what came must be in order."""
        host, _, port = url.removeprefix("http://").partition(":")
        link = socket.socket()
        link.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 32_768)
        link.setblocking(False)
        loop = asyncio.get_running_loop()
        try:
            await loop.sock_connect(link, (host, int(port)))
            await loop.sock_sendall(link, b"GET / HTTP/1.1\r\nHost: gateway\r\n\r\n")
            while not ending.is_set():
                more = await loop.sock_recv(link, 1024)
                assert more, f"cut after {len(self.received)} bytes"
                self.received += more
                await asyncio.sleep(0.2)
        finally:
            link.close()
        content = chunks_content(self.received.partition(b"\r\n\r\n")[2])
        assert len(content) > 0.8 * len(self.received)
        assert (NUMBERS * 2).startswith(content)


async def small_server(
    callback: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
) -> asyncio.Server:
    """A backend whose kernel holds little of what it sends: megabytes for each of many streams would be most of the work."""
    listening = socket.socket()
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 65_536)
    listening.bind(("127.0.0.1", 0))
    return await asyncio.start_server(callback, sock=listening, backlog=1024)


@pytest.mark.limit(240)
def test_five_hundred_slow_streams(gateway: StartGateway) -> None:
    """Streams that nobody reads fast hold their water marks and no more."""
    count = 500

    async def run() -> tuple[list[int], int, int]:
        server = await small_server(endless)
        port = server.sockets[0].getsockname()[1]
        patient = "server: {timeouts: {write_stall: 10m}, buffer: {responses_total: 16MiB}}\n"
        through = gateway(one_pool(f"http://127.0.0.1:{port}", limit=count, max_requests=count, extra=patient))
        clients = [Dawdler() for _ in range(count)]
        ending = asyncio.Event()
        with watched(through) as memory:
            began = time.monotonic()
            reading = [asyncio.create_task(client.read(through.url, ending)) for client in clients]
            # All of them are in the middle of their streams at once, for as long as that takes.
            while min(len(client.received) for client in clients) <= 20_000 and time.monotonic() < began + 150:
                await asyncio.wait(reading, timeout=0.1, return_when=asyncio.FIRST_EXCEPTION)
                if any(task.done() for task in reading):
                    break
            ending.set()
            await asyncio.gather(*reading)
        least = min(len(client.received) for client in clients)
        assert least > 10_000
        await asyncio.get_running_loop().run_in_executor(None, through.wait_until_idle, 30)
        server.close()
        return memory, least, through.threads

    memory, least, threads = asyncio.run(run())
    growth = max(memory) - memory[0]
    # A stream has a buffer on either connection, and some are taken further ahead.
    marks = count * 2 * HIGH + threads * (16 << 20)
    print(f"grew by {growth / 1e6:.1f} MB of {marks / 1e6:.1f} MB; the slowest got {least} bytes")
    assert growth < marks


# MARK: slowloris

# A reader that takes nothing has its kernel take up to 4 MB from the backend, which is work of its own: there are fewer.
ATTACKERS = {"head": 200, "body": 200, "reader": 40}
SLOW = """\
server: {timeouts: {head: 3s, body_idle: 3s, write_stall: 3s}, max_connections: 2000}
"""


def policy_of_attack(good: str, attacked: str) -> str:
    """Good clients' pool and the attackers', in one gateway."""
    return one_pool(good, limit=100, max_requests=1000, max_wait="20s", extra=SLOW).replace(
        "routes: [", "routes: [{path: /attacked, pool: attacked}, "
    ).replace("pools:\n", f'pools:\n  attacked: {{backends: ["{attacked}"], limit: 1000}}\n')


@pytest.mark.long
@pytest.mark.limit(600)
@pytest.mark.parametrize("kind", ["head", "body", "reader"])
def test_slowloris(gateway: StartGateway, kind: str) -> None:
    """They are cut at their time-outs, all the time, and good clients' p99 does not notice."""

    count = ATTACKERS[kind]
    attacked_server = "fault_server.py", "--places", "1000", "--milliseconds", "1"
    with slot_backend(100) as good, backend_process(*attacked_server) as attacked:
        through = gateway(policy_of_attack(good, attacked))
        alone: list[float] = []
        beside: list[float] = []
        ages: list[tuple[float, ...]] = []
        # By turns, and as often as it takes to tell an attack from what else the machine does, which only ever adds.
        while len(alone) < 3 or (min(beside) > 1.2 * min(alone) and len(alone) < 8):
            alone.append(good_clients(through, len(alone)))
            attack = Process([sys.executable, str(HERE / "slow_attack.py"), through.url, kind, str(count)])
            try:
                eventually(lambda: through.metric("penstock_client_connections") >= count, "the attack", 20)
                beside.append(good_clients(through, len(alone)))
                eventually(lambda: len(attack.output) >= count, "attackers cut", 30)
            finally:
                attack.stop()
            ages += [tuple(map(float, line.split())) for line in attack.output if line.endswith("\n")]
        # The attackers look when they find the time: each was cut between two looks.
        alive, cut_by = [age[0] for age in ages], [age[1] for age in ages]
        print(f"p99 alone {min(alone):.3f} s, beside {min(beside):.3f} s; {len(ages)} cut after {min(cut_by):.2f} s")
        print(f"to {max(cut_by):.2f} s, half of them alive at {statistics.median(alive):.2f} s and cut by")
        print(f"{statistics.median(cut_by):.2f} s")
        assert min(beside) <= 1.2 * min(alone)
        # A reader's time begins when the kernel's buffers are full, which takes a busy machine some seconds, and is
        # up to three times the time-out: its kernel has taken as much as slow readers need such a time for.
        assert min(cut_by) > 2.9 and statistics.median(alive) < (15 if kind == "reader" else 5)
        reason = "write_timeout" if kind == "reader" else "client_timeout"
        cut = through.metric("penstock_requests_total", reason=reason)
        cut += through.metric("penstock_unrouted_requests_total", reason=reason)
        assert cut >= 3 * count
        through.wait_until_idle(10)


def good_clients(through: Gateway, seed: int) -> float:
    """The p99 of good clients over five seconds, who are all served."""
    stream = Stream(100)
    asyncio.run(offer(through.url, [stream], 5, seed))
    assert {outcome.status for outcome in stream.outcomes} == {200}
    return quantile(stream.outcomes, 0.99)


def slot_backend(milliseconds: int) -> AbstractContextManager[str]:
    """A backend that takes a while for each request and has places for a hundred."""
    return backend_process("slot_server.py", "--slots", "100", "--milliseconds", str(milliseconds))


@contextmanager
def backend_process(name: str, *options: str) -> Iterator[str]:
    """A backend as a process of its own; gives its URL."""
    backend = Process([sys.executable, str(HERE / name), *options])
    try:
        yield backend.wait_for_line(listening_address, "address of the backend")
    finally:
        backend.stop()


@pytest.mark.limit(300)
def test_nine_thousand_idle_connections(gateway: StartGateway) -> None:
    """Each is served, rests, and is served again; resting costs next to nothing."""
    count = 9_000
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < count + 500:
        pytest.skip(f"a process may have {hard} descriptors, {count + 500} are needed")
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    clients: list[RawClient] = []
    with ExitStack() as stack:
        stack.callback(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
        stack.callback(lambda: [client.close() for client in clients])
        url = stack.enter_context(slot_backend(0))
        through = gateway(one_pool(url, limit=100, max_requests=1_000, max_wait="20s"))

        def serve(some: list[RawClient]) -> None:
            for start in range(0, len(some), 200):
                for client in some[start : start + 200]:
                    client.send(b"GET /work HTTP/1.1\r\nHost: gateway\r\n\r\n")
                for client in some[start : start + 200]:
                    assert b" 200 " in client.read_until(b"done")

        assert request(through.url).status == 200
        before = through.resident_bytes()
        while len(clients) < count:
            batch = [RawClient(through.url) for _ in range(200)]
            serve(batch)
            clients += batch
        assert through.metric("penstock_client_connections") == count
        each = (through.resident_bytes() - before) / count
        print(f"{each:.0f} bytes of memory a connection")
        assert each < 4_096
        serve(clients)
        assert through.metric("penstock_client_connections") == count
    eventually(lambda: through.metric("penstock_client_connections") == 0, "all of them gone", 20)
    through.wait_until_idle()
