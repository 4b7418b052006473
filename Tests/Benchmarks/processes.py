"""Processes: how they are started on a core, watched and stopped, and what they have cost so far.

Each is stopped by its own handle, and listens on loopback on a port that was free a moment before.
"""

from __future__ import annotations

import os
import random
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

START_SECONDS = 20.0
# Below the ports that the kernel gives to outgoing connections: the load generator cannot take one in between.
PORTS = range(20000, 30000)


class BenchError(Exception):
    """What keeps the benchmark from going on, for a person to read."""


def free_port() -> int:
    """A port of loopback that nothing listens on."""
    for _ in range(200):
        port = random.choice(PORTS)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue
    raise BenchError(f"no free port among {PORTS.start} to {PORTS.stop}")


class Process:
    """A process on one core, or on several, whose output goes to a file."""

    def __init__(
        self, command: list[str], core: int | frozenset[int], log: Path, environment: dict[str, str] | None = None
    ) -> None:
        self._log = log
        # The bound core is inherited; so are the benchmark's raised descriptor limits.
        with log.open("w") as output:
            self._child = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**os.environ, **(environment or {})},
                preexec_fn=lambda: os.sched_setaffinity(0, {core} if isinstance(core, int) else core),
            )

    @property
    def pid(self) -> int:
        """The id of the process that was started."""
        return self._child.pid

    def wait_for_port(self, port: int) -> None:
        """Returns when the process listens."""
        deadline = time.monotonic() + START_SECONDS
        while True:
            if self._child.poll() is not None:
                raise BenchError(f"{self._child.args} ended: {self.told()}")
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                return
            except OSError:
                if time.monotonic() > deadline:
                    raise BenchError(f"{self._child.args} does not listen: {self.told()}") from None
                time.sleep(0.02)

    def told(self) -> str:
        """The end of what the process has written."""
        return self._log.read_text(errors="replace")[-2000:]

    def only_child(self) -> int:
        """The id of the only process that this one started: a master's one worker."""
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            children = self._children()
            if len(children) == 1:
                return children[0]
            time.sleep(0.02)
        raise BenchError(f"{self._child.args} has no worker: {self.told()}")

    def newest_child(self) -> int:
        """The id of the process that it has started last, of those that have not ended; 0 without any."""
        return max(self._children(), default=0)

    def _children(self) -> list[int]:
        text = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text()
        return [int(word) for word in text.split()]

    def stop(self) -> None:
        """Ends the process."""
        if self._child.poll() is None:
            self._child.send_signal(signal.SIGTERM)
            try:
                self._child.wait(2)
            except subprocess.TimeoutExpired:
                self._child.kill()
        self._child.wait()


def cpu_seconds(pid: int) -> float:
    """User and system time of all threads of a process, to the nanosecond.

    It is the process's CPU-time clock (clock_getcpuclockid(3)); /proc/PID/stat has the same in ticks of 10 ms.
    """
    return time.clock_gettime((~pid << 3) | 2)


def resident_bytes(pid: int) -> int:
    """The resident memory of a process, exact (/proc/PID/statm may lag by pages per thread)."""
    return _memory_bytes(pid, "Rss")


def private_bytes(pid: int) -> int:
    """What a process has written, and so shares with no other and no file."""
    return _memory_bytes(pid, "Anonymous")


def _memory_bytes(pid: int, kind: str) -> int:
    text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    match = re.search(rf"^{kind}:\s+(\d+) kB", text, re.MULTILINE)
    if not match:
        raise BenchError(f"no {kind} in /proc/{pid}/smaps_rollup")
    return int(match[1]) * 1024


def first_line(*command: str) -> str:
    """The first line that a command prints on either stream."""
    result = subprocess.run(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", check=False
    )
    lines = result.stdout.strip().splitlines()
    return lines[0] if lines else "?"


def warn(text: str) -> None:
    """Says something that is not part of the table."""
    print(text, file=sys.stderr, flush=True)
