"""The limit on real sockets, with its defaults, at twice what the engine can do: it is found, and does not wander off."""

from __future__ import annotations

import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context

import pytest

from conftest import StartGateway
from engines import default_policy, running_engines
from load import Stream, goodput, push
from processes import Gateway

# Minutes of load, and sensitive to whatever else the machine does: not for every run.
pytestmark = pytest.mark.long


@dataclass(frozen=True)
class Engine:
    """An engine, and what is known of it."""

    name: str
    options: tuple[str, ...]
    # Requests a second.
    capacity: float
    # The highest limit that counts as found: 1.25 times the smallest that yields all but 3 %, and two more for small ones.
    most: float
    warm_up_seconds: float
    seconds: float

    def __str__(self) -> str:
        return self.name


ENGINES = [
    Engine("two slots", ("--places", "2", "--milliseconds", "80"), 25, 4.5, 10, 60),
    Engine("eight slots", ("--places", "8", "--milliseconds", "80"), 100, 12, 10, 60),
    Engine(
        "batch of 256",
        ("--places", "256", "--batch", "--step", "4", "--each", "0.1", "--tokens", "50"),
        256 / (50 * (0.004 + 0.0001 * 256)),
        1.25 * 227,
        90,
        150,
    ),
]


def limits(through: Gateway, begin: float, until: float) -> list[tuple[float, float]]:
    """The limit, twice a second, each with its time."""
    seen = []
    while (now := time.monotonic()) < until:
        seen.append((now - begin, through.metric("penstock_limit")))
        time.sleep(0.5)
    return seen


@pytest.mark.limit(400)
@pytest.mark.parametrize("engine", ENGINES, ids=str)
def test_the_limit_stays_where_it_belongs(engine: Engine, gateway: StartGateway) -> None:
    """Goodput by answers within the queue's wait and twice a service time; the limit at every look after the warm-up."""
    with running_engines(*engine.options) as engines, ProcessPoolExecutor(1, get_context("spawn")) as clients:
        through = gateway(default_policy(engines.urls))
        begin = time.monotonic()
        offered = clients.submit(push, through.url, Stream(2 * engine.capacity), engine.seconds, 1)
        seen = limits(through, begin, begin + engine.seconds)
        outcomes = offered.result().outcomes
    good = goodput(outcomes, begin + engine.warm_up_seconds, begin + engine.seconds, 6) / engine.capacity
    late = [limit for at, limit in seen if at > engine.warm_up_seconds]
    print(f"{engine}: {good:.3f} of capacity; limits {[limit for _, limit in seen[::10]]}")
    assert good >= 0.93
    assert max(late) <= engine.most
