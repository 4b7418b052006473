"""Checks the gateway before a real engine: check.py PENSTOCK ENGINE ENVIRONMENT

Clients offer twice what the engine can do, by turns patient ones and such as leave after .2 to 1 s. By the engine's own metrics
there must never be more than two requests beyond the limit inside, whoever leaves must cost the others no more than a tenth,
and nobody may be told 502. The last line is "N passed, N failed, N skipped".
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from clients import keep_busy, offer
from engines import ENGINES, HERE, SLOTS, Engine

from processes import Gateway

POLICIES = HERE.parent.parent / "policies"
ATTEMPTS = 2
FACTOR = 2.0
BEYOND_LIMIT = 2
LEAST_GOODPUT = 0.9
SAMPLE_SECONDS = 0.05
# What the gateway learns in is not measured.
LEARNING_SECONDS = 3.0
# Who comes, and for how many seconds: by turns, so that all meet the same machine. Direct ones are patient and do not go through
# the gateway, which then has nothing to do.
TURNS = 3 * (("patient", 6.0), ("leaving", 8.0), ("direct", 3.0))
# A gateway that lets hardly anybody in would treat all alike: so much of what the engine does without it is asked of it.
LEAST_USE = 0.5
EMPTY_SECONDS = 60.0
# What the engine can do is found out in so many steps: the last one counts, the others fit the work.
CALIBRATION_SECONDS = (2.0, 2.0, 3.0)


@dataclass
class Inside:
    """What the engine said about the work inside of it."""

    samples: list[tuple[float, float]] = field(default_factory=list)

    async def watch(self, engine: Engine) -> None:
        """Samples until it is cancelled."""
        while True:
            try:
                self.samples.append((time.monotonic(), await engine.inside()))
            except OSError:
                pass
            await asyncio.sleep(SAMPLE_SECONDS)

    def after(self, moment: float) -> list[float]:
        """What was inside from that moment on."""
        return [inside for at, inside in self.samples if at >= moment]


@dataclass
class Policy:
    """A policy, and how many requests all its pools together may send to the engine at once."""

    text: str
    places: int = SLOTS


@dataclass
class Measured:
    """One gateway under all turns."""

    inside: list[float]
    goodput: dict[str, float]
    ends: dict[str, int]

    def faults(self, places: int) -> list[str]:
        """What does not hold, with the sum of the pools' limits."""
        most = max(self.inside)
        limit = places + BEYOND_LIMIT
        over = sum(inside > limit for inside in self.inside) / len(self.inside)
        patient, leaving, direct = (self.goodput[who] for who in ("patient", "leaving", "direct"))
        checks = [
            (most <= limit, f"{most:g} inside, more than {limit} in {over:.0%} of the samples"),
            (
                leaving >= LEAST_GOODPUT * patient,
                f"{leaving:.1f}/s served while clients leave, {patient:.1f}/s patient ones",
            ),
            (
                patient >= LEAST_USE * direct,
                f"{patient:.1f}/s patient ones served, {direct:.1f}/s without the gateway",
            ),
            (self.ends.get("502", 0) == 0, f"{self.ends.get('502', 0)} answers of 502"),
            (self.ends.get("broken", 0) == 0, f"{self.ends.get('broken', 0)} broken answers"),
        ]
        return [text for holds, text in checks if not holds]

    def told(self) -> str:
        """The numbers in a line."""
        patient, leaving, direct = (self.goodput[who] for who in ("patient", "leaving", "direct"))
        ratio = leaving / patient if patient else 0.0
        return (
            f"at most {max(self.inside):g} inside; served {patient:.1f}/s of the patient, "
            f"{leaving:.1f}/s of those that leave ({ratio:.2f}), {direct:.1f}/s without the gateway; "
            f"{self.ends}"
        )


def plain_policy(engine: Engine, limit: str) -> str:
    """The defaults, with a limit."""
    return f"""\
version: 1
listen: 127.0.0.1:0
admin: 127.0.0.1:0
log: {{access: {{to: off}}}}
pools:
  chat: {{backends: ["{engine.url}"], limit: {limit}}}
routes: [{{path: /*, pool: chat}}]
"""


async def take_turns(engine: Engine, url: str, rate: float) -> Measured:
    """All turns through one gateway."""
    through = (urlsplit(url).hostname or "", urlsplit(url).port or 0)
    inside = Inside()
    begin = time.monotonic()
    watching = asyncio.create_task(inside.watch(engine))
    served: dict[str, int] = defaultdict(int)
    seconds: dict[str, float] = defaultdict(float)
    ends = Counter[str]()
    for seed, (who, length) in enumerate(TURNS):
        if who == "direct":
            await wait_until_empty(engine)
            first = time.monotonic() + 1
            crowd = await keep_busy(("127.0.0.1", engine.port), engine.ask, SLOTS, length)
            last = first - 1 + length
        else:
            first = time.monotonic() + LEARNING_SECONDS
            last = first - LEARNING_SECONDS + length
            crowd = await offer(through, engine.ask, rate, length, who == "leaving", seed)
            ends.update(crowd.told())
        served[who] += crowd.count("served", first, last)
        seconds[who] += last - first
    watching.cancel()
    goodput = {who: served[who] / seconds[who] for who in served}
    return Measured(inside.after(begin + LEARNING_SECONDS), goodput, dict(ends))


async def wait_until_empty(engine: Engine) -> float:
    """Waits until the engine has done all it was given; returns for how many seconds."""
    begin = time.monotonic()
    while await engine.inside() > 0:
        assert time.monotonic() < begin + EMPTY_SECONDS, f"{engine.name} does not come to an end"
        await asyncio.sleep(SAMPLE_SECONDS)
    return time.monotonic() - begin


def measure(binary: Path, engine: Engine, policy: str, rate: float) -> Measured:
    """Starts a gateway, takes all turns, and leaves the engine empty."""
    with tempfile.TemporaryDirectory() as directory:
        gateway = Gateway(binary, policy, Path(directory))
        try:
            measured = asyncio.run(take_turns(engine, gateway.url, rate))
        finally:
            gateway.stop()
        empty = asyncio.run(wait_until_empty(engine))
        if empty > 1:
            print(f"  the engine was empty {empty:.1f} s after the last client", flush=True)
    return measured


def check(binary: Path, engine: Engine, name: str, policy: Policy) -> bool:
    """One policy, a second time if the first does not hold: whatever else the machine does can only make it worse."""
    faults: list[str] = []
    for _ in range(ATTEMPTS):
        measured = measure(binary, engine, policy.text, FACTOR * calibrate(engine))
        faults = measured.faults(policy.places)
        print(f"  {name}: {measured.told()}", flush=True)
        if not faults:
            print(f"passed: {engine.name}, {name}", flush=True)
            return True
        print(f"  does not hold: {'; '.join(faults)}", flush=True)
    print(f"FAILED: {engine.name}, {name}: {'; '.join(faults)}", flush=True)
    return False


def calibrate(engine: Engine) -> float:
    """Fits the work of a request to the machine; returns what the engine then serves in a second, without the gateway."""
    address = ("127.0.0.1", engine.port)
    for seconds in CALIBRATION_SECONDS:
        begin = time.monotonic()
        crowd = asyncio.run(keep_busy(address, engine.ask, SLOTS, seconds))
        rate = crowd.count("served") / (time.monotonic() - begin)
        assert set(crowd.told()) == {"served"}, f"without the gateway: {crowd.told()}"
        if seconds != CALIBRATION_SECONDS[-1]:
            engine.fit(crowd.middle_seconds())
    print(
        f"{engine.name}: {SLOTS} patient clients without the gateway are served {rate:.1f}/s, "
        f"in {1000 * crowd.middle_seconds():.0f} ms; {crowd.told()}",
        flush=True,
    )
    return rate


def policies(engine: Engine) -> dict[str, Policy]:
    """The policies by name."""
    return {
        "limit fixed": Policy(plain_policy(engine, f"{{algorithm: fixed, limit: {SLOTS}}}")),
        "limit learnt": Policy(plain_policy(engine, f"{{algorithm: knee, max: {SLOTS}}}")),
        f"policies/{engine.name}.yaml": Policy(engine.shipped_policy(POLICIES), engine.shipped_places),
    }


def check_engine(binary: Path, engine: Engine) -> tuple[int, int]:
    """All policies; returns how many passed and failed."""
    engine.wait_until_ready()
    results = [check(binary, engine, name, policy) for name, policy in policies(engine).items()]
    return sum(results), len(results) - sum(results)


def main(binary: str, name: str, environment: str) -> int:
    """Starts the engine and checks it; the exit status."""
    passed, failed = 0, 0
    with tempfile.TemporaryDirectory() as scratch:
        engine = None
        try:
            engine = ENGINES[name](Path(environment), Path(scratch))
            passed, failed = check_engine(Path(binary), engine)
        except AssertionError as error:
            print(f"FAILED: {name}: {error}", flush=True)
            failed += 1
        finally:
            if engine is not None:
                engine.stop()
    print(f"{passed} passed, {failed} failed, 0 skipped")
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
