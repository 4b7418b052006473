"""Clients that leave in a known phase of their request, and the backend that tells them when that phase has come.

Both run in one event loop, so that what a client waits for and how long the backend's connection then stays open are known
exactly. Phases in which the backend is not yet reached are taken from pools that never come further.
"""

from __future__ import annotations

import asyncio
import itertools
import random
import socket
import struct
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast
from urllib.parse import urlsplit

from processes import Gateway

# parsed: all was sent and nobody waits for anything; sent: a part of the body is still to come; waiting: the backend has all
# and is silent; idle: the answer was complete.
PHASES = ("parsed", "queued", "dialling", "sent", "waiting", "streaming", "non-streaming", "idle")
WAYS = ("fin", "half-close", "reset")
# What a backend of the test's own sends before a client leaves.
BEGINNINGS = {
    "streaming": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n",
    "non-streaming": b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nhalf",
    "idle": b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nhalf",
}
PATIENCE_SECONDS = 15.0
LATE_SECONDS = 0.1
TICK_SECONDS = 0.01


def policy(backend: str, hole: str) -> str:
    """Three pools: one that serves, one whose only place is taken, and one whose backend does not answer the handshake."""
    return f"""\
version: 1
listen: 127.0.0.1:0
admin: 127.0.0.1:0
log: {{access: {{to: off}}}}
# Bodies that are still to come are at the backend, and not held before their requests are offered.
server: {{body_before_queue: 0B}}
pools:
  open: {{backends: ["{backend}"], limit: 1000, cancel: stops}}
  full: {{backends: ["{backend}"], limit: 1, cancel: stops, queue: {{max_requests: 1000, max_wait: 10m}}, timeouts: {{first_byte: 1h}}}}
  hole: {{backends: ["{hole}"], limit: 1000, timeouts: {{connect: 10m}}}}
routes:
  - {{path: /queued, pool: full}}
  - {{path: /dialling, pool: hole}}
  - {{path: /*, pool: open}}
"""


class BackendConnection(asyncio.Protocol):
    """One of the gateway's connections."""

    def __init__(self, backend: Backend) -> None:
        self.backend = backend
        self.identity = ""
        self.buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        head, found, _ = self.buffer.partition(b"\r\n\r\n")
        if not found or self.identity and not self.buffer.startswith(b"GET"):
            return
        self.buffer = b""
        fields = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:])
        self.identity = fields[b"x-id"].decode()
        phase = head.split(b" ")[1].removeprefix(b"/").decode()
        if phase in BEGINNINGS:
            self.transport.write(BEGINNINGS[phase])
        self.backend.reached(self.identity)
        if phase == "idle":
            self.identity = ""

    def connection_lost(self, error: Exception | None) -> None:
        if self.identity:
            self.backend.closed(self.identity)


@dataclass
class Backend:
    """Where requests arrive, and when their connections were closed."""

    arrivals: dict[str, asyncio.Future[float]] = field(default_factory=dict)
    closings: dict[str, asyncio.Future[float]] = field(default_factory=dict)
    early: set[str] = field(default_factory=set)

    def expect(self, identity: str) -> None:
        """Prepares to note what becomes of a request."""
        loop = asyncio.get_running_loop()
        self.arrivals[identity] = loop.create_future()
        self.closings[identity] = loop.create_future()

    def reached(self, identity: str) -> None:
        """A request has arrived."""
        if identity in self.arrivals and not self.arrivals[identity].done():
            self.arrivals[identity].set_result(time.monotonic())

    def closed(self, identity: str) -> None:
        """Its connection was closed."""
        if identity in self.closings and not self.closings[identity].done():
            self.closings[identity].set_result(time.monotonic())

    def forget(self, identity: str) -> bool:
        """Forgets a request; whether it had arrived."""
        del self.closings[identity]
        return self.arrivals.pop(identity).done()


@dataclass
class Standstills:
    """When this process or a thread of the gateway's wanted to go on and could not: the machine's doing, or this loop's."""

    gateway: int
    _found: list[tuple[float, float, float]] = field(default_factory=list)

    async def watch(self) -> None:
        """Notes standstills until it is cancelled."""
        before, waited = time.monotonic(), self._waited()
        while True:
            await asyncio.sleep(TICK_SECONDS)
            now, total = time.monotonic(), self._waited()
            lost = now - before - TICK_SECONDS
            lost += max((total[thread] - waited.get(thread, 0.0) for thread in total), default=0.0)
            if lost > TICK_SECONDS:
                self._found.append((before, now, lost))
            before, waited = now, total

    def within(self, begin: float, end: float) -> float:
        """The seconds that were lost between two moments, at most."""
        return sum(lost for first, last, lost in self._found if first < end and last > begin)

    def _waited(self) -> dict[str, float]:
        """How long each thread of the gateway's has waited for a processor since it began, in seconds."""
        threads = Path(f"/proc/{self.gateway}/task").iterdir()
        return {one.name: int((one / "schedstat").read_text().split()[1]) / 1e9 for one in threads}


@dataclass
class Departures:
    """Cycles of a request that is left, and their tally."""

    through: Gateway
    backend: Backend
    chance: random.Random
    closings: list[tuple[float, float]] = field(default_factory=list)
    cycles: Counter[tuple[str, str]] = field(default_factory=Counter)
    standstills: Standstills = field(init=False)
    _serial: itertools.count[int] = field(default_factory=lambda: itertools.count(1))

    def __post_init__(self) -> None:
        self.standstills = Standstills(self.through.pid)

    async def cycle(self, phase: str, way: str) -> None:
        """One client that comes, waits for its phase and leaves; returns when the gateway has let go of the backend."""
        loop = asyncio.get_running_loop()
        identity = str(next(self._serial))
        self.backend.expect(identity)
        link = await self.connect(loop)
        try:
            await loop.sock_sendall(link, request_bytes(phase, identity))
            if phase in ("queued", "dialling"):
                await asyncio.sleep(self.chance.uniform(0, 0.02))
            elif phase != "parsed":
                await asyncio.wait_for(asyncio.shield(self.backend.arrivals[identity]), PATIENCE_SECONDS)
            received = b""
            while phase in BEGINNINGS and b"half" not in received:
                received += await asyncio.wait_for(loop.sock_recv(link, 65536), PATIENCE_SECONDS)
            await self.leave(loop, link, way)
        finally:
            link.close()
        left = time.monotonic()
        if phase in ("sent", "waiting", "streaming", "non-streaming"):
            closed = await asyncio.wait_for(asyncio.shield(self.backend.closings[identity]), PATIENCE_SECONDS)
            self.closings.append((left, closed))
        elif phase == "parsed":
            # It may have come through before the gateway saw its client leave.
            await asyncio.sleep(0.02)
            if self.backend.arrivals[identity].done():
                await asyncio.wait_for(asyncio.shield(self.backend.closings[identity]), PATIENCE_SECONDS)
        self.backend.forget(identity)
        self.cycles[phase, way] += 1

    async def connect(self, loop: asyncio.AbstractEventLoop) -> socket.socket:
        """A connection to the gateway, from one of many addresses, as all of them together need more ports than one has."""
        address = urlsplit(self.through.url)
        link = socket.socket()
        link.setblocking(False)
        link.setsockopt(socket.IPPROTO_IP, 24, 1)  # IP_BIND_ADDRESS_NO_PORT
        link.bind((f"127.0.1.{self.chance.randrange(1, 255)}", 0))
        await asyncio.wait_for(loop.sock_connect(link, (address.hostname, address.port)), PATIENCE_SECONDS)
        return link

    async def leave(self, loop: asyncio.AbstractEventLoop, link: socket.socket, way: str) -> None:
        """Leaves; who only half-closes waits until the gateway has closed its side."""
        if way == "reset":
            link.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        elif way == "half-close":
            link.shutdown(socket.SHUT_WR)
            try:
                while await asyncio.wait_for(loop.sock_recv(link, 65536), PATIENCE_SECONDS):
                    pass
            except ConnectionResetError:
                pass

    async def many(self, cycles: list[tuple[str, str]], at_once: int) -> None:
        """Runs all cycles."""
        left = iter(cycles)

        async def work() -> None:
            for phase, way in left:
                await self.cycle(phase, way)

        watch = asyncio.create_task(self.standstills.watch())
        await asyncio.gather(*(work() for _ in range(at_once)))
        # What was closed last is followed by a tick.
        await asyncio.sleep(2 * TICK_SECONDS)
        watch.cancel()

    def late(self) -> list[tuple[float, float]]:
        """How long the backend connections took that were closed late, and how much of that is no standstill."""
        return [
            (closed - left, closed - left - self.standstills.within(left, closed))
            for left, closed in self.closings
            if closed - left > LATE_SECONDS
        ]


def request_bytes(phase: str, identity: str) -> bytes:
    """The part of a request that is sent in a phase."""
    head = f"/{phase} HTTP/1.1\r\nHost: gateway\r\nX-Id: {identity}\r\n"
    if phase == "sent":
        return f"POST {head}Content-Length: 1000\r\n\r\nhalf".encode()
    return f"GET {head}\r\n".encode()


@asynccontextmanager
async def serving() -> AsyncIterator[tuple[Backend, str]]:
    """The backend and its URL."""
    backend = Backend()
    server = await asyncio.get_running_loop().create_server(
        lambda: BackendConnection(backend), "127.0.0.1", 0, backlog=1024
    )
    try:
        yield backend, f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
