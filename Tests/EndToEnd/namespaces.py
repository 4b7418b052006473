"""Networks of a test's own: namespaces, and a wire between two of them that loses what it is told to lose.

The wire is two pairs of virtual interfaces whose inner ends a thread reads and writes packet by packet, because not every
kernel has a queueing discipline that loses packets. Needs the privilege to make namespaces; `why_not` says what is missing.
"""

from __future__ import annotations

import ctypes
import fcntl
import itertools
import os
import random
import selectors
import shutil
import socket
import struct
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

_libc = ctypes.CDLL(None, use_errno=True)
_serial = itertools.count(1)
CLONE_NEWNET = 0x40000000


def _run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True)


@cache
def why_not() -> str:
    """Why namespaces cannot be made here; empty where they can."""
    if shutil.which("ip") is None:
        return "there is no `ip` (Debian: iproute2)"
    try:
        with Namespace() as first, Namespace() as second:
            Wire(first, second).close()
    except (OSError, subprocess.CalledProcessError) as error:
        return f"network namespaces cannot be made: {getattr(error, 'stderr', b'') or error}"
    return ""


class Namespace:
    """A network namespace with its loopback interface up."""

    def __init__(self) -> None:
        self.name = f"penstock-{os.getpid()}-{next(_serial)}"
        _run("ip", "netns", "add", self.name)
        self.ip("link", "set", "lo", "up")

    @property
    def prefix(self) -> list[str]:
        """What stands before a command that is to run inside."""
        return ["ip", "netns", "exec", self.name]

    def ip(self, *arguments: str) -> None:
        """`ip` inside."""
        _run("ip", "-n", self.name, *arguments)

    def set(self, name: str, value: str) -> None:
        """Writes a setting below /proc/sys/net."""
        with self.inside():
            with open(f"/proc/sys/net/{name}", "w") as file:
                file.write(value)

    @contextmanager
    def inside(self) -> Iterator[None]:
        """Moves the calling thread inside; sockets that it makes there stay there."""
        with open("/proc/thread-self/ns/net") as before, open(f"/run/netns/{self.name}") as there:
            if _libc.setns(there.fileno(), CLONE_NEWNET) != 0:
                raise OSError(ctypes.get_errno(), "setns")
            try:
                yield
            finally:
                if _libc.setns(before.fileno(), CLONE_NEWNET) != 0:
                    raise OSError(ctypes.get_errno(), "setns")

    def close(self) -> None:
        """Removes it."""
        subprocess.run(["ip", "netns", "del", self.name], check=False, capture_output=True)

    def __enter__(self) -> Namespace:
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()


class Wire:
    """A wire between two namespaces, with the addresses 10.0.0.1 and 10.0.0.2 at its ends.

    `loss` is the share of packets that are lost, 1 for a black hole. It can be set at any time.
    """

    ADDRESSES = ("10.0.0.1", "10.0.0.2")

    def __init__(self, left: Namespace, right: Namespace, loss: float = 0.0, seed: int = 1) -> None:
        self.loss = loss
        self.lost = 0
        self.passed = 0
        self._chance = random.Random(seed)
        self._between = Namespace()
        self._ends: list[socket.socket] = []
        hardware = ("02:00:00:00:00:01", "02:00:00:00:00:02")
        try:
            self._connect(left, right, hardware)
        except BaseException:
            self._between.close()
            raise
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._carry, daemon=True)
        self._thread.start()

    def _connect(self, left: Namespace, right: Namespace, hardware: tuple[str, str]) -> None:
        for index, (space, address) in enumerate(zip((left, right), self.ADDRESSES)):
            inner, outer = f"inner{index}", f"wire{index}"
            _run(
                "ip", "-n", self._between.name, "link", "add", inner, "type", "veth",
                "peer", "name", outer, "netns", space.name,
            )
            with space.inside():
                # A packet's checksum is usually left for the hardware, which nobody here is.
                for command in (0x17, 0x1F, 0x24, 0x2C):  # checksum, TCP and generic segmentation, receive
                    _set_offload(outer, command, False)
            space.ip("link", "set", outer, "address", hardware[index])
            space.ip("address", "add", f"{address}/24", "dev", outer)
            space.ip("link", "set", outer, "up")
            self._between.ip("link", "set", inner, "up")
            with self._between.inside():
                end = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
                end.bind((inner, 0))
                end.setblocking(False)
                self._ends.append(end)
        # Nobody has to ask who has an address: otherwise a black hole would be noticed as an unreachable host.
        for index, space in enumerate((left, right)):
            space.ip(
                "neighbour", "replace", self.ADDRESSES[1 - index], "lladdr", hardware[1 - index],
                "dev", f"wire{index}", "nud", "permanent",
            )

    def _carry(self) -> None:
        with selectors.DefaultSelector() as selector:
            for index, end in enumerate(self._ends):
                selector.register(end, selectors.EVENT_READ, self._ends[1 - index])
            while not self._ending.is_set():
                for key, _ in selector.select(0.1):
                    source: Any = key.fileobj
                    self._pass_on(source, key.data)

    def _pass_on(self, source: socket.socket, other: socket.socket) -> None:
        for _ in range(64):
            try:
                packet, (_, _, kind, _, _) = source.recvfrom(70_000)
            except BlockingIOError:
                return
            if kind == socket.PACKET_OUTGOING:
                continue
            if self._chance.random() < self.loss:
                self.lost += 1
                continue
            try:
                other.send(packet)
                self.passed += 1
            except OSError:
                self.lost += 1

    def close(self) -> None:
        """Takes the wire away."""
        self._ending.set()
        self._thread.join()
        for end in self._ends:
            end.close()
        self._between.close()

    def __enter__(self) -> Wire:
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()


def _set_offload(interface: str, command: int, value: bool) -> None:
    """ETHTOOL_STXCSUM and its like, linux/ethtool.h."""
    wanted = ctypes.create_string_buffer(struct.pack("II", command, int(value)))
    query = struct.pack("16sP", interface.encode(), ctypes.addressof(wanted))
    with socket.socket() as control:
        fcntl.ioctl(control, 0x8946, query)  # SIOCETHTOOL
