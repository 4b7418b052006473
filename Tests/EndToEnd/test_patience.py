"""Clients that leave: the gateway with its defaults serves those who live to see it and refuses the others at once.

Capacity is what the engine can do, a sum, with the times that its places were really taken for. All that is good is counted
by the clients: an answer that came while its client still waited.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from conftest import StartGateway
from crowd import LEFT, Ask, Crowd, Load, Machine, fairly, quantile, served, share
from engines import Engines, default_policy, running_engines

# Minutes of load, and sensitive to whatever else the machine does: not for every run.
pytestmark = pytest.mark.long

SLOTS = 8
SLOT_MILLISECONDS = 80
# A step of the batch engine alone, and for each request in it, in seconds; and the steps of a request.
STEP, EACH, TOKENS = 0.004, 0.0001, 50
WINDOW_SECONDS = 8.0
# The slots are few; a batch takes some doublings of the limit longer to be found, and some comparisons.
WARM_UP_SECONDS = {"slots": 7.0, "batch": 40.0}
WANTED_SHARE = 0.93

Patience = Callable[[random.Random], float]


@dataclass(frozen=True)
class Case:
    """What is offered to what. Patience in seconds; 0 stands for log-normal around one second."""

    engine: str
    stops: bool
    patience: float
    factor: float

    def __str__(self) -> str:
        bears = f"{self.patience:g}s" if self.patience else "log-normal"
        return f"{self.engine}-{'stops' if self.stops else 'goes-on'}-{bears}-{self.factor:g}x"

    @property
    def places(self) -> int:
        """Requests at once: 64 of them take the batch engine longer than half a second, which is all that some bear.

        Around one second they bear anything: of those drawn log-normally a tenth bears less than that.
        """
        if self.engine == "slots":
            return SLOTS
        return 32 if self.patience in (0, 0.5) else 64

    @property
    def options(self) -> list[str]:
        """Those of the engine."""
        words = ["--places", str(self.places), *([] if self.stops else ["--goes-on"])]
        if self.engine == "slots":
            return [*words, "--milliseconds", str(SLOT_MILLISECONDS)]
        return [*words, "--batch", "--step", str(1000 * STEP), "--each", str(1000 * EACH), "--tokens", str(TOKENS)]

    @property
    def nominal(self) -> float:
        """Requests a second that the engine is made for."""
        if self.engine == "slots":
            return SLOTS * 1000 / SLOT_MILLISECONDS
        return self.places / (TOKENS * (STEP + EACH * self.places))

    def capacity(self, before: dict[str, Any], after: dict[str, Any]) -> float:
        """Requests a second that it could have ended in the time between two looks."""
        if self.engine == "batch":
            return self.nominal
        ended = after["ended"] - before["ended"]
        seconds = after["seconds_taken"] - before["seconds_taken"]
        return SLOTS * ended / seconds if ended else self.nominal

    def bears(self) -> Patience:
        """Draws a client's patience."""
        if self.patience:
            return lambda _: self.patience
        return lambda chance: chance.lognormvariate(0, 0.5)


@dataclass(repr=False)
class Seen:
    """What a load saw in the window."""

    asks: list[Ask]
    begin: float
    end: float
    capacity: float
    most_inside: int

    def goodput(self, loads: list[Load]) -> float:
        """Good answers a second as a share of capacity."""
        good = sum(
            ask.status == 200 and self.begin <= ask.ended < self.end for load in loads for ask in load.asks
        )
        return good / (self.end - self.begin) / self.capacity

    def told(self) -> str:
        """The refused, the left and the served, in words."""
        waits = [ask.seconds / ask.patience for ask in self.asks if ask.is_refused]
        late = share(sum(wait > 0.25 for wait in waits), len(waits))
        left = share(sum(ask.status == LEFT for ask in self.asks), len(self.asks))
        return f"{len(waits)} of {len(self.asks)} refused, {late:.1%} of them late; {left:.1%} left"


def offer(
    case: Case, loads: list[Load], gateway: StartGateway, machine: Machine, in_pool: str = ""
) -> Seen:
    """Offers `loads` to the case's engine behind a new gateway and looks at the window."""
    with running_engines(*case.options) as engines:
        through = gateway(default_policy(engines.urls, in_pool))
        machine.watch(through)
        seen = asyncio.run(_offer(through.url, case, loads, engines, machine))
        machine.release(through)
    return seen


async def _offer(url: str, case: Case, loads: list[Load], engines: Engines, machine: Machine) -> Seen:
    crowd = Crowd(url)
    warm_up = WARM_UP_SECONDS[case.engine]
    stats: list[dict[str, Any]] = []

    async def look() -> None:
        await asyncio.sleep(warm_up)
        stats.append(await engines.tell("/stats"))

    looking = asyncio.create_task(look())
    begin, end = await crowd.offer(loads, warm_up + WINDOW_SECONDS)
    await looking
    stats.append(await engines.tell("/stats"))
    await crowd.close()
    machine.add(crowd.ticker.lost + stats[1]["lost"])
    before, after = (one["engines"][0] for one in stats)
    window = begin + warm_up
    asks = [ask for load in loads for ask in load.due_in(window, end - 2.5)]
    print(f"sent {1000 * quantile(crowd.lateness, 0.99):.0f} ms late; at most {after['most_inside']} inside")
    return Seen(asks, window, end, case.capacity(before, after), after["most_inside"])


def one_case(case: Case, gateway: StartGateway, machine: Machine) -> None:
    """Goodput, and who is refused when."""
    load = Load(case.factor * case.nominal, case.bears())
    seen = offer(case, [load], gateway, machine)
    reached = seen.goodput([load])
    print(f"{case}: goodput {reached:.3f} of {seen.capacity:.0f}/s; {seen.told()}")
    assert reached >= WANTED_SHARE, f"{case}: goodput {reached:.3f}; {seen.told()}"
    if case.factor == 2:
        waits = [ask.seconds / ask.patience for ask in seen.asks if ask.is_refused]
        unserved = sum(ask.status != 200 for ask in seen.asks)
        # Else there would be next to nobody to judge by.
        assert len(waits) >= 0.5 * unserved, f"{case}: most leave unanswered; {seen.told()}"
        late = share(sum(wait > 0.25 for wait in waits), len(waits))
        assert late <= 0.05, f"{case}: {late:.1%} were refused late"


SHORT = [
    Case("slots", True, 1.0, 2),
    Case("slots", False, 0.5, 10),
    Case("batch", False, 0, 3),
]
ALL = [
    Case(engine, stops, patience, factor)
    for engine in ("slots", "batch")
    for stops in (True, False)
    for patience in (0.5, 1.0, 1.5, 1.9, 0)
    for factor in (2, 3, 10)
]


@pytest.mark.limit(180)
@pytest.mark.parametrize("case", SHORT, ids=str)
def test_who_would_leave_is_refused(case: Case, gateway: StartGateway) -> None:
    """Goodput stays near capacity, whatever clients bear and whatever the engine does when they leave."""
    fairly(lambda machine: one_case(case, gateway, machine))


@pytest.mark.long
@pytest.mark.limit(180)
@pytest.mark.parametrize("case", [case for case in ALL if case not in SHORT], ids=str)
def test_who_would_leave_is_refused_in_all_cases(case: Case, gateway: StartGateway) -> None:
    """The whole of it."""
    fairly(lambda machine: one_case(case, gateway, machine))


@pytest.mark.limit(180)
@pytest.mark.parametrize("stops", [pytest.param(True, marks=pytest.mark.long), False], ids=["stops", "goes-on"])
def test_a_flood_that_leaves_is_the_flooders_own(stops: bool, gateway: StartGateway) -> None:
    """Tenant A asks for nine times the capacity, tenant B for a third of it; all bear a second; B hardly notices."""
    case = Case("slots", stops, 1.0, 9)

    def measure(machine: Machine) -> None:
        flooder = Load(9 * case.nominal, case.bears(), "GET / HTTP/1.1\r\nHost: c\r\nX-Tenant: a\r\n")
        small = Load(case.nominal / 3, case.bears(), "GET / HTTP/1.1\r\nHost: c\r\nX-Tenant: b\r\n")
        seen = offer(case, [flooder, small], gateway, machine, "tenant: {header: x-tenant}")
        mine = [ask for ask in seen.asks if ask.load is small]
        success = served(mine)
        reached = seen.goodput([flooder, small])
        print(f"{success:.1%} of {len(mine)} served beside the flood; goodput of both {reached:.3f}")
        assert success >= 0.97, f"{success:.1%} of {len(mine)} served beside the flood"
        assert reached >= 0.9, f"goodput of both {reached:.3f}"

    fairly(measure)


@pytest.mark.long
@pytest.mark.limit(300)
@pytest.mark.parametrize("patience", [0.5, 1.0, 1.5])
def test_it_needs_no_setting_by_hand(patience: float, gateway: StartGateway) -> None:
    """What is learnt is as good as a `max_wait` that somebody set to what clients bear."""
    case = Case("slots", True, patience, 2)

    def measure(machine: Machine) -> None:
        by_hand, learnt = (Load(2 * case.nominal, case.bears()) for _ in range(2))
        wait = f"queue: {{max_wait: {round(1000 * patience)}ms}}"
        best = offer(case, [by_hand], gateway, machine, wait).goodput([by_hand])
        reached = offer(case, [learnt], gateway, machine).goodput([learnt])
        print(f"goodput {reached:.3f}, set by hand {best:.3f}")
        assert reached >= best - 0.03, f"goodput {reached:.3f}, set by hand {best:.3f}"

    fairly(measure)


@pytest.mark.long
@pytest.mark.limit(300)
@pytest.mark.parametrize("stops", [True, False], ids=["stops", "goes-on"])
def test_capacity_steps_are_followed_by_impatient_clients(stops: bool, gateway: StartGateway) -> None:
    """Capacity falls to 3/8 and comes back under 1.3 times of it, and clients bear a second."""
    case = Case("slots", stops, 1.0, 1.3)
    phase, settling = 20.0, 4.0

    async def steps(url: str, engines: Engines, machine: Machine) -> list[float]:
        crowd = Crowd(url)
        load = Load(1.3 * case.nominal, case.bears())
        shares = []
        for places in (SLOTS, SLOTS * 3 // 8, SLOTS):
            await engines.tell(f"/places/0/{places}")
            before = (await engines.tell("/stats"))["engines"][0]
            begin, end = await crowd.offer([load], phase)
            after = (await engines.tell("/stats"))["engines"][0]
            mean = (after["seconds_taken"] - before["seconds_taken"]) / max(1, after["ended"] - before["ended"])
            good = sum(ask.status == 200 and begin + settling <= ask.ended < end for ask in load.asks)
            shares.append(good / (phase - settling) * mean / places)
        await crowd.close()
        machine.add(crowd.ticker.lost + (await engines.tell("/stats"))["lost"])
        return shares

    def measure(machine: Machine) -> None:
        with running_engines(*case.options) as engines:
            through = gateway(default_policy(engines.urls))
            machine.watch(through)
            shares = asyncio.run(steps(through.url, engines, machine))
            machine.release(through)
        told = ", ".join(f"{one:.3f}" for one in shares)
        print(f"goodput in each phase: {told}")
        assert min(shares) >= 0.9, f"goodput in each phase: {told}"

    fairly(measure)
