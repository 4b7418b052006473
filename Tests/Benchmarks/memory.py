"""Resident memory: of a fresh process, of an idle connection, and of a stream that is open."""

from __future__ import annotations

import time
from typing import Iterator

import clients
from figures import Figure, Say
from processes import resident_bytes
from subjects import PenstockBefore, Relay, Setting, Subject

# A stream's events are this far apart, so that most of it is silence.
PERIOD_MILLISECONDS = 1000


def memory(
    setting: Setting, kinds: list[type[Subject]], connections: int, streams: int, say: Say
) -> Iterator[Figure]:
    """Each in a fresh process of each subject."""
    bases: list[Figure] = []
    idle: list[Figure] = []
    open_streams: list[Figure] = []
    secured: list[Figure] = []
    for kind in ([PenstockBefore] if setting.before else []) + kinds:
        say(f"memory of {kind.name}")
        subject = kind(setting, "memory")
        try:
            bases.append(Figure("memory, base", kind.name, "MiB", [resident_bytes(subject.pid) / 2**20]))
            each = idle_bytes(subject, connections) / 1024
            idle.append(Figure("memory, idle connection", kind.name, "KiB", [each]))
        finally:
            subject.stop()
        subject = kind(setting, "stream")
        try:
            each = stream_bytes(subject, streams) / 1024
            open_streams.append(Figure("memory, open stream", kind.name, "KiB", [each]))
        finally:
            subject.stop()
        if kind is Relay:
            continue
        subject = kind(setting, "memory-tls")
        try:
            each = idle_bytes(subject, min(connections, 2000)) / 1024
            secured.append(Figure("memory, idle TLS connection", kind.name, "KiB", [each]))
        finally:
            subject.stop()
    yield from bases + idle + open_streams + secured


def idle_bytes(subject: Subject, count: int) -> float:
    """Resident memory of a connection that has had a request answered and waits for the next."""
    with clients.Clients(subject, 8) as warm:
        for _ in range(10):
            warm.exchange("/", 200)
        before = resident_bytes(subject.pid)
        with clients.Clients(subject, count) as many:
            many.exchange("/", 200, together=False)
            return (resident_bytes(subject.pid) - before) / count


def stream_bytes(subject: Subject, count: int) -> float:
    """Resident memory of an event stream that is passed on, with its connections on both sides."""
    path = f"/stream/{PERIOD_MILLISECONDS}"
    with clients.Clients(subject, 8) as warm:
        warm.open_streams(path)
        before = resident_bytes(subject.pid)
        with clients.Clients(subject, count) as many:
            many.open_streams(path)
            time.sleep(2 * PERIOD_MILLISECONDS / 1000)
            return (resident_bytes(subject.pid) - before) / count
