"""Whoever leaves, in whatever phase and way, gives back what it held, once: nothing is left of it but its counts.

`test_client_leaves.py` shows the same one by one with a real server; here it is many at once, counted to the last.
"""

from __future__ import annotations

import asyncio
import os
import random
from collections import Counter

import pytest

from conftest import StartGateway
from departures import LATE_SECONDS, PHASES, WAYS, Departures, policy, serving
from processes import Gateway, eventually
from sockets import unanswering_address


@pytest.mark.limit(120)
@pytest.mark.parametrize("phase", PHASES)
@pytest.mark.parametrize("way", WAYS)
def test_leaving(gateway: StartGateway, phase: str, way: str) -> None:
    """Twenty-four of one kind."""
    asyncio.run(leave(gateway, [(phase, way)] * 24, at_once=8))


@pytest.mark.long
@pytest.mark.limit(7200)
def test_a_hundred_thousand_departures(gateway: StartGateway) -> None:
    """All phases and ways mixed, as many as PENSTOCK_CYCLES says."""
    count = int(os.environ.get("PENSTOCK_CYCLES", "100000"))
    seed = random.randrange(1 << 32)
    print(f"seed {seed}, {count} cycles")
    chance = random.Random(seed)
    asyncio.run(leave(gateway, [(chance.choice(PHASES), chance.choice(WAYS)) for _ in range(count)], at_once=64))


async def leave(start: StartGateway, cycles: list[tuple[str, str]], at_once: int) -> None:
    """Runs the cycles through a gateway and holds its counters beside them."""
    loop = asyncio.get_running_loop()
    with unanswering_address() as hole:
        async with serving() as (backend, url):
            through = start(policy(url, hole))
            # Takes the only place of the pool in which others are queued.
            backend.expect("0")
            reader, writer = await asyncio.open_connection("127.0.0.1", int(through.url.rpartition(":")[2]))
            writer.write(b"GET /queued HTTP/1.1\r\nHost: gateway\r\nX-Id: 0\r\n\r\n")
            await asyncio.wait_for(backend.arrivals["0"], 5)
            before = through.open_descriptors()
            departures = Departures(through, backend, random.Random(1))
            await departures.many(cycles, at_once)
            await loop.run_in_executor(None, check, through, departures, cycles, before)
            writer.close()
            await loop.run_in_executor(None, through.wait_until_idle)
            check_totals(through, cycles, running=0)


def check(through: Gateway, departures: Departures, cycles: list[tuple[str, str]], before: int) -> None:
    """Nothing is held but the one request that took the place; every cycle was counted, once."""
    for name, expected in (
        ("penstock_inflight", 1), ("penstock_queue_requests", 0), ("penstock_dials", 0),
        ("penstock_client_connections", 1), ("penstock_exchanges", 1),
    ):
        eventually(lambda: through.metric(name) == expected, f"{name} back to {expected}", 10)
    check_totals(through, cycles, running=1)
    # Idle connections to the backend are kept for four seconds.
    eventually(lambda: through.metric("penstock_upstream_connections") == 1, "the backend let go", 10)
    eventually(lambda: through.open_descriptors() <= before, "all descriptors closed", 10)
    # Each reactor drops useless wake-ups only when it has more than 1024 of them.
    assert through.metric("penstock_timers") < through.threads * (1024 + 64)
    late = departures.late()
    print(f"{len(departures.closings)} backend connections closed, {len(late)} of them after more than 100 ms")
    if late:
        own = [alone for _, alone in late if alone > LATE_SECONDS]
        print(f"the slowest after {max(late)[0] * 1000:.1f} ms; {len(own)} late without a standstill of the machine")
        assert not own, f"nothing kept the gateway from closing these in time: {own}"
    assert sum(departures.cycles.values()) == len(cycles)


def check_totals(through: Gateway, cycles: list[tuple[str, str]], running: int) -> None:
    """Every request was decided about once and ended once, for the right reason."""
    counts = Counter(phase for phase, _ in cycles)
    metrics = through.metrics()

    def total(name: str, **labels: str) -> float:
        return sum(s.value for s in metrics if s.name == name and labels.items() <= s.labels.items())

    ended = total("penstock_requests_total")
    decided = total("penstock_decisions_total")
    assert decided == ended + running
    assert total("penstock_requests_total", code="2xx", reason="none") == counts["idle"]
    gone = total("penstock_requests_total", reason="client_gone")
    assert gone + counts["idle"] == ended
    # A client that leaves with its request may be gone before the gateway has read it. Nothing then is what was asked.
    gone_for_certain = len(cycles) - counts["idle"] - counts["parsed"] - counts["queued"] - counts["dialling"]
    first = 1 - running
    assert gone_for_certain + first <= gone <= len(cycles) - counts["idle"] + first
    abandoned = total("penstock_decisions_total", outcome="abandoned")
    assert abandoned <= counts["queued"]
    accepted = total("penstock_client_connections_accepted_total")
    assert accepted == len(cycles) + 1
