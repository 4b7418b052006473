"""The bulk lane as Python's clients use it: one that reads while it sends, and one that does not."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any

import aiohttp
import pytest
import requests

from conftest import StartGateway
from test_bulk import BulkServer, batch_line, check_whole, lines_of, policy

LINES = 60_000


@pytest.fixture
def backend() -> Iterator[BulkServer]:
    """Sixteen places, no time."""
    started = BulkServer()
    yield started
    started.stop()


async def through_aiohttp(url: str) -> list[Any]:
    """Sends all lines, and reads what comes meanwhile."""

    async def lines() -> AsyncIterator[bytes]:
        for first in range(0, LINES, 100):
            yield b"".join(batch_line(index, bytes=1000) for index in range(first, first + 100))

    answers: list[Any] = []
    timeout = aiohttp.ClientTimeout(total=170)
    async with (
        aiohttp.ClientSession(timeout=timeout) as session,
        session.post(f"{url}/bulk", data=lines()) as response,
    ):
        assert response.status == 200
        async for line in response.content:
            if line.strip():
                answer = json.loads(line)
                (answer.get("response") or {}).get("body", {}).pop("filling", None)
                answers.append(answer)
    return answers


@pytest.mark.limit(180)
def test_aiohttp_does_both_at_once(backend: BulkServer, gateway: StartGateway) -> None:
    """Far more answers than sockets hold, and nobody stands still."""
    through = gateway(policy(backend.url))
    check_whole(asyncio.run(through_aiohttp(through.url)), LINES)


@pytest.mark.limit(180)
def test_requests_is_told(backend: BulkServer, gateway: StartGateway) -> None:
    """It reads nothing before it has sent everything; what it is told is from where to go on, with less at once."""
    through = gateway(policy(backend.url))
    body = b"".join(batch_line(index, bytes=4000) for index in range(LINES))
    began = time.monotonic()
    answer = requests.post(f"{through.url}/bulk", data=body, timeout=60)
    # Until nothing moved any more, the ten seconds of `bulk.stall`, and the rest, which is thrown away.
    assert time.monotonic() - began < 30
    assert answer.status_code == 200
    *results, end = lines_of(answer.content)
    assert end["code"] == "bulk_half_duplex"
    done = {result["index"] for result in results}
    first = end["done_below"]
    assert 0 < first < LINES and all(index in done for index in range(first))
    # Two mebibytes of answers at most are well with it.
    part = b"".join(batch_line(index, bytes=4000) for index in range(first, first + 400))
    again = requests.post(f"{through.url}/bulk?from={first}", data=part, timeout=60)
    check_whole(lines_of(again.content), 400, first=first)
