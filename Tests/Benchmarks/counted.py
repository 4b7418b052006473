"""The works whose figures are counted, not timed: allocations, instructions, system calls. They hardly vary."""

from __future__ import annotations

import re
import signal
import statistics
import subprocess
import time
from typing import Iterator

import clients
from allocations import AllocationCounter, describe
from figures import Figure, Say
from processes import BenchError
from subjects import CountedPenstock, CountedPenstockBefore, Penstock, Relay, Setting, Subject

SHED = "/shed"
PROXIED = "/"
TLS = "/tls"
# Rounds on 64 connections: enough that what is done once a second, or once a connection, drops out.
COUNTED_ROUNDS = 200
# Of so many counts the middle one is the figure: what a clock has done now and then falls into one of them at most.
COUNTS = 3
EVENTS = 2000
PAGES = 20


# The paths whose requests are counted: what they are called, and the status that they get.
PATHS = {
    PROXIED: ("proxied", 200), SHED: ("shed", 503), clients.CHAT: ("chat", 200), TLS: ("backend TLS", 200)}


def allocations(setting: Setting, say: Say) -> Iterator[Figure]:
    """Heap allocations of Penstock for a request, when everything that is kept has been made."""
    library = setting.directory / "allocations.so"
    for path, (name, status) in PATHS.items():
        say(f"allocations of a {name} request")
        counter = AllocationCounter(library, setting.directory / f"allocations-{name}")
        subject = Penstock(setting, name, counter.environment)
        try:
            with clients.Clients(subject, clients.CONNECTIONS) as many:
                for _ in range(COUNTED_ROUNDS):
                    many.exchange(path, status)
                made = []
                for _ in range(COUNTS):
                    before = counter.counts()
                    for _ in range(COUNTED_ROUNDS):
                        many.exchange(path, status)
                    after = counter.counts()
                    made.append(after.allocations - before.allocations + after.resizes - before.resizes)
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
        each = statistics.median(made) / requests
        yield Figure(f"{name} request, allocations", Penstock.name, "", [each], details=details)


def instructions(setting: Setting, say: Say) -> Iterator[Figure]:
    """Instructions of Penstock's own code for a piece of work: the figure to see a small change by."""
    for kind in ([CountedPenstockBefore] if setting.before else []) + [CountedPenstock]:
        say(f"instructions of {kind.name}")
        subject = kind(setting)
        try:
            for path in (PROXIED, SHED):
                yield instructions_of_requests(subject, path)
            yield Figure("relayed event, instructions", kind.name, "", [instructions_of_events(subject)])
        finally:
            subject.stop()
        subject = kind(setting, "chat")
        try:
            yield instructions_of_requests(subject, clients.CHAT)
        finally:
            subject.stop()
        subject = kind(setting, "pages")
        try:
            yield Figure("metrics page, instructions", kind.name, "", [instructions_of_pages(subject)])
        finally:
            subject.stop()


def instructions_of_requests(subject: CountedPenstock, path: str) -> Figure:
    """For one request on connections that are warm."""
    name, status = PATHS[path]
    figures = []
    with clients.Clients(subject, clients.CONNECTIONS) as many:
        for _ in range(10):
            many.exchange(path, status)
        for number in range(COUNTS):
            subject.count(True)
            for _ in range(COUNTED_ROUNDS // 4):
                many.exchange(path, status)
            subject.count(False)
            requests = COUNTED_ROUNDS // 4 * clients.CONNECTIONS
            figures.append(subject.counted(f"{name}-{number}.callgrind") / requests)
    return Figure(f"{name} request, instructions", subject.name, "", [statistics.median(figures)])


def instructions_of_events(subject: CountedPenstock) -> float:
    """For one event that comes alone: its turn of the reactor is its own."""
    with clients.DrivenStream(subject) as stream:
        for _ in range(10):
            stream.next_event()
        subject.count(True)
        for _ in range(EVENTS):
            stream.next_event()
        subject.count(False)
        return subject.counted("event.callgrind") / EVENTS


def instructions_of_pages(subject: CountedPenstock) -> float:
    """For one /metrics of the benchmarks' four pools."""
    clients.fetch(subject.admin, "/metrics")
    subject.count(True)
    for _ in range(PAGES):
        clients.fetch(subject.admin, "/metrics")
    subject.count(False)
    return subject.counted("metrics.callgrind") / PAGES


def system_calls(setting: Setting, kinds: list[type[Subject]], say: Say) -> Iterator[Figure]:
    """System calls for a request, by name in the details."""
    for path, (name, status) in PATHS.items():
        for kind in kinds:
            # The relay's works are without bodies, and without TLS.
            if kind is Relay and path in (clients.CHAT, TLS):
                continue
            say(f"system calls of {kind.name}, {name}")
            subject = kind(setting, name)
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
    # Few connections, so that none rests for long while others are traced: Penstock looks at a backend's connection that
    # has rested for 100 ms before it uses it again.
    with clients.Clients(subject, 8) as many:
        for _ in range(5):
            many.exchange(path, status)
        tracer = subprocess.Popen(
            ["strace", "-c", "-f", "-qq", "-o", str(summary), "-p", str(subject.pid)],
            stderr=subprocess.PIPE, text=True)
        wait_until_traced(subject.pid, tracer)
        for _ in range(COUNTED_ROUNDS):
            many.exchange(path, status)
        tracer.send_signal(signal.SIGINT)
        tracer.wait(10)
    requests = COUNTED_ROUNDS * 8
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
