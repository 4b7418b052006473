"""One of two backends falls ill, in thirteen ways: the other one does the work until it is well again.

Each way has a pool of its own with two backends and nothing else set. Each backend alone could do all of its pool's work.
A request has failed if its client did not get a good answer within the seconds that it bears.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass

import pytest

from conftest import StartGateway
from crowd import Ask, Crowd, Load, Machine, fairly, posting, quantile, share
from engines import Engines, running_engines
from work_server import SICKNESSES

# Minutes of load, and sensitive to whatever else the machine does: not for every run.
pytestmark = pytest.mark.long

PLACES, MILLISECONDS = 8, 60.0
PATIENCE_SECONDS = 3.0
WARM_UP_SECONDS, SICK_SECONDS = 6.0, 20.0
# How soon most of it must be over, how soon a backend that is well again has work, and for how long that is looked at.
LEARNT_SECONDS, BACK_SECONDS, LOOK_SECONDS = 7.0, 6.0, 3.0
# What is not seen before a time is over costs more.
MOST_FAILED = {"silent": 0.05, "slow": 0.05}


@dataclass
class Ward:
    """A pool with a way of being ill, the load on it, and the numbers of its engines: the one that stays well, the other."""

    sickness: str
    load: Load
    well: int
    sick: int

    @property
    def name(self) -> str:
        """That of the pool."""
        return f"p-{self.sickness}"


def policy(wards: list[Ward], engines: Engines) -> str:
    """A pool for each ward, chosen by path."""
    pools = "".join(
        f"  {ward.name}: {{backends: [{engines.urls[ward.well]}, {engines.urls[ward.sick]}]}}\n" for ward in wards
    )
    routes = ", ".join(f"{{path: /{ward.name}, pool: {ward.name}}}" for ward in wards)
    return f"""\
version: 1
listen: 127.0.0.1:0
admin: 127.0.0.1:0
log: {{access: {{to: off}}}}
pools:
{pools}routes: [{routes}]
"""


async def course(url: str, wards: list[Ward], engines: Engines, machine: Machine) -> tuple[float, float]:
    """The whole course of it; returns when they fell ill and when they were well again."""
    crowd = Crowd(url)
    seconds = WARM_UP_SECONDS + SICK_SECONDS + BACK_SECONDS + LOOK_SECONDS + 1
    offering = asyncio.create_task(crowd.offer([ward.load for ward in wards], seconds))

    async def all_fall(is_well: bool) -> float:
        for ward in wards:
            await engines.tell(f"/sickness/{ward.sick}/{'well' if is_well else ward.sickness}")
        return time.monotonic()

    begin = time.monotonic()
    await asyncio.sleep(WARM_UP_SECONDS)
    fell = time.monotonic()
    await all_fall(False)
    await asyncio.sleep(begin + WARM_UP_SECONDS + SICK_SECONDS - time.monotonic())
    well = await all_fall(True)
    await offering
    await crowd.close()
    print(f"sent {1000 * quantile(crowd.lateness, 0.99):.0f} ms late")
    machine.add(crowd.ticker.lost + (await engines.tell("/stats"))["lost"])
    return fell, well


def failed(asks: list[Ask]) -> float:
    """The share of requests that were not answered well."""
    return share(sum(ask.status != 200 for ask in asks), len(asks))


def judge(ward: Ward, fell: float, well: float) -> str | None:
    """What is wrong, if anything is."""
    load = ward.load
    before = failed(load.due_in(fell - 2, fell - PATIENCE_SECONDS / 10))
    all_of_it = failed(load.due_in(fell, well))
    later = failed(load.due_in(fell + LEARNT_SECONDS, well))
    look = well + BACK_SECONDS
    answered = [ask.body for ask in load.asks if ask.status == 200 and look <= ask.ended < look + LOOK_SECONDS]
    back = share(sum(int(body) == ward.sick for body in answered), len(answered))
    most = MOST_FAILED.get(ward.sickness, 0.03)
    told = f"{ward.sickness}: failed {all_of_it:.1%}, later {later:.1%}; back at {back:.0%}"
    print(told)
    is_right = before == 0 and all_of_it <= most and later <= 0.01 and back >= 0.2
    return None if is_right else told + (f"; {before:.1%} failed before" if before else "")


def nurse(sicknesses: list[str], method: str, rate: float, gateway: StartGateway, machine: Machine) -> None:
    """Lets one backend of each pool fall ill and get well again."""
    wards = []
    for number, sickness in enumerate(sicknesses):
        load = Load(rate, lambda _: PATIENCE_SECONDS, f"GET /p-{sickness} HTTP/1.1\r\nHost: c\r\n")
        wards.append(Ward(sickness, posting(load) if method == "POST" else load, 2 * number, 2 * number + 1))
    options = "--engines", str(2 * len(wards)), "--places", str(PLACES), "--milliseconds", str(MILLISECONDS)
    with running_engines(*options) as engines:
        through = gateway(policy(wards, engines))
        machine.watch(through)
        fell, well = asyncio.run(course(through.url, wards, engines, machine))
        machine.release(through)
    faults = [fault for ward in wards if (fault := judge(ward, fell, well))]
    assert not faults, "\n".join([f"{method}, {rate:g}/s:", *faults])


@pytest.mark.limit(240)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_the_other_backend_does_the_work(method: str, gateway: StartGateway) -> None:
    """All thirteen ways at once, each in a pool of its own, at a rate that one machine can make for all of them."""
    fairly(lambda machine: nurse(list(SICKNESSES), method, 60, gateway, machine))


@pytest.mark.long
@pytest.mark.limit(240)
@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("sickness", SICKNESSES)
def test_one_pool_at_a_higher_rate(sickness: str, method: str, gateway: StartGateway) -> None:
    """Each way alone, at seven tenths of what the well backend can do."""
    fairly(lambda machine: nurse([sickness], method, 0.7 * PLACES * 1000 / MILLISECONDS, gateway, machine))
