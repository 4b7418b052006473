"""A thousand streams at an engine that computes 32 at once: refusals cost nothing, and who is admitted hardly notices."""

from __future__ import annotations

import asyncio
import resource
import statistics
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass

import pytest

from conftest import StartEngine, StartGateway
from load import measured
from processes import one_pool
from sockets import RawClient, post_bytes

STREAMS = 1_024
SLOTS = 32
QUEUE = 8
ENGINE = ("--slots", str(SLOTS), "--tokens", "10", "--interval", "0.04")
REQUEST = post_bytes("/v1/chat/completions", {"model": "m", "messages": [], "stream": True})


@dataclass
class Answer:
    """What came of one request."""

    status: int
    seconds: float
    retry_seconds: float
    ended: float


@pytest.fixture(autouse=True)
def descriptors() -> Iterator[None]:
    """Room for all clients, here and in what is started."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < 4 * STREAMS:
        pytest.skip(f"a process may have {hard} descriptors, {4 * STREAMS} are needed")
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


async def ask(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Answer:
    """One request on a connection that is kept."""
    began = time.monotonic()
    writer.write(REQUEST)
    head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
    lines = head.split("\r\n")
    fields = dict(line.split(": ", 1) for line in lines[1:] if line)
    if "content-length" in fields:
        await reader.readexactly(int(fields["content-length"]))
    else:
        body = await reader.readuntil(b"\r\n0\r\n\r\n")
        assert b"[DONE]" in body
    ended = time.monotonic()
    retry = int(fields.get("retry-after-ms", "0")) / 1_000
    return Answer(int(lines[0].split()[1]), ended - began, retry, ended)


async def offer(url: str, clients: int, seconds: float = 0.0) -> list[Answer]:
    """All clients ask at once, and again as they are told until `seconds` are over."""
    host, port = url.removeprefix("http://").split(":")
    connections = [await asyncio.open_connection(host, int(port), limit=1 << 20) for _ in range(clients)]
    answers: list[Answer] = []
    end = time.monotonic() + seconds

    async def client(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            answer = await ask(reader, writer)
            answers.append(answer)
            if time.monotonic() + answer.retry_seconds >= end:
                break
            await asyncio.sleep(answer.retry_seconds)
        writer.close()

    await asyncio.gather(*(client(*connection) for connection in connections))
    return answers


def median_seconds(answers: list[Answer]) -> float:
    """Of those who were served."""
    return statistics.median(answer.seconds for answer in answers if answer.status == 200)


def refusal_milliseconds(url: str) -> float:
    """How long a refusal takes, for a client that asks again and again: the median of a thousand."""
    times = []
    with RawClient(url) as client:
        for _ in range(1_000):
            began = time.perf_counter()
            client.send(REQUEST)
            head = client.read_until(b"}}\n")
            times.append(time.perf_counter() - began)
            assert b" 503 " in head
    return 1_000 * statistics.median(times)


@pytest.mark.limit(120)
def test_refusals_leave_within_a_millisecond(engine: StartEngine, gateway: StartGateway) -> None:
    """While every place is taken by a stream, and a thousand others have just been refused."""
    backend = engine("--slots", str(SLOTS), "--tokens", "4000", "--interval", "0.05")

    def measure() -> None:
        through = gateway(one_pool(backend.url, limit=SLOTS, max_requests=0))
        with ExitStack() as stack:
            for _ in range(SLOTS):
                holder = stack.enter_context(RawClient(through.url))
                holder.send(REQUEST)
                holder.read_until(b"data: ")
            burst = asyncio.run(offer(through.url, STREAMS))
            assert {answer.status for answer in burst} == {503}
            milliseconds = refusal_milliseconds(through.url)
        print(f"refused in {milliseconds:.3f} ms")
        through.stop()
        assert milliseconds < 1

    measured(measure)


@pytest.mark.limit(120)
def test_a_thousand_streams_at_once(engine: StartEngine, gateway: StartGateway) -> None:
    """Those who are admitted take no longer than their place in the queue makes them."""
    backend = engine(*ENGINE)

    def measure() -> None:
        through = gateway(one_pool(backend.url, limit=SLOTS, max_requests=QUEUE, max_wait="30s"))
        unloaded = median_seconds(asyncio.run(offer(backend.url, SLOTS)))
        answers = asyncio.run(offer(through.url, STREAMS))
        refused = [answer for answer in answers if answer.status == 503]
        served = len(answers) - len(refused)
        assert len(answers) == STREAMS and SLOTS + QUEUE <= served <= 4 * (SLOTS + QUEUE)
        assert all(1 <= answer.retry_seconds <= 60 for answer in refused)
        admitted = median_seconds(answers)
        print(f"{served} served, half of them within {admitted:.2f} s, unloaded {unloaded:.2f} s")
        through.wait_until_idle()
        through.stop()
        assert admitted <= 1.5 * unloaded

    measured(measure)


@pytest.mark.long
@pytest.mark.limit(300)
def test_a_thousand_streams_cost_no_goodput(engine: StartEngine, gateway: StartGateway) -> None:
    """While a thousand clients come back as they are told, the engine does what it does for 32 alone."""
    backend = engine(*ENGINE)
    seconds = 10.0

    def served(url: str, clients: int) -> float:
        began = time.monotonic()
        answers = asyncio.run(offer(url, clients, seconds))
        # The first second, in which all come at once, and what ended after the last are left out.
        return sum(answer.status == 200 and 1 <= answer.ended - began <= seconds for answer in answers)

    def measure() -> None:
        through = gateway(one_pool(backend.url, limit=SLOTS, max_requests=QUEUE, max_wait="30s"))
        best, reached = served(backend.url, SLOTS), served(through.url, STREAMS)
        print(f"{reached:.0f} answers of {best:.0f}")
        through.stop()
        assert reached >= 0.98 * best

    measured(measure)
