"""The soak: twice the load that the backends can take, with faults at random, for as long as is said.

    .build/end-to-end/bin/python Tests/EndToEnd/soak.py [--minutes 30] [--seed N]

Two backends are killed, stopped and started again; requests ask their backend for a fault (`fault_server.py`); clients leave;
the policy is read again and the logs are opened again. What must hold:

- every request is answered once or its connection is closed, with its own answer and nothing behind it;
- a request that must not be sent twice arrives once, any other at most twice;
- every 5xx is a refusal of the gateway's or follows from a fault that was injected;
- resident memory, descriptors, timers and the numbers of connections and exchanges are as high at the end as at the
  beginning, and nothing is left when the clients have gone.

Prints what was counted and ends with "N passed, N failed, N skipped".
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import signal
import statistics
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from processes import HERE, ROOT, Gateway, Process, listening_address
from soak_client import Load, Result

PLACES = 4
MILLISECONDS = 40
SHED = {"queue_full", "queue_bytes_full", "wait_too_long", "queue_timeout"}
# What the gateway says of a backend that does what was asked of it.
EXPECTED = {
    "close": {"upstream_closed"},
    "mid-head": {"upstream_closed"},
    "reset": {"upstream_closed"},
    "nonsense": {"upstream_invalid"},
    "stall": {"first_byte_timeout"},
    "early": {"upstream_closed"},
}
CUT = {"mid-body", "mid-chunk", "stall-body", "early"}
# A killed or stopped backend is felt until its time-outs have passed and it is no longer ejected.
AFTERMATH_SECONDS = 12.0
KEEP_ALIVE_SECONDS = 5.0
GAUGES = (
    "process_resident_memory_bytes",
    "process_open_fds",
    "penstock_client_connections",
    "penstock_exchanges",
    "penstock_inflight",
    "penstock_dials",
    "penstock_timers",
    "penstock_upstream_connections",
)
SAMPLE_SECONDS = 5.0

POLICY = """\
version: 1
listen: 127.0.0.1:0
admin: 127.0.0.1:0
log: {{access: {{to: {directory}/access.log}}}}
server: {{timeouts: {{head: 5s, body_idle: 5s, keep_alive: 5s, write_stall: 5s}}}}
pools:
  work:
    backends: [{backends}]
    limit: {{algorithm: fixed, limit: {places}}}
    cancel: stops
    queue: {{max_requests: 64, max_wait: 500ms}}
    ejection: {{base: 200ms, max: 2s}}
    timeouts: {{connect: 2s, first_byte: 5s, idle: 5s}}
routes: [{{path: /*, pool: work}}]
"""


class Backend:
    """A backend that can be ended and started again at the same address."""

    def __init__(self, record: Path) -> None:
        self.record = record
        self.port = "0"
        self.start()

    def start(self) -> None:
        """Starts the process, at the port that it had before."""
        self.process = Process(
            [
                sys.executable, str(HERE / "fault_server.py"), "--port", self.port, "--places", str(PLACES),
                "--milliseconds", str(MILLISECONDS), "--record", str(self.record),
            ]
        )
        self.url: str = self.process.wait_for_line(listening_address, "address of the backend")
        self.port = self.url.rpartition(":")[2]


class Soak:
    """The processes, the faults and the bookkeeping."""

    def __init__(self, binary: Path, directory: Path, minutes: float, seed: int) -> None:
        self.directory = directory
        self.seconds = minutes * 60
        self.chance = random.Random(seed)
        self.backends = [Backend(directory / f"received-{index}") for index in range(2)]
        self.policy = POLICY.format(
            directory=directory, backends=", ".join(backend.url for backend in self.backends), places=PLACES
        )
        self.gateway = Gateway(binary, self.policy, directory)
        # A request holds its place for about this long: longer than the backend's 40 ms, because some are streams and
        # some are never answered.
        rate = 2 * len(self.backends) * PLACES / 0.08
        self.load = Load(self.gateway.url, rate, seed, self.judge)
        self.disturbed: list[tuple[float, float]] = []
        self.disturbances: Counter[str] = Counter()
        self.samples: list[dict[str, float]] = []
        self.unexplained: list[Result] = []
        self.began = time.monotonic()

    def judge(self, result: Result) -> str:
        """What a result is called; those that nothing explains are kept."""
        shaken = any(start <= result.ended and result.began <= end for start, end in self.disturbed)
        name = result.end
        explained = True
        if result.end == "answered" and result.status >= 500:
            name = f"{result.status} {result.reason or 'of the backend'}"
            if result.reason in SHED:
                explained = result.status == 503
            elif result.is_origins:
                explained = result.fault == "overload"
            else:
                # A POST whose reused connection closes under it may not be sent again.
                explained = (
                    shaken
                    or result.reason in EXPECTED.get(result.fault, set())
                    or (result.reason == "upstream_closed" and result.method == "POST")
                )
        elif result.end == "answered":
            name = str(result.status)
            explained = result.status == 200
        elif result.end == "cut":
            explained = shaken or result.fault in CUT
        elif result.end == "closed":
            # Without a byte of an answer: only a connection that the gateway just closes because it was idle for so long.
            explained = result.rested > KEEP_ALIVE_SECONDS - 1
        elif result.end == "refused":
            explained = False
        if not explained:
            self.unexplained.append(result)
            name += " UNEXPLAINED"
        return name

    async def disturb(self) -> None:
        """Kills, stops, reloads, at random."""
        last = self.began + self.seconds - 15
        await asyncio.sleep(5)
        while time.monotonic() < last:
            kind = self.chance.choice(["kill", "stop", "reload", "reopen"])
            self.disturbances[kind] += 1
            backend = self.chance.choice(self.backends)
            began = time.monotonic()
            if kind in ("kill", "stop"):
                self.disturbed.append((began - 1, float("inf")))
            if kind == "kill":
                backend.process.kill()
                await asyncio.sleep(self.chance.uniform(0, 3))
                await asyncio.get_running_loop().run_in_executor(None, backend.start)
            elif kind == "stop":
                backend.process.signal(signal.SIGSTOP)
                await asyncio.sleep(self.chance.uniform(0, 4))
                backend.process.signal(signal.SIGCONT)
            elif kind == "reload":
                self.gateway.signal(signal.SIGHUP)
            else:
                (self.directory / "access.log").rename(self.directory / "access.log.1")
                self.gateway.signal(signal.SIGUSR1)
            if kind in ("kill", "stop"):
                self.disturbed[-1] = (began - 1, time.monotonic() + AFTERMATH_SECONDS)
                # Results that end later are judged by the windows near them only.
                del self.disturbed[:-8]
            await asyncio.sleep(self.chance.uniform(5, 15))

    async def sample(self) -> None:
        """Notes the gauges."""
        loop = asyncio.get_running_loop()
        while time.monotonic() < self.began + self.seconds:
            await asyncio.sleep(SAMPLE_SECONDS)
            self.samples.append(await loop.run_in_executor(None, self.gauges))

    def gauges(self) -> dict[str, float]:
        """The gauges of one moment."""
        metrics = self.gateway.metrics()
        return {name: sum(sample.value for sample in metrics if sample.name == name) for name in GAUGES}

    async def run(self) -> None:
        """Runs everything for the time that is said."""
        self.idle = self.gauges()
        self.began = time.monotonic()
        others = [asyncio.create_task(self.disturb()), asyncio.create_task(self.sample())]
        await self.load.run(self.seconds)
        for task in others:
            task.cancel()
        self.settled = await asyncio.get_running_loop().run_in_executor(None, self.settle)

    def settle(self) -> dict[str, float]:
        """The gauges when all is over: at most 10 s are given."""
        deadline = time.monotonic() + 10
        while True:
            gauges = self.gauges()
            connections = gauges["penstock_client_connections"] + gauges["penstock_upstream_connections"]
            if gauges["penstock_timers"] <= 16 and connections == 0:
                return gauges
            if time.monotonic() > deadline:
                return gauges
            time.sleep(0.2)

    def received(self) -> Counter[tuple[str, str]]:
        """How often each request arrived at a backend."""
        arrivals: Counter[tuple[str, str]] = Counter()
        for backend in self.backends:
            for line in backend.record.read_text().splitlines():
                method, _, identity = line.partition(" ")
                arrivals[method, identity] += 1
        return arrivals

    def stop(self) -> None:
        """Ends all processes."""
        self.gateway.stop()
        for backend in self.backends:
            backend.process.signal(signal.SIGCONT)
            backend.process.stop()


def flat(soak: Soak, name: str, slack: float) -> tuple[bool, str]:
    """Whether a gauge is about as high in the last quarter as in the second one."""
    values = [sample[name] for sample in soak.samples]
    quarter = max(1, len(values) // 4)
    before, after = statistics.median(values[quarter : 2 * quarter]), statistics.median(values[-quarter:])
    text = f"{before:,.0f} in the second quarter, {after:,.0f} in the last, at most {max(values):,.0f}"
    return after <= before * 1.1 + slack, text


def checks(soak: Soak) -> list[tuple[bool, str, str]]:
    """What must hold: whether it does, its name, and the figures."""
    load = soak.load
    arrivals = soak.received()
    twice = [key for key, count in arrivals.items() if count > (2 if key[0] == "GET" else 1)]
    slack = {"process_resident_memory_bytes": 2 << 20}
    found = [(*flat(soak, name, slack.get(name, 40)), name) for name in GAUGES]
    ended = sum(load.counts.values())
    left = {name: soak.settled[name] for name in GAUGES[2:]}
    expected: dict[str, float] = {}
    metrics = soak.gateway.metrics()
    retries = sum(sample.value for sample in metrics if sample.name == "penstock_retries_total")
    again = sum(1 for count in arrivals.values() if count > 1)
    races = load.counts["502 upstream_closed"]
    share = load.counts["200"] / max(1, load.offered)
    return [
        (ended == load.offered, "every request has one end", f"{load.offered:,} offered, {ended:,} ended"),
        (not load.violations, "nothing that cannot be", "; ".join(load.violations[:3]) or "none"),
        (
            not soak.unexplained,
            "no unexplained answer or cut",
            "; ".join(str(result) for result in soak.unexplained[:3]) or "none",
        ),
        (not twice, "nothing is sent too often", f"{again} requests were sent twice, {len(twice)} wrongly"),
        (
            races <= sum(load.injected[name] for name in ("close", "mid-head", "reset", "early", "close-after"))
            + 40 * soak.disturbances["kill"],
            "closed connections are no more than were caused",
            f"{races} answers 502 upstream_closed, {retries:.0f} tries were made again",
        ),
        # Half of the load is all that can be served; stalls, kills and whatever else the machine does take some of that.
        (share > 0.15, "the backends were kept at work", f"{share:.0%} of the requests were served"),
        *((ok, f"{name} is flat", text) for ok, text, name in found),
        (
            all(value <= max(expected.get(name, 0), soak.idle[name], 16 if "timers" in name else 0)
                for name, value in left.items()),
            "nothing is left",
            json.dumps(left),
        ),
        (
            soak.settled["process_open_fds"] <= soak.idle["process_open_fds"],
            "no descriptor is left",
            f"{soak.idle['process_open_fds']:.0f} before, {soak.settled['process_open_fds']:.0f} after",
        ),
    ]


def main() -> int:
    """Runs the soak and says what came of it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 32))
    options = parser.parse_args()
    binary = Path(os.environ.get("PENSTOCK") or ROOT / ".build/release/penstock")
    print(f"seed {options.seed}, {options.minutes:g} minutes", flush=True)
    with tempfile.TemporaryDirectory() as directory:
        soak = Soak(binary, Path(directory), options.minutes, options.seed)
        try:
            asyncio.run(soak.run())
            results = checks(soak)
        finally:
            soak.stop()
    print("ends:", json.dumps(dict(sorted(soak.load.counts.items()))))
    print("faults asked for:", json.dumps(dict(sorted(soak.load.injected.items()))))
    print("disturbances:", json.dumps(dict(sorted(soak.disturbances.items()))))
    for ok, name, text in results:
        print(f"{'ok    ' if ok else 'FAILED'} {name}: {text}")
    failed = sum(1 for ok, _, _ in results if not ok)
    print(f"{len(results) - failed} passed, {failed} failed, 0 skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
