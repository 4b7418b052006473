"""The bulk lane as Python's clients use it: one that reads while it sends, and one that does not."""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import requests

from conftest import StartGateway
from processes import Gateway
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


A_MILLION = 1_000_000
# Sends a file and writes what comes meanwhile, as a program of somebody's would.
AIOHTTP = """
import asyncio, sys
import aiohttp

async def main(url, source, target):
    async def pieces():
        with open(source, "rb") as file:
            while piece := file.read(65536):
                yield piece
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=None)) as session:
        async with session.post(url, data=pieces()) as response:
            assert response.status == 200
            with open(target, "wb") as file:
                async for piece in response.content.iter_chunked(65536):
                    file.write(piece)

asyncio.run(main(*sys.argv[1:]))
"""


def run_a_million(through: Gateway, words: list[str], source: Path, target: Path, standard_input: bool) -> None:
    """Runs a client over a million lines: each is answered once, and the gateway's memory does not grow with them."""
    with source.open("wb") as file:
        for first in range(0, A_MILLION, 1000):
            file.write(b"".join(batch_line(index) for index in range(first, first + 1000)))
    before = most = through.resident_bytes()
    began = time.monotonic()
    with source.open("rb") as lines:
        child = subprocess.Popen(words, stdin=lines if standard_input else subprocess.DEVNULL, stderr=subprocess.PIPE)
        try:
            while child.poll() is None:
                time.sleep(1)
                most = max(most, through.resident_bytes())
        finally:
            child.kill()
            child.wait()
    took = time.monotonic() - began
    assert child.returncode == 0, child.stderr.read() if child.stderr else b""
    print(f"{A_MILLION / took:.0f} lines a second, the gateway grew by {most - before} bytes")
    assert most - before < 16 << 20
    seen = bytearray(A_MILLION)
    last: Any = None
    with target.open("rb") as file:
        for line in file:
            last = json.loads(line)
            if "index" in last:
                seen[last["index"]] += 1
    assert set(seen) == {1}
    assert last["object"] == "bulk.end" and last["completed"] == A_MILLION


@pytest.mark.long
@pytest.mark.limit(1800)
@pytest.mark.parametrize("client", ["curl", "aiohttp"])
def test_a_million_lines(gateway: StartGateway, tmp_path: Path, client: str) -> None:
    """By clients that nobody here wrote."""
    backend = BulkServer("--slots", "64")
    try:
        through = gateway(policy(backend.url, limit=32))
        source, target = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
        url = f"{through.url}/bulk"
        if client == "curl":
            curl = shutil.which("curl")
            assert curl is not None
            words = [curl, "-sSN", "-T", "-", "-X", "POST", "-o", str(target), url]
        else:
            words = [sys.executable, "-c", AIOHTTP, url, str(source), str(target)]
        run_a_million(through, words, source, target, standard_input=client == "curl")
    finally:
        backend.stop()
