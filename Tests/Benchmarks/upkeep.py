"""What operators do to a gateway that serves: its configuration is read again and its log is rotated, each once a second, and
its page of figures is read four times a second. Each subject has it in its own way; what it has not is left out.
"""

from __future__ import annotations

import itertools
import os
import signal
import socket
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Callable

from processes import BenchError
from subjects import Direct, Envoy, HAProxy, Nginx, Penstock, Subject

Deed = Callable[[], None]
# When within a second what is done. A run begins at nearly the second, and lasts for whole ones.
READ_AT = (0.2, 0.45, 0.7, 0.95)
RELOAD_AT = 0.3
ROTATE_AT = 0.8


@dataclass(frozen=True)
class Manner:
    """How a subject is seen to: nothing where it knows no such thing."""

    reload: Deed | None = None
    # What is another one after a reload that was done.
    generation: Callable[[], object] | None = None
    # Has the log opened again, which has another name by then.
    reopen: Deed | None = None
    read: Deed | None = None


def manner_of(subject: Subject | Direct) -> Manner:
    """Each in its own way. Penstock's policy says something else each time, as it passes over what has not changed."""
    if isinstance(subject, Penstock):
        bounds = itertools.cycle((2, 1))

        def reload() -> None:
            subject.write_policy(next(bounds))
            os.kill(subject.pid, signal.SIGHUP)

        return Manner(
            reload, lambda: subject.file("log").read_text().count("policy reloaded"),
            lambda: os.kill(subject.pid, signal.SIGUSR1), lambda: ask(subject.admin, "GET", "/metrics"))
    if isinstance(subject, Nginx):
        master = subject.process.pid
        return Manner(
            lambda: os.kill(master, signal.SIGHUP), subject.process.newest_child,
            lambda: os.kill(master, signal.SIGUSR1), lambda: ask(subject.port, "GET", "/status"))
    if isinstance(subject, HAProxy):
        # Its log is somebody else's: that of who reads its standard output.
        return Manner(
            lambda: os.kill(subject.process.pid, signal.SIGUSR2), subject.process.newest_child, None,
            lambda: ask(subject.admin, "GET", "/metrics"))
    if isinstance(subject, Envoy):
        # What it has in place of a reload is a server that it asks for its configuration, piece by piece.
        return Manner(
            None, None, lambda: ask(subject.admin, "POST", "/reopen_logs"),
            lambda: ask(subject.admin, "GET", "/stats/prometheus"))
    return Manner()


def ask(port: int, method: str, path: str) -> None:
    """One request on a connection of its own, read to its end."""
    with socket.create_connection(("127.0.0.1", port), timeout=20) as client:
        client.sendall(f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode())
        received = b""
        while data := client.recv(1 << 20):
            received = received or data[:32]
        if received.split(b" ")[1:2] != [b"200"]:
            raise BenchError(f"{path} on port {port} was answered with {received!r}")


class Upkeep:
    """Sees to a subject as long as it is entered, from a thread that runs only when nothing else wants its core."""

    def __init__(self, subject: Subject | Direct) -> None:
        self._manner = manner_of(subject)
        self._log = subject.access_log if isinstance(subject, Subject) else None
        self._is_over = threading.Event()
        self._fault: Exception | None = None
        self._thread = threading.Thread(target=self._work, daemon=True)
        self.reloads = self.rotations = self.reads = 0

    def __enter__(self) -> "Upkeep":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        self._thread.join()
        if self._fault:
            raise BenchError(f"upkeep: {self._fault}")

    def _work(self) -> None:
        # The load's own core is the only one that is not the proxy's, and the load must not wait for this.
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
        deeds = [(RELOAD_AT, self._reload), (ROTATE_AT, self._rotate), *((at, self._read) for at in READ_AT)]
        deeds.sort(key=lambda deed: deed[0])
        begun = time.monotonic()
        second = 0
        try:
            while True:
                for at, deed in deeds:
                    if self._is_over.wait(max(0.0, begun + second + at - time.monotonic())):
                        return
                    deed()
                second += 1
        except (BenchError, OSError) as fault:
            self._fault = fault

    def _reload(self) -> None:
        if not self._manner.reload or not self._manner.generation:
            return
        generation = self._manner.generation
        former = generation()
        self._manner.reload()
        self._wait(lambda: generation() != former, "the configuration was not read again")
        self.reloads += 1

    def _read(self) -> None:
        if self._manner.read:
            self._manner.read()
            self.reads += 1

    def _rotate(self) -> None:
        if not self._manner.reopen or not self._log:
            return
        former = Path(f"{self._log}.1")
        os.replace(self._log, former)
        self._manner.reopen()
        self._wait(self._log.exists, f"{self._log} was not opened again")
        self.rotations += 1

    def _wait(self, is_done: Callable[[], bool], fault: str) -> None:
        """Who does not do what it is told would be measured without it."""
        deadline = time.monotonic() + 5
        while not is_done():
            if time.monotonic() > deadline:
                raise BenchError(fault)
            time.sleep(0.01)
