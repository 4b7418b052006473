"""Compares `knee` with fixed limits before an engine on a GPU: gpu.py PENSTOCK DIRECTORY [SHAPE] [LEVEL ...]

The engine is transformers' own server (`transformers serve --continuous-batching`) with a random Llama. A load of more than
it can do comes to the gateway with each fixed limit in turn, then with the default policy, which is looked at for two and a half
minutes, and once more with the best fixed limit, which shows whether the machine has changed meanwhile. Every second request is
streamed. The result is written as DIRECTORY/gpu.json and gpu.md, after each step, so that what was measured is there if time runs
out. A whole run takes less than eight minutes.
"""

from __future__ import annotations

import asyncio
import json
import random
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from check import plain_policy
from clients import Crowd, keep_busy, offer
from engines import Engine, post

from processes import Gateway

LEVELS = (1, 8, 32, 64, 96, 128, 192, 256, 384)
# Fixed limits: what is not looked at, and what is.
SETTLING_SECONDS = 5.0
LOOKING_SECONDS = 9.0
# The limit that is learnt: the last seconds count.
LEARNING_SECONDS = 120.0
LEARNT_SECONDS = 30.0
# So much of what the engine can do is offered. More would keep the clients' processor busy and nothing else.
FACTOR = 1.5
WARM_CLIENTS = (8, 64, 256)
WARM_SECONDS = 4.0
TOKENS = 24
# What counts as serving as much as the best, and what the learnt limit is to reach (docs/limiters.md).
AS_GOOD = 0.97
WANTED = 0.95
WANTED_LIMIT = 1.5


class Transformers(Engine):
    """transformers' own server."""

    name = "transformers"
    shape = "1.2"

    def command(self) -> list[str]:
        """Writes the model and starts the server on it."""
        model = self.scratch / "random"
        subprocess.run(
            [self.python, str(Path(__file__).with_name("transformers_model.py")), str(model), self.shape], check=True
        )
        self.model = str(model)
        words = [self.python, "-m", "transformers.cli.transformers", "serve", self.model, "--continuous-batching"]
        # As it comes it takes all memory for its cache, and then 130 ms a step instead of 13.
        large = ["--cb-num-blocks", "512", "--cb-use-cuda-graph"]
        small = ["--cb-num-blocks", "64", "--cb-max-batch-tokens", "128", "--cb-block-size", "32"]
        words += small if self.shape == "tiny" else large
        return [*words, "--host", "127.0.0.1", "--port", str(self.port), "--log-level", "error"]

    def ask(self, streamed: bool) -> bytes:
        """A completion of TOKENS, more or less."""
        tokens = self.chance.randint(TOKENS // 2, TOKENS + TOKENS // 2)
        prompt = " ".join(f"word{self.chance.randrange(2000)}" for _ in range(32))
        wanted = {"prompt": prompt, "max_tokens": tokens, "temperature": 0, "stream": streamed}
        return post("/v1/completions", {"model": self.model, **wanted})


@dataclass
class Row:
    """What one limit brought: answers a second, the middle time of an answer in seconds, and the limits that were seen."""

    limit: str
    served: float
    seconds: float
    refused: float
    seen: list[float] = field(default_factory=list)
    ends: dict[str, int] = field(default_factory=dict)


@dataclass
class Outcome:
    """The whole result."""

    card: str
    parameters: str
    offered: float = 0.0
    rows: list[Row] = field(default_factory=list)

    def told(self) -> str:
        """The result as Markdown."""
        lines = [
            f"{self.card}; Llama of {self.parameters} billion random parameters, bfloat16; offered {self.offered:.0f}/s",
            "",
            "| limit | served a second | of the best | middle time of an answer | limits seen |",
            "|---|---|---|---|---|",
        ]
        best = max((row.served for row in self.fixed()), default=0.0)
        for row in self.rows:
            share = row.served / best if best else 0.0
            seen = f"{min(row.seen):g} to {max(row.seen):g}" if row.seen else ""
            lines.append(f"| {row.limit} | {row.served:.1f} | {share:.2f} | {row.seconds:.2f} s | {seen} |")
        return "\n".join(lines) + "\n"

    def fixed(self) -> list[Row]:
        """The rows of fixed limits."""
        return [row for row in self.rows if row.limit.isdigit()]

    def faults(self) -> list[str]:
        """What does not hold."""
        best = max(row.served for row in self.fixed())
        least = min(int(row.limit) for row in self.fixed() if row.served >= AS_GOOD * best)
        learnt = next(row for row in self.rows if row.limit == "learnt")
        mean = sum(learnt.seen) / len(learnt.seen)
        checks = [
            (learnt.served >= WANTED * best, f"{learnt.served:.1f}/s served of {best:.1f}/s"),
            (mean <= WANTED_LIMIT * least, f"a limit of {mean:.0f} where {least} does"),
        ]
        return [text for holds, text in checks if not holds]

    def write(self, directory: Path) -> None:
        """Writes both files."""
        (directory / "gpu.json").write_text(json.dumps(asdict(self), indent=1))
        (directory / "gpu.md").write_text(self.told())


def measure(binary: Path, engine: Engine, limit: str, rate: float) -> Row:
    """One gateway under the load."""
    settling, looking = SETTLING_SECONDS, LOOKING_SECONDS
    if not limit.isdigit():
        settling, looking = LEARNING_SECONDS, LEARNT_SECONDS
    algorithm = f"{{algorithm: fixed, limit: {limit}}}" if limit.isdigit() else "{algorithm: knee}"
    with tempfile.TemporaryDirectory() as directory:
        gateway = Gateway(binary, plain_policy(engine, algorithm), Path(directory))
        try:
            begin = time.monotonic() + settling
            crowd, seen = asyncio.run(load(gateway, engine, rate, settling + looking))
        finally:
            gateway.stop()
    within = [result for result in crowd.results if begin <= result.ended < begin + looking]
    served = sorted(result.ended - result.due for result in within if result.what == "served")
    refused = sum(result.what == "503" for result in within)
    middle = served[len(served) // 2] if served else float("nan")
    row = Row(limit, len(served) / looking, middle, refused / looking, [], crowd.told())
    if not limit.isdigit():
        row.seen = [value for at, value in seen if at >= begin]
        print("  limits, every 2 s:", " ".join(f"{value:g}" for _, value in seen[::2]), flush=True)
    print(f"limit {limit}: {row.served:.1f}/s in {row.seconds:.2f} s, {row.refused:.0f}/s refused; {row.ends}", flush=True)
    return row


async def load(gateway: Gateway, engine: Engine, rate: float, seconds: float) -> tuple[Crowd, list[tuple[float, float]]]:
    """The load, and the limit at each second of it."""
    address = (urlsplit(gateway.url).hostname or "", urlsplit(gateway.url).port or 0)
    seen: list[tuple[float, float]] = []

    async def watch() -> None:
        while True:
            limit = await asyncio.to_thread(gateway.metric, "penstock_limit")
            seen.append((time.monotonic(), limit))
            await asyncio.sleep(1)

    watching = asyncio.create_task(watch())
    crowd = await offer(address, engine.ask, rate, seconds, False, random.randrange(1000))
    watching.cancel()
    return crowd, seen


def warm(engine: Engine) -> float:
    """Lets the engine prepare what it prepares for each size of a batch; returns what it can do, in answers a second."""
    address = ("127.0.0.1", engine.port)
    most = 0.0
    for clients in WARM_CLIENTS:
        begin = time.monotonic()
        crowd = asyncio.run(keep_busy(address, engine.ask, clients, WARM_SECONDS))
        rate = crowd.count("served") / (time.monotonic() - begin)
        print(f"{clients} clients without the gateway: {rate:.1f}/s in {crowd.middle_seconds():.2f} s; {crowd.told()}", flush=True)
        most = max(most, rate)
    assert most > 0, f"nobody is served without the gateway: {engine.process.told()}"
    return most


def card() -> str:
    """The card's name, as the driver tells it."""
    try:
        asked = ["nvidia-smi", "--query-gpu=name,driver_version", "--format=csv,noheader"]
        return subprocess.run(asked, check=True, capture_output=True, text=True).stdout.strip()
    except OSError:
        return "no GPU"


def main(binary: str, directory: str, shape: str = "1.2", *levels: str) -> int:
    """Measures and writes; the exit status."""
    Transformers.shape = shape
    outcome = Outcome(card(), shape)
    with tempfile.TemporaryDirectory() as scratch:
        begin = time.monotonic()
        engine = Transformers(Path(sys.prefix), Path(scratch))
        try:
            engine.wait_until_ready()
            print(f"{outcome.card}; ready after {time.monotonic() - begin:.0f} s", flush=True)
            outcome.offered = FACTOR * warm(engine)
            for limit in [*(levels or map(str, LEVELS)), "learnt"]:
                outcome.rows.append(measure(Path(binary), engine, limit, outcome.offered))
                outcome.write(Path(directory))
            best = max(outcome.fixed(), key=lambda row: row.served)
            again = measure(Path(binary), engine, best.limit, outcome.offered)
            outcome.rows.append(Row(f"{best.limit}, again", again.served, again.seconds, again.refused, [], again.ends))
            outcome.write(Path(directory))
        finally:
            engine.stop()
    print(outcome.told())
    faults = outcome.faults()
    print(f"does not hold: {'; '.join(faults)}" if faults else "holds", f"after {time.monotonic() - begin:.0f} s")
    return int(bool(faults))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
