"""Resident memory: of a fresh process, of an idle connection, of streams that are open, and of bodies that wait."""

from __future__ import annotations

import resource
import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Iterator

import clients
from figures import Figure, Say
from processes import BenchError, private_bytes, resident_bytes
from subjects import HELD_BODIES, MANY_STREAMS, PenstockBefore, Relay, Setting, Subject

# A stream's events are this far apart, so that most of it is silence.
PERIOD_MILLISECONDS = 1000
WARM_STREAMS = 8
# So many more begin together: no backlog of a listener is shorter.
STREAMS_TOGETHER = 500
# Of the descriptors that a proxy may have, those that are not its streams'; a stream has two.
SPARE_DESCRIPTORS = 200
BODY_BYTES = 200_000
TAKEN_SECONDS = 20.0


@dataclass(frozen=True)
class Counts:
    """How much of each is held at once."""

    connections: int
    streams: int
    bodies: int

    @staticmethod
    def most() -> "Counts":
        """What is held where there is time; streams as many as descriptors allow."""
        descriptors = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        return Counts(9000, min(10_000, (descriptors - SPARE_DESCRIPTORS) // 2), 1000)


def memory(setting: Setting, kinds: list[type[Subject]], counts: Counts, say: Say) -> list[Figure]:
    """Each in a fresh process of each subject."""
    found: dict[str, list[Figure]] = {}

    def note(title: str, unit: str, value: float, *details: str) -> None:
        found.setdefault(title, []).append(Figure(f"memory, {title}", kind.name, unit, [value], list(details)))

    for kind in ([PenstockBefore] if setting.before else []) + kinds:
        say(f"memory of {kind.name}")
        with fresh(kind, setting, "memory") as subject:
            note("base", "MiB", mebibytes(subject))
            note("base without pages of files", "MiB", private_bytes(subject.pid) / 2**20)
            note("idle connection", "KiB", idle_bytes(subject, counts.connections) / 1024)
        with fresh(kind, setting, MANY_STREAMS) as subject:
            each, total = stream_bytes(subject, counts.streams)
            note("open stream", "KiB", each / 1024)
            note("with all streams open", "MiB", total, f"{counts.streams} streams")
        if kind is Relay:
            continue
        with fresh(kind, setting, HELD_BODIES) as subject:
            each, total = body_bytes(subject, counts.bodies)
            note("held body of 200 kB", "KiB", each / 1024)
            note("with all bodies held", "MiB", total, f"{counts.bodies} bodies")
        with fresh(kind, setting, "memory-tls") as subject:
            note("idle TLS connection", "KiB", idle_bytes(subject, min(counts.connections, 2000)) / 1024)
    return [figure for figures in found.values() for figure in figures]


@contextmanager
def fresh(kind: type[Subject], setting: Setting, work: str) -> Iterator[Subject]:
    """A process of its own, until the block ends."""
    subject = kind(setting, work)
    try:
        yield subject
    finally:
        subject.stop()


def mebibytes(subject: Subject) -> float:
    """Resident memory in all."""
    return resident_bytes(subject.pid) / 2**20


def idle_bytes(subject: Subject, count: int) -> float:
    """Resident memory of a connection that has had a request answered and waits for the next."""
    with clients.Clients(subject, 8) as warm:
        for _ in range(10):
            warm.exchange("/", 200)
        before = resident_bytes(subject.pid)
        with clients.Clients(subject, count) as many:
            many.exchange("/", 200, together=False)
            return (resident_bytes(subject.pid) - before) / count


def stream_bytes(subject: Subject, count: int) -> tuple[float, float]:
    """Resident memory of an event stream that is passed on, with its connections on both sides, and MiB in all."""
    path = f"/stream/{PERIOD_MILLISECONDS}"
    with ExitStack() as opened:
        warm = opened.enter_context(clients.Clients(subject, WARM_STREAMS))
        warm.open_streams(path)
        before = resident_bytes(subject.pid)
        for begin in range(WARM_STREAMS, count, STREAMS_TOGETHER):
            some = clients.Clients(subject, min(STREAMS_TOGETHER, count - begin))
            opened.enter_context(some).open_streams(path)
        time.sleep(2 * PERIOD_MILLISECONDS / 1000)
        return (resident_bytes(subject.pid) - before) / (count - WARM_STREAMS), mebibytes(subject)


def body_bytes(subject: Subject, count: int) -> tuple[float, float]:
    """Resident memory of a request whose body has arrived and whose turn has not come, and MiB in all."""
    body = clients.chat_body(BODY_BYTES)
    # One is with the backend, and has its place in the pool.
    with clients.Clients(subject, 1) as first:
        first.post("/never", body)
        wait_until_taken(subject)
        before = resident_bytes(subject.pid)
        with clients.Clients(subject, count) as many:
            many.post("/never", body)
            wait_until_taken(subject)
            return (resident_bytes(subject.pid) - before) / count, mebibytes(subject)


def wait_until_taken(subject: Subject) -> None:
    """Returns when no byte for the subject is in a socket any more, neither in its own nor in a client's."""
    deadline = time.monotonic() + TAKEN_SECONDS
    while left := queued_bytes(subject.port):
        if time.monotonic() > deadline:
            raise BenchError(f"{subject.name} has left {left} bytes of bodies in sockets")
        time.sleep(0.1)
    # What was read last is put where it waits.
    time.sleep(0.2)


def queued_bytes(port: int) -> int:
    """Bytes that wait in the kernel on their way to a port of loopback."""
    total = 0
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        # Number, own address and port, the other's, state, bytes to be sent and bytes to be read.
        _, own, other, _, queues = line.split()[:5]
        to_send, to_read = (int(part, 16) for part in queues.split(":"))
        if int(other.split(":")[1], 16) == port:
            total += to_send
        if int(own.split(":")[1], 16) == port:
            total += to_read
    return total
