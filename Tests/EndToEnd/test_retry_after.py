"""What refused clients are told is meant both ways: who obeys finds room, and no room is left empty for who was told to wait.

The clients wait as OpenAI's client does (`retry-after-ms`, else `Retry-After`) and say in how-manieth try they are.
"""

from __future__ import annotations

import asyncio
import random
import time

import pytest

from conftest import StartGateway
from crowd import Ask, Crowd, Load, Machine, fairly, share
from engines import Engines, default_policy, running_engines

# Minutes of load, and sensitive to whatever else the machine does: not for every run.
pytestmark = pytest.mark.long

SLOTS = 8
CLIENTS = 200
ARRIVAL_SECONDS = 12.0
PATIENCE_SECONDS = 60.0
# What OpenAI's client waits if it is told nothing, and how often it tries again unless told otherwise.
FIRST_DELAY, LONGEST_DELAY, USUAL_RETRIES = 0.5, 8.0, 2
MANY_RETRIES = 1_000


class Obedient:
    """Clients that come back when they were told to."""

    def __init__(self, crowd: Crowd, load: Load, retries: int) -> None:
        self.crowd, self.load, self.retries = crowd, load, retries
        self.chance = random.Random(5)
        # When clients waited out what they were told, and how many do.
        self.waits: list[tuple[float, float]] = []
        self.waiting = 0
        self.served = 0
        self.given_up = 0
        # In a closed loop a client that was served asks again until then, on the monotonic clock.
        self.last_arrival = 0.0
        self.is_closed_loop = False
        self.is_over = False

    def ended(self, ask: Ask) -> None:
        """What a client does after an answer."""
        if ask.status == 200:
            self.served += 1
        elif ask.tries < self.retries and ask.status > 0:
            delay = ask.retry_after
            if delay is None or not 0 < delay <= 120:
                delay = min(LONGEST_DELAY, FIRST_DELAY * 2**ask.tries) * self.chance.uniform(0.75, 1)
            self.waits.append((ask.ended, ask.ended + delay))
            self.waiting += 1
            self.crowd.loop.call_later(delay, self._again, ask.tries + 1)
            return
        else:
            self.given_up += 1
        if self.is_closed_loop and time.monotonic() < self.last_arrival:
            self.ask(0)

    def ask(self, tries: int) -> None:
        """Sends a request."""
        self.crowd.ask(self.load, time.monotonic(), self.ended, tries)

    def _again(self, tries: int) -> None:
        self.waiting -= 1
        if not self.is_over:
            self.ask(tries)

    async def until_done(self, seconds: float) -> None:
        """Until nobody waits for anything any more."""
        deadline = time.monotonic() + seconds
        while self.waiting or self.crowd.under_way:
            assert time.monotonic() < deadline, f"{self.waiting} clients still wait, {self.crowd.under_way} ask"
            await asyncio.sleep(0.05)


def overlap(pauses: list[list[float]], waits: list[tuple[float, float]], begin: float) -> float:
    """The seconds of the pauses, from `begin` on, in which at least one client waited."""
    merged: list[list[float]] = []
    for first, last in sorted(waits):
        if merged and first <= merged[-1][1]:
            merged[-1][1] = max(merged[-1][1], last)
        else:
            merged.append([first, last])
    return sum(
        max(0.0, min(end, last) - max(start, first, begin)) for start, end in pauses for first, last in merged
    )


async def crowd_that_stops(
    url: str, is_closed: bool, rate: float, engines: Engines, machine: Machine
) -> tuple[Obedient, float]:
    """Clients come for a while, each until it is served; the seconds that the engine was idle while any of them waited."""
    crowd = Crowd(url)
    load = Load(rate, lambda _: PATIENCE_SECONDS)
    clients = Obedient(crowd, load, MANY_RETRIES)
    clients.is_closed_loop = is_closed
    begin = time.monotonic()
    clients.last_arrival = begin + ARRIVAL_SECONDS
    if is_closed:
        for _ in range(CLIENTS):
            clients.ask(0)
        await asyncio.sleep(ARRIVAL_SECONDS)
    else:
        await crowd.offer([load], ARRIVAL_SECONDS, clients.ended)
    await clients.until_done(50)
    stats = await engines.tell("/stats")
    await crowd.close()
    machine.add(crowd.ticker.lost + stats["lost"])
    return clients, overlap(stats["engines"][0]["pauses"], clients.waits, begin)


@pytest.mark.limit(240)
@pytest.mark.parametrize(
    ("milliseconds", "is_closed"),
    [(100, True), (400, True), pytest.param(100, False, marks=pytest.mark.long)],
    ids=["200-clients", "200-clients-slow-engine", "twice-the-rate"],
)
def test_an_engine_is_not_idle_while_clients_wait(
    milliseconds: int, is_closed: bool, gateway: StartGateway
) -> None:
    """A crowd comes for twelve seconds and stops: what is left of it is served without a pause."""

    def measure(machine: Machine) -> None:
        capacity = SLOTS * 1000 / milliseconds
        with running_engines("--places", str(SLOTS), "--milliseconds", str(milliseconds)) as engines:
            through = gateway(default_policy(engines.urls))
            machine.watch(through)
            clients, idle = asyncio.run(
                crowd_that_stops(through.url, is_closed, 2 * capacity, engines, machine)
            )
            machine.release(through)
        told = f"idle for {idle:.2f} s while clients waited; {len(clients.waits)} waits, {clients.served} served"
        print(told)
        assert clients.given_up == 0, f"{clients.given_up} clients broke"
        assert idle < 1, told

    fairly(measure)


@pytest.mark.limit(600)
@pytest.mark.parametrize("seconds", [30.0, pytest.param(120.0, marks=pytest.mark.long)])
def test_steady_overload_by_clients_that_obey(seconds: float, gateway: StartGateway) -> None:
    """Twice as many clients come as can be served; each tries as often as OpenAI's does; the engine never runs dry."""
    warm_up = 5.0
    capacity = SLOTS * 1000 / 100

    async def run(url: str, engines: Engines, machine: Machine) -> tuple[float, Obedient]:
        crowd = Crowd(url)
        load = Load(2 * capacity, lambda _: PATIENCE_SECONDS)
        clients = Obedient(crowd, load, USUAL_RETRIES)
        await crowd.offer([load], warm_up, clients.ended)
        before, begin = (await engines.tell("/stats"))["engines"][0], time.monotonic()
        await crowd.offer([load], seconds, clients.ended)
        stats, end = await engines.tell("/stats"), time.monotonic()
        clients.is_over = True
        await crowd.close()
        machine.add(crowd.ticker.lost + stats["lost"])
        used = stats["engines"][0]["place_seconds"] - before["place_seconds"]
        return used / (SLOTS * (end - begin)), clients

    def measure(machine: Machine) -> None:
        with running_engines("--places", str(SLOTS), "--milliseconds", "100") as engines:
            through = gateway(default_policy(engines.urls))
            machine.watch(through)
            used, clients = asyncio.run(run(through.url, engines, machine))
            machine.release(through)
        total = clients.served + clients.given_up
        told = f"{used:.3f} of the places were used; {share(clients.served, total):.0%} of {total} clients served"
        print(told)
        assert used >= 0.98, told

    fairly(measure)
