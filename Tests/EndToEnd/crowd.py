"""Clients that bear to wait for so long and no longer, at an open load; some come back when they were told to.

All of them live in one process and one thread, which therefore watches how late it is: see `Machine`.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit

from engine_work import Ticker
from processes import Gateway

# What became of a request beside its status: its client left, or its connection broke or said what no client understands.
LEFT = -1
BROKEN = 0

# A machine on which the processes of a measurement stood still for more than this share of it tells nothing by a failure.
MOST_LOST = 0.02
FAIR_ATTEMPTS = 2
ALL_ATTEMPTS = 4
STEP_SECONDS = 0.005


# Without a text of its own: an event loop writes down its task's result when it ends, and these are many that hold each other.
@dataclass(slots=True, eq=False, repr=False)
class Ask:
    """One request and what became of it; times in seconds on the monotonic clock."""

    load: Load
    due: float
    patience: float
    status: int = BROKEN
    ended: float = 0.0
    body: bytes = b""
    retry_after: float | None = None
    tries: int = 0

    @property
    def seconds(self) -> float:
        """From when it was due to its end."""
        return self.ended - self.due

    @property
    def is_refused(self) -> bool:
        """Whether it was told that it will not be served."""
        return self.status in (429, 503, 529)


@dataclass(eq=False, repr=False)
class Load:
    """Requests of one kind in a Poisson process; `patience` draws how long a client bears to wait, in seconds."""

    rate: float
    patience: Callable[[random.Random], float] = lambda _: 10.0
    head: str = "GET / HTTP/1.1\r\nHost: crowd\r\n"
    body: bytes = b""
    asks: list[Ask] = field(default_factory=list)

    def bytes(self, tries: int = 0) -> bytes:
        """The request."""
        again = f"x-stainless-retry-count: {tries}\r\n" if tries else ""
        length = f"Content-Length: {len(self.body)}\r\n" if self.body else ""
        return f"{self.head}{again}{length}\r\n".encode() + self.body

    def due_in(self, begin: float, end: float) -> list[Ask]:
        """Requests that came in that time."""
        return [ask for ask in self.asks if begin <= ask.due < end]


def posting(load: Load, size: int = 500) -> Load:
    """The same load as POSTs with a body."""
    load.head, load.body = load.head.replace("GET", "POST", 1), b"b" * size
    return load


class Link(asyncio.Protocol):
    """A connection that carries one request at a time."""

    def __init__(self, crowd: Crowd) -> None:
        self.crowd = crowd
        self.buffer = b""
        self.ask: Ask | None = None
        self.then: Callable[[Ask], None] | None = None
        self.timer: asyncio.TimerHandle | None = None
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        if self.ask:
            self.transport.write(self.ask.load.bytes(self.ask.tries))
        else:
            self.transport.abort()

    def begin(self, ask: Ask, then: Callable[[Ask], None] | None) -> None:
        """Sends `ask`, now or when there is a connection."""
        self.ask, self.then, self.buffer = ask, then, b""
        self.timer = self.crowd.loop.call_at(ask.due + ask.patience, self.leave)
        if self.transport:
            self.transport.write(ask.load.bytes(ask.tries))

    def leave(self) -> None:
        """The client has waited for long enough."""
        self.finish(LEFT)
        if self.transport:
            self.transport.abort()

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        end = self.buffer.find(b"\r\n\r\n")
        if end < 0 or not self.ask:
            return
        head = self.buffer[: end + 2].lower()
        length = number(head, b"content-length") or 0
        if len(self.buffer) < end + 4 + length:
            return
        self.ask.body = self.buffer[end + 4 : end + 20]
        status = int(head[9:12])
        if status >= 400:
            milliseconds, seconds = number(head, b"retry-after-ms"), number(head, b"retry-after")
            self.ask.retry_after = seconds if milliseconds is None else milliseconds / 1000
        if b"\r\nconnection: close\r\n" not in head:
            self.crowd.free.append(self)
        self.finish(status)

    def connection_lost(self, error: Exception | None) -> None:
        if self in self.crowd.free:
            self.crowd.free.remove(self)
        self.finish(BROKEN)

    def finish(self, status: int) -> None:
        """The request has ended, if one is under way."""
        if ask := self.ask:
            self.ask = None
            if self.timer:
                self.timer.cancel()
            ask.status, ask.ended = status, time.monotonic()
            self.crowd.under_way -= 1
            if self.then:
                self.then(ask)


def number(head: bytes, name: bytes) -> int | None:
    """The number that a field of a head in lower case has."""
    at = head.find(b"\r\n" + name + b":")
    return int(head[at + len(name) + 3 :].split(b"\r\n", 1)[0]) if at >= 0 else None


class Crowd:
    """All clients of one gateway. It is made within the event loop that they live in."""

    def __init__(self, url: str, seed: int = 1) -> None:
        address = urlsplit(url)
        self.host, self.port = address.hostname or "", address.port or 80
        self.loop = asyncio.get_running_loop()
        self.chance = random.Random(seed)
        self.free: list[Link] = []
        self.opening: set[asyncio.Task[Any]] = set()
        self.under_way = 0
        self.lateness: list[float] = []
        self.ticker = Ticker()
        self.watching = self.loop.create_task(self.ticker.watch())

    def ask(self, load: Load, due: float, then: Callable[[Ask], None] | None = None, tries: int = 0) -> None:
        """One request, now, whose client's patience begins at `due`."""
        ask = Ask(load, due, load.patience(self.chance), tries=tries)
        load.asks.append(ask)
        self.under_way += 1
        while self.free:
            link = self.free.pop()
            if link.transport and not link.transport.is_closing():
                link.begin(ask, then)
                return
        link = Link(self)
        link.begin(ask, then)
        task = self.loop.create_task(self._connect(link))
        self.opening.add(task)
        task.add_done_callback(self.opening.discard)

    async def _connect(self, link: Link) -> None:
        try:
            await self.loop.create_connection(lambda: link, self.host, self.port)
        except OSError:
            link.finish(BROKEN)

    async def offer(
        self, loads: Iterable[Load], seconds: float, then: Callable[[Ask], None] | None = None
    ) -> tuple[float, float]:
        """Offers `loads` for so long, whatever becomes of the requests; returns when that began and ended."""
        begin = time.monotonic()
        await asyncio.gather(*(self._run(load, begin, begin + seconds, then) for load in loads))
        return begin, begin + seconds

    async def _run(self, load: Load, begin: float, end: float, then: Callable[[Ask], None] | None) -> None:
        due = begin + self.chance.expovariate(load.rate)
        while due < end:
            now = time.monotonic()
            # Those that are due within a moment are sent together: a sleep costs more than a request.
            if due > now:
                await asyncio.sleep(max(due - now, STEP_SECONDS))
                continue
            self.lateness.append(now - due)
            self.ask(load, due, then)
            due += self.chance.expovariate(load.rate)
        await asyncio.sleep(max(0.0, end - time.monotonic()))

    async def close(self, seconds: float = 12.0) -> None:
        """Waits for what is under way, as long as that may take, and closes all connections."""
        deadline = time.monotonic() + seconds
        while self.under_way and time.monotonic() < deadline:
            await asyncio.sleep(0.02)
        self.watching.cancel()
        for link in self.free:
            if link.transport:
                link.transport.abort()
        self.free.clear()


class Machine:
    """How much of a measurement the machine took away from the processes that it needs, as a share of its time."""

    def __init__(self) -> None:
        self.begin = time.monotonic()
        self.gateways: list[tuple[Gateway, float]] = []
        self.lost = 0.0

    def watch(self, through: Gateway) -> None:
        """Notes how long a gateway's threads wait for a processor, from now on."""
        self.gateways.append((through, waited(through.pid)))

    def release(self, through: Gateway) -> None:
        """Stops a gateway; whatever it waits from now on does not count."""
        for one, before in self.gateways:
            if one is through:
                self.lost += waited(through.pid) - before
        self.gateways = [(one, before) for one, before in self.gateways if one is not through]
        through.stop()

    def add(self, seconds: float) -> None:
        """A process stood still for so long."""
        self.lost += seconds

    def share(self) -> float:
        """Of the time since the beginning."""
        held = sum(max(0.0, waited(through.pid) - before) for through, before in self.gateways)
        return (self.lost + held) / (time.monotonic() - self.begin)


def waited(process: int) -> float:
    """How long the threads of a process have waited for a processor since they began, in seconds."""
    try:
        threads = list(Path(f"/proc/{process}/task").iterdir())
        return sum(int((one / "schedstat").read_text().split()[1]) for one in threads) / 1e9
    except OSError:
        return 0.0


def fairly(measure: Callable[[Machine], None]) -> None:
    """Makes a measurement until what it asserts holds: again if it fails, and more often on a machine that stood still."""
    fair = 0
    for attempt in range(1, ALL_ATTEMPTS + 1):
        machine = Machine()
        try:
            measure(machine)
            print(f"the machine took {machine.share():.1%}")
            return
        except AssertionError as error:
            lost = machine.share()
            fair += lost <= MOST_LOST
            print(f"attempt {attempt}, the machine took {lost:.1%}: {error}", flush=True)
            if fair >= FAIR_ATTEMPTS or attempt == ALL_ATTEMPTS:
                raise


def share(part: float, whole: float) -> float:
    """A share; all of nothing is nothing."""
    return part / whole if whole else 0.0


def served(asks: list[Ask]) -> float:
    """The share of requests that were answered well."""
    return share(sum(ask.status == 200 for ask in asks), len(asks))


def quantile(values: Iterable[float], at: float) -> float:
    """The value that this share of them keep below."""
    ordered = sorted(values)
    assert ordered, "there is nothing to take a quantile of"
    return ordered[min(len(ordered) - 1, int(at * len(ordered)))]
