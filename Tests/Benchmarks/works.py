"""The works: what is done with each subject, and the figures that come of it.

A work has cells, one for each subject. The cells of all works that are timed are measured in turn, round after round, so
that whatever else the machine does falls on all of them alike.
"""

from __future__ import annotations

import re
import signal
import statistics
import subprocess
import time
from dataclasses import dataclass, field
from typing import Callable, Iterator

import clients
from allocations import AllocationCounter, describe
from processes import BenchError, cpu_seconds, resident_bytes
from subjects import (
    CountedPenstock,
    CountedPenstockBefore,
    HAProxy,
    Nginx,
    Penstock,
    PenstockBefore,
    RefusingRelay,
    Relay,
    Setting,
    StreamRelay,
    Subject,
)

SHED = "/shed"
PROXIED = "/"
IDLE_CONNECTIONS = 2000
STREAMS = 500
# Rounds on 64 connections: enough that what is done once a second, or once a connection, drops out.
COUNTED_ROUNDS = 200


@dataclass
class Figure:
    """What was measured of one subject in one work: a value for each round."""

    work: str
    subject: str
    unit: str
    values: list[float] = field(default_factory=list)
    # The most that Penstock may need, as a multiple of nginx's figure or in the figure's own unit.
    goal_ratio: float | None = None
    goal_value: float | None = None
    details: list[str] = field(default_factory=list)

    @property
    def median(self) -> float:
        """The figure."""
        return statistics.median(self.values)

    def ratio(self, other: "Figure") -> float:
        """The median of the rounds' ratios: what slows a round down slows both down."""
        if len(self.values) != len(other.values):
            return self.median / other.median
        pairs = zip(self.values, other.values, strict=True)
        return statistics.median(own / theirs if theirs else float("nan") for own, theirs in pairs)


@dataclass(frozen=True)
class Options:
    """How long and how often."""

    rounds: int
    seconds: float


Say = Callable[[str], None]


def measure_cpu(subject: Subject, path: str, seconds: float, is_shed: bool) -> float:
    """The proxy's CPU time for a request, in microseconds."""
    before = cpu_seconds(subject.pid)
    load = clients.run_wrk(subject, path, seconds, subject.setting.load_core)
    spent = cpu_seconds(subject.pid) - before
    if load.refused != (load.requests if is_shed else 0):
        raise BenchError(f"{path} on {subject.name}: {load.refused} of {load.requests} refused")
    return spent / load.requests * 1e6


TIMED: dict[str, tuple[str, str, list[type[Subject]], float]] = {
    # work: title, path, subjects, goal as a multiple of nginx's figure
    "proxied": ("proxied request, CPU", PROXIED, [Penstock, Nginx, HAProxy, Relay], 1.3),
    "shed": ("shed request, CPU", SHED, [Penstock, Nginx, HAProxy, RefusingRelay], 1.5),
}


def timed(setting: Setting, names: list[str], options: Options, say: Say) -> list[Figure]:
    """The works whose figure is CPU time, all their cells in each round."""
    cells: list[tuple[Figure, Subject, str, bool]] = []
    running: dict[type[Subject], Subject] = {}
    try:
        for name in names:
            title, path, kinds, goal = TIMED[name]
            for kind in ([PenstockBefore] if setting.before else []) + kinds:
                if kind not in running:
                    running[kind] = kind(setting)
                figure = Figure(title, kind.name, "µs")
                if kind is Penstock:
                    figure.goal_ratio = goal
                cells.append((figure, running[kind], path, path == SHED))
        for _, subject, path, is_shed in cells:
            measure_cpu(subject, path, min(1.0, options.seconds), is_shed)
        for number in range(options.rounds):
            say(f"round {number + 1} of {options.rounds}")
            # Every other round goes backwards: no subject always follows the same one.
            for figure, subject, path, is_shed in cells if number % 2 == 0 else reversed(cells):
                figure.values.append(measure_cpu(subject, path, options.seconds, is_shed))
    finally:
        for subject in running.values():
            subject.stop()
    return [figure for figure, *_ in cells]


def memory(setting: Setting, say: Say) -> Iterator[Figure]:
    """Resident memory: of a fresh process, of an idle connection, and of a stream that is open."""
    idle: list[Figure] = []
    streams: list[Figure] = []
    for kind, stream_kind in ((Penstock, Penstock), (Nginx, Nginx), (HAProxy, HAProxy), (Relay, StreamRelay)):
        say(f"memory of {kind.name}")
        subject = kind(setting)
        try:
            base = resident_bytes(subject.pid)
            goal = 30.0 if kind is Penstock else None
            yield Figure("memory, base", kind.name, "MiB", [base / 2**20], goal_value=goal)
            idle.append(Figure("memory, idle connection", kind.name, "KiB", [idle_bytes(subject) / 1024]))
        finally:
            subject.stop()
        subject = stream_kind(setting)
        try:
            streams.append(Figure("memory, open stream", kind.name, "KiB", [stream_bytes(subject) / 1024]))
        finally:
            subject.stop()
    yield from idle
    yield from streams


def idle_bytes(subject: Subject) -> float:
    """Resident memory of a connection that has had a request answered and waits for the next."""
    with clients.Clients(subject, 8) as warm:
        for _ in range(10):
            warm.exchange(PROXIED, 200)
        before = resident_bytes(subject.pid)
        with clients.Clients(subject, IDLE_CONNECTIONS) as many:
            many.exchange(PROXIED, 200, together=False)
            return (resident_bytes(subject.pid) - before) / IDLE_CONNECTIONS


def stream_bytes(subject: Subject) -> float:
    """Resident memory of an event stream that is passed on, with its connections on both sides."""
    with clients.Clients(subject, 8) as warm:
        warm.open_streams("/stream")
        before = resident_bytes(subject.pid)
        with clients.Clients(subject, STREAMS) as many:
            many.open_streams("/stream")
            time.sleep(2 * clients.StreamOrigin.PERIOD_SECONDS)
            return (resident_bytes(subject.pid) - before) / STREAMS


def exchanges(path: str) -> tuple[str, int]:
    """The name of a path's requests, and the status that they get."""
    return ("shed", 503) if path == SHED else ("proxied", 200)


def allocations(setting: Setting, say: Say) -> Iterator[Figure]:
    """Heap allocations of Penstock for a request, when everything that is kept has been made."""
    library = setting.directory / "allocations.so"
    for path in (PROXIED, SHED):
        name, status = exchanges(path)
        say(f"allocations of a {name} request")
        counter = AllocationCounter(library, setting.directory / f"allocations-{name}")
        subject = Penstock(setting, counter.environment)
        try:
            with clients.Clients(subject, clients.CONNECTIONS) as many:
                for _ in range(COUNTED_ROUNDS):
                    many.exchange(path, status)
                before = counter.counts()
                for _ in range(COUNTED_ROUNDS):
                    many.exchange(path, status)
                after = counter.counts()
                counter.note_sites(True)
                for _ in range(COUNTED_ROUNDS):
                    many.exchange(path, status)
                counter.note_sites(False)
            requests = COUNTED_ROUNDS * clients.CONNECTIONS
            details = []
            sites = [site for site in counter.sites() if site.count >= requests / 200][:40]
            for site, stack in zip(sites, describe(sites, subject.pid), strict=True):
                each = site.count / requests
                details.append(f"{each:.2f} of {site.bytes / site.count:.0f} bytes: " + " < ".join(stack))
        finally:
            subject.stop()
        made = after.allocations - before.allocations + after.resizes - before.resizes
        yield Figure(f"{name} request, allocations", Penstock.name, "", [made / requests], details=details)


def instructions(setting: Setting, say: Say) -> Iterator[Figure]:
    """Instructions of Penstock's own code for a request: the figure to see a small change by."""
    for path in (PROXIED, SHED):
        name, status = exchanges(path)
        for kind in ([CountedPenstockBefore] if setting.before else []) + [CountedPenstock]:
            say(f"instructions of a {name} request, {kind.name}")
            subject = kind(setting)
            try:
                with clients.Clients(subject, clients.CONNECTIONS) as many:
                    for _ in range(10):
                        many.exchange(path, status)
                    subject.count(True)
                    for _ in range(COUNTED_ROUNDS // 4):
                        many.exchange(path, status)
                    subject.count(False)
                    counted = subject.counted(f"{name}.callgrind")
            finally:
                subject.stop()
            requests = COUNTED_ROUNDS // 4 * clients.CONNECTIONS
            yield Figure(f"{name} request, instructions", kind.name, "", [counted / requests])


def system_calls(setting: Setting, say: Say) -> Iterator[Figure]:
    """System calls for a request, by name in the details."""
    for path, kinds in (
        (PROXIED, [Penstock, Nginx, HAProxy, Relay]),
        (SHED, [Penstock, Nginx, HAProxy, RefusingRelay]),
    ):
        name, status = exchanges(path)
        for kind in kinds:
            say(f"system calls of {kind.name}, {name}")
            subject = kind(setting)
            try:
                calls = count_calls(subject, path, status)
            finally:
                subject.stop()
            # epoll_wait is shared by all that is ready; how many that are depends on the load.
            waits = sum(count for call, count in calls.items() if call.startswith("epoll_wait"))
            total = sum(calls.values()) - waits
            listed = sorted(calls.items(), key=lambda item: -item[1])
            details = [", ".join(f"{call} {count:.2f}" for call, count in listed if count >= 0.005)]
            yield Figure(f"{name} request, system calls besides epoll_wait", kind.name, "", [total],
                         details=details)


def count_calls(subject: Subject, path: str, status: int) -> dict[str, float]:
    """Calls for a request on connections that are open already."""
    summary = subject.file("strace")
    with clients.Clients(subject, clients.CONNECTIONS) as many:
        for _ in range(5):
            many.exchange(path, status)
        tracer = subprocess.Popen(
            ["strace", "-c", "-f", "-qq", "-o", str(summary), "-p", str(subject.pid)],
            stderr=subprocess.PIPE, text=True)
        wait_until_traced(subject.pid, tracer)
        for _ in range(COUNTED_ROUNDS // 4):
            many.exchange(path, status)
        tracer.send_signal(signal.SIGINT)
        tracer.wait(10)
    requests = COUNTED_ROUNDS // 4 * clients.CONNECTIONS
    calls = {}
    for line in summary.read_text().splitlines():
        # % time, seconds, usecs/call, calls, errors when there are any, syscall
        if match := re.match(r"\s*[\d.]+\s+[\d.]+\s+\d+\s+(\d+)\s+(?:\d+\s+)?([a-z]\w+)$", line):
            if match[2] != "total":
                calls[match[2]] = int(match[1]) / requests
    if not calls:
        raise BenchError(f"strace counted nothing: {summary.read_text()}")
    return calls


def wait_until_traced(pid: int, tracer: subprocess.Popen[str]) -> None:
    """Returns when strace holds the process."""
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        with open(f"/proc/{pid}/status", encoding="ascii") as status:
            if re.search(r"^TracerPid:\s+[1-9]", status.read(), re.MULTILINE):
                # The other threads follow.
                time.sleep(0.1)
                return
        if tracer.poll() is not None:
            break
        time.sleep(0.01)
    told = tracer.stderr.read() if tracer.stderr and tracer.poll() is not None else ""
    raise BenchError(f"strace cannot attach to process {pid}: {told}")
