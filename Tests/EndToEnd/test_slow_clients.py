"""Twelve slow clients of a kind in the pool of good ones, under the default policy: the good ones do not notice.

The engine is done with a request when its work is done, not when the last byte has been read: who reads slowly takes
nothing from it.
"""

from __future__ import annotations

import asyncio

import pytest

from conftest import StartGateway
from crowd import Ask, Crowd, Load, Machine, fairly, quantile, served
from engines import default_policy, running_engines
from slow_clients import KINDS, SlowClients

# Minutes of load, and sensitive to whatever else the machine does: not for every run.
pytestmark = pytest.mark.long

SLOTS = 16
MILLISECONDS = 80.0
CAPACITY = SLOTS * 1000 / MILLISECONDS
GOOD_RATE = 0.3 * CAPACITY
LEARNING_SECONDS = 8.0
# Seconds of good clients alone, of slow ones alone, and of both. A limit that was learnt is lost in steps of some seconds
# and only while nothing else shows that the backend lives: there slow ones have the pool for themselves first.
# A fresh one has nothing to lose, and there either load has the same share of a beginning in it.
SECONDS = {True: (12.0, 24.0, 12.0), False: (15.0, 1.0, 15.0)}
# What a machine adds to a good answer anyway, beside which twice of a very short time would mean nothing.
LEAST_MILLISECONDS = 90.0


def p99(asks: list[Ask]) -> float:
    """Of those who were served, in seconds."""
    return quantile((ask.seconds for ask in asks if ask.status == 200), 0.99)


async def alone_and_beside(urls: list[str], kind: str, is_learnt: bool, machine: Machine) -> tuple[Load, Load, int]:
    """Good clients at the first gateway alone, and at the last beside slow ones; how often those were ended."""
    alone, beside = Load(GOOD_RATE), Load(GOOD_RATE)
    alone_seconds, slow_seconds, beside_seconds = SECONDS[is_learnt]
    first = Crowd(urls[0])
    if is_learnt:
        await first.offer([Load(2 * CAPACITY)], LEARNING_SECONDS)
        await first.close()
        first = Crowd(urls[0])
    await first.offer([alone], alone_seconds)
    await first.close()
    slow = SlowClients(urls[-1], kind)
    slow.start()
    await asyncio.sleep(slow_seconds)
    second = Crowd(urls[-1], seed=2)
    await second.offer([beside], beside_seconds)
    await second.close()
    await slow.stop()
    machine.add(first.ticker.lost + second.ticker.lost)
    return alone, beside, slow.ended


def one_kind(kind: str, threads: int, is_learnt: bool, gateway: StartGateway, machine: Machine) -> None:
    """Good clients' success and their p99, beside what both are alone."""
    in_pool = "websocket: allow" if kind == "websocket" else ""
    with running_engines("--places", str(SLOTS), "--milliseconds", str(MILLISECONDS)) as engines:
        policy = default_policy(engines.urls, in_pool, f"threads: {threads}\n")
        # From a fresh start: either load meets a gateway that knows nothing yet.
        gateways = [gateway(policy) for _ in range(1 if is_learnt else 2)]
        machine.watch(gateways[-1])
        urls = [one.url for one in gateways]
        alone, beside, ended = asyncio.run(alone_and_beside(urls, kind, is_learnt, machine))
        machine.add(engines.stats()["lost"])
        for one in gateways:
            machine.release(one)
    assert all(ask.status == 200 for ask in alone.asks), "good clients alone are not served"
    success = served(beside.asks)
    told = f"{kind}, {threads} threads, {'learnt' if is_learnt else 'fresh'}: success {success:.4f}"
    print(f"{told}; slow ones were ended {ended} times")
    assert success >= 0.99, told
    usual, slowed = p99(alone.asks), p99(beside.asks)
    print(f"p99 {1000 * slowed:.0f} ms, alone {1000 * usual:.0f} ms")
    assert slowed <= 2 * max(usual, LEAST_MILLISECONDS / 1000), f"{told}, p99 {slowed:.3f} s, alone {usual:.3f} s"


SHORT = [("upload-100k", 1, False), ("reader-5M", 4, True)]
ALL = [(kind, threads, is_learnt) for kind in KINDS for threads in (1, 4) for is_learnt in (True, False)]


def named(value: object) -> str | None:
    """A readable name of a parameter."""
    return None if not isinstance(value, bool) else "learnt" if value else "fresh"


@pytest.mark.limit(300)
@pytest.mark.parametrize(("kind", "threads", "is_learnt"), SHORT, ids=named)
def test_slow_clients_take_nothing(kind: str, threads: int, is_learnt: bool, gateway: StartGateway) -> None:
    """The two that did the most harm once: who keeps a place before there is work, and who does not take an answer."""
    fairly(lambda machine: one_kind(kind, threads, is_learnt, gateway, machine))


@pytest.mark.long
@pytest.mark.limit(300)
@pytest.mark.parametrize(("kind", "threads", "is_learnt"), [one for one in ALL if one not in SHORT], ids=named)
def test_slow_clients_of_all_kinds_take_nothing(
    kind: str, threads: int, is_learnt: bool, gateway: StartGateway
) -> None:
    """The whole of it."""
    fairly(lambda machine: one_kind(kind, threads, is_learnt, gateway, machine))
