"""An open load: requests come when they come, whatever became of the earlier ones."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import cast
from urllib.parse import urlsplit


# How often a measurement is made before it counts as failed.
ATTEMPTS = 3


@dataclass
class Outcome:
    """What became of one request; times in seconds on the monotonic clock."""

    due: float
    answered: float
    status: int

    @property
    def latency(self) -> float:
        """From when it was due to its answer."""
        return self.answered - self.due


@dataclass
class Stream:
    """Requests of one kind at a mean rate, in a Poisson process."""

    rate: float
    fields: str = ""
    path: str = "/work"
    outcomes: list[Outcome] = field(default_factory=list)

    def between(self, start: float, end: float) -> list[Outcome]:
        """Requests that were due in that time."""
        return [outcome for outcome in self.outcomes if start <= outcome.due < end]


def measured(measure: Callable[[], None]) -> None:
    """Makes a measurement until what it asserts holds: whatever else the machine does can only make it worse."""
    for _ in range(ATTEMPTS - 1):
        try:
            return measure()
        except AssertionError as error:
            print(f"measured again: {error}")
    measure()


def push(url: str, stream: Stream, seconds: float, seed: int) -> Stream:
    """Offers one stream from a process of its own, so that this work does not delay what is measured in another."""
    asyncio.run(offer(url, [stream], seconds, seed))
    return stream


def goodput(outcomes: list[Outcome], start: float, end: float, deadline: float) -> float:
    """Answers a second, between two times, that came before their deadline."""
    good = [o for o in outcomes if o.status == 200 and o.latency <= deadline and start <= o.answered < end]
    return len(good) / (end - start)


def quantile(outcomes: list[Outcome], share: float) -> float:
    """The latency that `share` of the requests that were answered keep below."""
    latencies = sorted(outcome.latency for outcome in outcomes if outcome.status == 200)
    return latencies[min(len(latencies) - 1, int(share * len(latencies)))]


class _Connection(asyncio.Protocol):
    """A connection that carries one request at a time."""

    def __init__(self, free: list[_Connection]) -> None:
        self.free = free
        self.buffer = b""
        self.stream: Stream | None = None
        self.due = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)

    def send(self, stream: Stream, due: float) -> None:
        self.stream, self.due = stream, due
        self.transport.write(f"GET {stream.path} HTTP/1.1\r\nHost: load\r\n{stream.fields}\r\n".encode())

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        head_end = self.buffer.find(b"\r\n\r\n")
        if head_end < 0:
            return
        head = self.buffer[:head_end].lower()
        at = head.index(b"content-length:") + 15
        length = int(head[at:].split(b"\r\n", 1)[0])
        if len(self.buffer) < head_end + 4 + length:
            return
        self.finish(int(head[9:12]))
        self.buffer = b""
        self.free.append(self)

    def connection_lost(self, error: Exception | None) -> None:
        self.finish(0)
        if self in self.free:
            self.free.remove(self)

    def finish(self, status: int) -> None:
        if self.stream is not None:
            self.stream.outcomes.append(Outcome(self.due, time.monotonic(), status))
            self.stream = None


async def offer(url: str, streams: list[Stream], seconds: float, seed: int) -> tuple[float, float]:
    """Offers `streams` for `seconds` and waits for what is under way; returns when it began and ended.

    Requests that no longer come to an end within five seconds are left out of the outcomes, and so count for nothing.
    """
    address = urlsplit(url)
    loop = asyncio.get_running_loop()
    free: list[_Connection] = []
    everyone: list[_Connection] = []
    opening: set[asyncio.Task[None]] = set()
    chance = random.Random(seed)

    async def start(stream: Stream, due: float) -> None:
        _, connection = await loop.create_connection(lambda: _Connection(free), address.hostname, address.port)
        everyone.append(connection)
        connection.send(stream, due)

    async def run(stream: Stream, begin: float) -> None:
        due = begin
        while True:
            due += chance.expovariate(stream.rate)
            if due > begin + seconds:
                return
            if (wait := due - time.monotonic()) > 0:
                await asyncio.sleep(wait)
            while free and free[-1].transport.is_closing():
                free.pop()
            if free:
                free.pop().send(stream, due)
            else:
                task = loop.create_task(start(stream, due))
                opening.add(task)
                task.add_done_callback(opening.discard)
                # Let it, and what came in the meantime, happen.
                await asyncio.sleep(0)

    begin = time.monotonic()
    await asyncio.gather(*(run(stream, begin) for stream in streams))
    end = time.monotonic()
    while any(connection.stream for connection in everyone) and time.monotonic() < end + 5:
        await asyncio.sleep(0.02)
    for connection in everyone:
        connection.transport.close()
    return begin, begin + seconds
