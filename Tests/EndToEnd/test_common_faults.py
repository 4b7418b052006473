"""Backends that fail for one reason, or one after the other: nobody is shut out for what all others do as well."""

from __future__ import annotations

import asyncio
import time

import pytest

from conftest import StartGateway
from crowd import Ask, Crowd, Load, served, share
from engines import Engines, default_policy, running_engines

pytestmark = pytest.mark.timed

RATE = 60.0
PATIENCE_SECONDS = 2.0
WARM_UP_SECONDS, SICK_SECONDS = 3.0, 6.0
# How soon all of it is right again: at once where all were ill, and after trials where one was.
AT_ONCE_SECONDS, BACK_SECONDS, LOOK_SECONDS = 1.0, 6.0, 3.0


async def course(url: str, load: Load, engines: Engines, falls: list[list[tuple[int, str]]]) -> float:
    """Has engines fall ill in one way after the other; when all were well again at last."""
    crowd = Crowd(url)
    seconds = WARM_UP_SECONDS + len(falls) * SICK_SECONDS + BACK_SECONDS + LOOK_SECONDS
    offering = asyncio.create_task(crowd.offer([load], seconds))
    await asyncio.sleep(WARM_UP_SECONDS)
    for fall in falls:
        for engine, sickness in fall:
            await engines.tell(f"/sickness/{engine}/{sickness}")
        await asyncio.sleep(SICK_SECONDS)
    for engine in range(len(engines.urls)):
        await engines.tell(f"/sickness/{engine}/well")
    well = time.monotonic()
    await offering
    await crowd.close()
    return well


def shares(asks: list[Ask], engines: int) -> list[float]:
    """How much of what was answered well each engine has answered."""
    answered = [int(ask.body) for ask in asks if ask.status == 200]
    return [share(answered.count(engine), len(answered)) for engine in range(engines)]


@pytest.mark.parametrize("sickness", ["500", "429"])
def test_all_fail_and_are_well_at_once(gateway: StartGateway, sickness: str) -> None:
    """Four engines; a second after they are well everything is served, by all of them."""
    load = Load(RATE, lambda _: PATIENCE_SECONDS, "GET / HTTP/1.1\r\nHost: c\r\n")
    with running_engines("--engines", "4", "--places", "4", "--milliseconds", "60") as engines:
        through = gateway(default_policy(engines.urls))
        falls = [[(engine, sickness) for engine in range(4)]]
        well = asyncio.run(course(through.url, load, engines, falls))
        suspected = [through.metric("penstock_backend_suspected", backend=url) for url in engines.urls]
    after = load.due_in(well + AT_ONCE_SECONDS, well + BACK_SECONDS)
    assert served(load.due_in(well - SICK_SECONDS + 1, well - PATIENCE_SECONDS)) < 0.1
    assert served(after) >= 0.97, (served(after), shares(after, 4))
    assert min(shares(after, 4)) > 0.1
    assert suspected == [0, 0, 0, 0]


def test_one_after_the_other(gateway: StartGateway) -> None:
    """The second falls ill as the first gets well: each is spared while it is, and has its part of the work later."""
    load = Load(RATE, lambda _: PATIENCE_SECONDS, "GET / HTTP/1.1\r\nHost: c\r\n")
    with running_engines("--engines", "2", "--places", "8", "--milliseconds", "60") as engines:
        through = gateway(default_policy(engines.urls))
        falls = [[(0, "500")], [(0, "well"), (1, "500")]]
        well = asyncio.run(course(through.url, load, engines, falls))
    for begin in (well - 2 * SICK_SECONDS, well - SICK_SECONDS):
        # What fails while nobody knows is tried again as far as a tenth of all requests.
        assert served(load.due_in(begin, begin + SICK_SECONDS)) >= 0.8
        assert served(load.due_in(begin + 4, begin + SICK_SECONDS - PATIENCE_SECONDS / 10)) >= 0.95
    after = load.due_in(well + BACK_SECONDS, well + BACK_SECONDS + LOOK_SECONDS)
    assert served(after) == 1
    assert min(shares(after, 2)) >= 0.2
