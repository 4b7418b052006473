"""A bulk request beside people: what they notice of it, and how much of what they leave it gets."""

from __future__ import annotations

import asyncio
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from conftest import StartGateway
from load import Stream, measured, offer, quantile
from processes import Gateway
from test_bulk import BulkServer, Command

SLOTS = 32
MILLISECONDS = 80
# People take half of what the engine can do.
RATE = 0.5 * SLOTS / (MILLISECONDS / 1000)
WARM_SECONDS = 3.0
SECONDS = 20.0

POLICY = """
listen: 127.0.0.1:0
admin: 127.0.0.1:0
log: {{access: off}}
pools:
  embed:
    backends: [{url}]
    limit: {slots}
    priority: {{classes: {classes}, default: people}}
    queue: {{max_requests: 1000, max_wait: 60s}}
routes: [{{path: /*, pool: embed}}]
bulk: {{class: {name}}}
"""


@dataclass
class Figures:
    """What one run came to."""

    # Of people's answers, whose first byte is their last.
    p50: float
    p99: float
    # Of the places' time that people did not take, what lines took.
    share: float

    def __str__(self) -> str:
        return f"p50 {1000 * self.p50:.0f} ms, p99 {1000 * self.p99:.0f} ms, {100 * self.share:.1f} % of the slack"


@contextmanager
def lines_under_way(penstock: Path, folder: Path, through: Gateway) -> Iterator[None]:
    """More lines than there is time for."""
    folder.mkdir()
    command = Command(penstock, folder, f"{through.url}/bulk", 60_000)
    child = subprocess.Popen(command.words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield
        assert child.poll() is None, "the lines came to an end"
    finally:
        child.kill()
        child.wait()


def run(
    penstock: Path, gateway: StartGateway, folder: Path, classes: str, name: str, with_lines: bool
) -> Figures:
    """People for a while, with lines or alone."""
    engine = BulkServer("--slots", str(SLOTS), "--milliseconds", str(MILLISECONDS), "--spread", "0.5")
    through = gateway(POLICY.format(url=engine.url, slots=SLOTS, classes=classes, name=name))
    try:
        people = Stream(RATE)
        if not with_lines:
            begin, end = asyncio.run(offer(through.url, [people], WARM_SECONDS + SECONDS, 7))
            outcomes = people.between(begin + WARM_SECONDS, end)
            return Figures(quantile(outcomes, 0.5), quantile(outcomes, 0.99), 0)
        with lines_under_way(penstock, folder, through):
            # The engine's time is counted over the same seconds.
            asyncio.run(offer(through.url, [Stream(RATE)], WARM_SECONDS, 6))
            before, began = engine.stats(), time.monotonic()
            begin, end = asyncio.run(offer(through.url, [people], SECONDS, 7))
            after, ended = engine.stats(), time.monotonic()
        outcomes = people.between(begin, end)
        taken = (after["milliseconds"] - before["milliseconds"]) / 1000
        mean = taken / (after["ended"] - before["ended"])
        of_people = mean * len(people.outcomes)
        slack = SLOTS * (ended - began) - of_people
        return Figures(quantile(outcomes, 0.5), quantile(outcomes, 0.99), (taken - of_people) / slack)
    finally:
        through.stop()
        engine.stop()


@pytest.mark.long
@pytest.mark.limit(600)
def test_people_hardly_notice_a_bulk_request(
    penstock: Path, gateway: StartGateway, tmp_path: Path
) -> None:
    """With `slack` their 99th percentile stays, and the lines get what they leave; in a class like theirs it does not."""
    rounds = 0

    def measure() -> None:
        nonlocal rounds
        rounds += 1

        def figures(what: str, classes: str, name: str, with_lines: bool = True) -> Figures:
            found = run(penstock, gateway, tmp_path / f"{what}-{rounds}", classes, name, with_lines)
            print(f"{what}: {found}")
            return found

        slack = "[people, {name: bulk, slack: true}]"
        alone = figures("alone", slack, "bulk", False)
        beside = figures("slack", slack, "bulk")
        same = figures("in their class", "[people]", "people")
        assert beside.p99 <= 1.2 * alone.p99
        assert beside.share >= 0.95
        assert same.p99 > 1.2 * alone.p99

    measured(measure)
