"""The cost gates: figures that do not depend on the machine, held against thresholds.toml. `gates` checks what it needs."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Iterator

import counted
from allocations import AllocationCounter
from bench import compile_tools, raise_descriptor_limit
from figures import Figure
from origins import start_origin, start_streams
from processes import BenchError, Process, private_bytes
from subjects import HERE, Penstock, Setting

# Below this share of its threshold a figure has become so good that the threshold should follow.
WORTH_LOWERING = 0.85
SCENARIO = HERE.parent / "SimulatorTests" / "Comparison" / "s4-embeddings.yaml"
REQUESTS_A_SECOND = 16000
SIMULATED_SECONDS = (5, 20)
PROBE_COUNTS = (2000, 6000)


def instructions_of(command: list[str], binary: Path) -> int:
    """All instructions of a run, which are the same each time."""
    result = subprocess.run(
        ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", str(binary), *command],
        capture_output=True, text=True, check=False)
    found = re.search(r"Collected : (\d+)", result.stderr)
    # `simulate` exits with 1 when an expectation of its scenario fails, which is not the question here.
    if result.returncode not in (0, 1) or not found:
        raise BenchError(f"{binary.name} {' '.join(command)}: {result.stdout}{result.stderr}")
    return int(found[1])


def probe(binary: Path, step: str) -> float:
    """Instructions of one step of cost-probe."""
    few, many = (instructions_of([step, str(count)], binary) for count in PROBE_COUNTS)
    return (many - few) / (PROBE_COUNTS[1] - PROBE_COUNTS[0])


def probe_allocations(binary: Path, step: str, directory: Path) -> float:
    """Heap allocations of one step of cost-probe."""
    made = []
    for count in PROBE_COUNTS:
        counter = AllocationCounter(directory / "allocations.so", directory / f"allocations-{step}-{count}")
        subprocess.run([str(binary), step, str(count)], env=os.environ | counter.environment, check=True)
        made.append(counter.counts().allocations + counter.counts().resizes)
    return (made[1] - made[0]) / (PROBE_COUNTS[1] - PROBE_COUNTS[0])


def simulated(binary: Path, directory: Path) -> float:
    """Millions of instructions for a million simulated requests, from the difference of two runs."""
    scenario = SCENARIO.read_text()
    totals = []
    for seconds in SIMULATED_SECONDS:
        shortened = re.sub(r"(?m)^duration: .*$", f"duration: {seconds}s", scenario)
        shortened = re.sub(r"(?m)^warm_up: .*$", "warm_up: 1s", shortened)
        shortened = re.sub(r"(?m)^(clients:.* rate: )\d+", rf"\g<1>{REQUESTS_A_SECOND}", shortened)
        file = directory / f"scenario-{seconds}.yaml"
        file.write_text(shortened)
        totals.append(instructions_of(["simulate", str(file)], binary))
    requests = (SIMULATED_SECONDS[1] - SIMULATED_SECONDS[0]) * REQUESTS_A_SECOND
    return (totals[1] - totals[0]) / requests


def stripped(binary: Path, directory: Path) -> Path:
    """A copy without what this callgrind cannot read of DWARF 5."""
    copy = directory / binary.name
    subprocess.run(["objcopy", "--strip-debug", str(binary), str(copy)], check=True)
    return copy


def module_figures(penstock: Path, cost_probe: Path, directory: Path) -> dict[str, float]:
    """What single modules do, without a gateway around them."""
    binary = stripped(cost_probe, directory)
    fixed, knee = probe(binary, "complete-fixed"), probe(binary, "complete-knee")
    return {
        "parsed head, instructions": probe(binary, "parse-head"),
        "event read with its usage, instructions": probe(binary, "read-event"),
        "admission with a fixed limit, instructions": fixed,
        "admission with knee and its update, instructions": knee,
        "admission with 100,000 parked, instructions": probe(binary, "start-parked"),
        "admission with 100,000 parked, allocations": probe_allocations(cost_probe, "start-parked", directory),
        "10⁶ simulated requests, millions of instructions": simulated(stripped(penstock, directory), directory),
    }


def gateway_figures(penstock: Path, directory: Path) -> Iterator[Figure]:
    """What the gateway does for a request, an event and a page."""
    core = max(os.sched_getaffinity(0))
    origins: list[Process] = []
    try:
        origin, port, tls = start_origin(directory, core)
        origins.append(origin)
        streams, stream_port = start_streams(directory, core)
        origins.append(streams)
        setting = Setting(
            directory, penstock, None, None, min(os.sched_getaffinity(0)), core, port, tls, stream_port)
        yield from fresh_memory(setting)
        yield from counted.instructions(setting, quiet)
        yield from counted.allocations(setting, quiet)
        yield from counted.system_calls(setting, [Penstock], quiet)
    finally:
        for process in origins:
            process.stop()


def fresh_memory(setting: Setting) -> Iterator[Figure]:
    """Memory of its own of a process that has started and serves nobody yet but a request that is held.

    Pages of files are no part of it: how many the kernel maps around each that is read depends on what it has cached, and
    the same binary had from 6 to 24 MiB in all within a minute.
    """
    subject = Penstock(setting)
    try:
        yield Figure("fresh process, private MiB", subject.name, "", [private_bytes(subject.pid) / 2**20])
    finally:
        subject.stop()


def quiet(_: str) -> None:
    """Says nothing of what is being measured."""


def judge(name: str, value: float | None, threshold: dict[str, Any] | None) -> tuple[bool, str]:
    """Whether a gate holds, and a line about it."""
    if value is None:
        return False, f"{name}: has a threshold and was not measured"
    if threshold is None:
        return False, f"{name}: {value:.2f}, and no threshold in thresholds.toml"
    most = threshold["most"]
    reasons = threshold.get("reasons", [])
    if not reasons or not reasons[-1].startswith(f"{most}:"):
        return False, f"{name}: the last of its reasons in thresholds.toml does not begin with `{most}:`"
    told = f"{name}: {value:.2f} of at most {most}"
    if value > most:
        return False, f"{told}, {100 * (value / most - 1) if most else 100:.0f} % too much"
    if most and 0.5 < value < WORTH_LOWERING * most:
        return True, f"{told}; the threshold could be lowered"
    return True, told


def main() -> int:
    """Measures everything and compares; the last line is for deploy/test.sh."""
    penstock, cost_probe = Path(os.environ["PENSTOCK"]), Path(os.environ["COST_PROBE"])
    thresholds: dict[str, Any] = tomllib.loads((HERE / "thresholds.toml").read_text())
    directory = Path(tempfile.mkdtemp(prefix="penstock-gates-"))
    directory.chmod(0o755)
    try:
        raise_descriptor_limit()
        compile_tools(directory)
        with ThreadPoolExecutor(1) as beside:
            modules = beside.submit(module_figures, penstock, cost_probe, directory)
            measured = {figure.work: figure.median for figure in gateway_figures(penstock, directory)}
            measured |= modules.result()
    except (BenchError, subprocess.CalledProcessError) as error:
        print(f"error: {error}\n0 passed, 1 failed, 0 skipped")
        return 1
    finally:
        shutil.rmtree(directory)
    failed = 0
    for name in dict.fromkeys([*thresholds, *measured]):
        holds, line = judge(name, measured.get(name), thresholds.get(name))
        failed += not holds
        print(f"{'ok    ' if holds else 'FAILED'} {line}")
    total = len(dict.fromkeys([*thresholds, *measured]))
    print(f"{total - failed} passed, {failed} failed, 0 skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
