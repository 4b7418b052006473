"""Builds what is built here, starts the origins, runs the works and prints the report. `run` checks what it needs."""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import report
import works
from clients import StreamOrigin
from processes import BenchError, warn
from subjects import HERE, Setting, start_origin, versions

WORKS = ["proxied", "shed", "memory", "allocations", "instructions", "system-calls"]
DESCRIPTORS = 8192


def parse(arguments: list[str]) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="Tests/Benchmarks/run",
        description="Measures Penstock beside nginx, HAProxy and a bare relay in C, on loopback.",
        epilog="PENSTOCK names the binary to measure (.build/release/penstock).",
    )
    parser.add_argument("--rounds", type=int, default=5, help="interleaved rounds of the timed works (5)")
    parser.add_argument("--seconds", type=float, default=3, help="seconds of load a round and subject (3)")
    parser.add_argument(
        "--only", default=",".join(WORKS), metavar="WORK,...", help=f"of {', '.join(WORKS)}")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the figures here")
    parser.add_argument(
        "--before", type=Path, metavar="FILE",
        help="another build of Penstock, timed in the same rounds: what a change has bought")
    cores = sorted(os.sched_getaffinity(0))
    parser.add_argument("--proxy-core", type=int, default=cores[0], help="the proxy's core (the first)")
    parser.add_argument("--load-core", type=int, default=cores[-1], help="load and origin's core (the last)")
    options = parser.parse_args(arguments)
    options.only = [name for name in options.only.split(",") if name]
    for name in options.only:
        if name not in WORKS:
            parser.error(f"no work is called {name!r}; there are {', '.join(WORKS)}")
    if options.rounds < 1 or options.seconds < 1:
        parser.error("it takes at least one round and one second")
    if options.proxy_core == options.load_core:
        warn("warning: proxy and load share a core; the figures say little")
    return options


def compile_tools(directory: Path) -> None:
    """Builds the relay and the allocation counter."""
    flags = ["gcc", "-O2", "-Wall", "-Wextra", "-Werror"]
    for source, output, more in (
        ("relay.c", "relay", []),
        ("allocations.c", "allocations.so", ["-shared", "-fPIC"]),
    ):
        subprocess.run(
            [*flags, *more, "-o", str(directory / output), str(HERE / source)], check=True)


def raise_descriptor_limit() -> None:
    """Thousands of connections are held at once, by this process and by the proxies."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < DESCRIPTORS:
        raise BenchError(f"open files are limited to {hard}; {DESCRIPTORS} are needed (ulimit -Hn)")
    if soft == resource.RLIM_INFINITY or soft < DESCRIPTORS:
        resource.setrlimit(resource.RLIMIT_NOFILE, (DESCRIPTORS, hard))


def run_works(options: argparse.Namespace, setting: Setting) -> list[works.Figure]:
    """The figures of all works that are wanted."""
    figures: list[works.Figure] = []
    names = [name for name in options.only if name in works.TIMED]
    if names:
        figures += works.timed(setting, names, works.Options(options.rounds, options.seconds), warn)
    if "memory" in options.only:
        figures += works.memory(setting, warn)
    if "allocations" in options.only:
        figures += works.allocations(setting, warn)
    if "instructions" in options.only:
        figures += works.instructions(setting, warn)
    if "system-calls" in options.only:
        figures += works.system_calls(setting, warn)
    return figures


def main() -> int:
    """Runs what the command line asks for."""
    # Ends as an interrupt does, so that no process stays behind.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    options = parse(sys.argv[1:])
    penstock = Path(os.environ["PENSTOCK"])
    directory = Path(tempfile.mkdtemp(prefix="penstock-bench-"))
    machine = report.machine()
    os.sched_setaffinity(0, {options.load_core})
    origin = streams = None
    try:
        raise_descriptor_limit()
        compile_tools(directory)
        origin, port = start_origin(directory, options.load_core)
        streams = StreamOrigin()
        setting = Setting(
            directory, penstock, options.proxy_core, options.load_core, port, streams.port,
            options.before.resolve() if options.before else None)
        figures = run_works(options, setting)
    except (BenchError, subprocess.CalledProcessError) as error:
        warn(f"error: {error}")
        return 1
    finally:
        if streams:
            streams.stop()
        if origin:
            origin.stop()
        shutil.rmtree(directory)
    how = (
        f"CPU: user + system of the proxy's process for a request, median of {options.rounds} interleaved rounds "
        f"of {options.seconds:g} s on 64 connections; proxy on core {options.proxy_core}, wrk and origin on core "
        f"{options.load_core}.")
    found = versions(penstock)
    print(report.as_markdown(figures, machine, found, how))
    if options.json:
        report.write_json(options.json, figures, machine, found)
    return 0


if __name__ == "__main__":
    sys.exit(main())
