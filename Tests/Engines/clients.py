"""Clients of an engine or of the gateway before it: an open load of requests, each on a connection of its own, and loops.

A client that leaves closes its connection after its patience, whatever has come until then.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field

PATIENT_SECONDS = 15.0
LEAST_PATIENCE_SECONDS = 0.2
MOST_PATIENCE_SECONDS = 1.0

Address = tuple[str, int]
# Makes the bytes of a request that wants its answer streamed or not.
Ask = Callable[[bool], bytes]


@dataclass
class Result:
    """What became of one request: `served`, `left`, `broken` or a status other than 200. Seconds are monotonic."""

    due: float
    ended: float
    what: str


@dataclass
class Crowd:
    """What became of all requests of one load."""

    results: list[Result] = field(default_factory=list)

    def count(self, what: str, begin: float = 0.0, end: float = float("inf")) -> int:
        """How many requests came to this end between two moments."""
        return sum(result.what == what and begin <= result.ended < end for result in self.results)

    def told(self) -> dict[str, int]:
        """The number of each end."""
        ends = sorted({result.what for result in self.results})
        return {end: self.count(end) for end in ends}

    def middle_seconds(self) -> float:
        """The middle one of the times that served requests took."""
        times = sorted(result.ended - result.due for result in self.results if result.what == "served")
        return times[len(times) // 2] if times else float("inf")


def judge(answer: bytes) -> str:
    """The result of an answer whose connection has ended."""
    head, found, body = answer.partition(b"\r\n\r\n")
    if not found:
        return "broken"
    fields = head.lower()
    if b"\r\ntransfer-encoding: chunked" in fields:
        whole = body.endswith(b"0\r\n\r\n")
    else:
        _, known, rest = fields.partition(b"\r\ncontent-length:")
        whole = bool(known) and len(body) == int(rest.split(b"\r\n", 1)[0])
    status = head[9:12].decode()
    if status != "200":
        return status
    return "served" if whole else "broken"


async def exchange(address: Address, request: bytes) -> str:
    """Sends a request that asks for the connection's end, and reads until it comes."""
    writer = None
    try:
        reader, writer = await asyncio.open_connection(*address)
        writer.write(request)
        return judge(await reader.read(-1))
    except OSError:
        return "broken"
    finally:
        if writer is not None:
            writer.close()


async def visit(address: Address, request: bytes, patience: float, crowd: Crowd) -> None:
    """One client."""
    due = time.monotonic()
    try:
        what = await asyncio.wait_for(exchange(address, request), patience)
    except TimeoutError:
        what = "left"
    crowd.results.append(Result(due, time.monotonic(), what))


async def offer(
    address: Address, ask: Ask, rate: float, seconds: float, leaving: bool, seed: int
) -> Crowd:
    """Requests at a mean rate, in a Poisson process, of which every second one is streamed; waits for their ends."""
    chance = random.Random(seed)
    crowd = Crowd()
    visits: set[asyncio.Task[None]] = set()
    begin = due = time.monotonic()
    while (due := due + chance.expovariate(rate)) < begin + seconds:
        patience = PATIENT_SECONDS
        if leaving:
            patience = chance.uniform(LEAST_PATIENCE_SECONDS, MOST_PATIENCE_SECONDS)
        await asyncio.sleep(max(0.0, due - time.monotonic()))
        request = ask(chance.random() < 0.5)
        task = asyncio.create_task(visit(address, request, patience, crowd))
        visits.add(task)
        task.add_done_callback(visits.discard)
    if visits:
        await asyncio.wait(visits)
    return crowd


async def keep_busy(address: Address, ask: Ask, clients: int, seconds: float) -> Crowd:
    """Patient clients, each of which asks again as soon as it is served: what the engine can do."""
    crowd = Crowd()
    end = time.monotonic() + seconds

    async def client(number: int) -> None:
        chance = random.Random(number)
        while time.monotonic() < end:
            await visit(address, ask(chance.random() < 0.5), PATIENT_SECONDS, crowd)

    await asyncio.gather(*map(client, range(clients)))
    return crowd
