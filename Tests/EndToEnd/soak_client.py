"""Clients of the soak: an open load of requests, each with an id, some with a fault, some of which leave.

Every request ends in exactly one `Result`. What cannot happen in a world in which each request is answered once or has its
connection closed is noted in `Load.violations`.
"""

from __future__ import annotations

import asyncio
import random
import socket
import struct
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import cast
from urllib.parse import urlsplit

from fault_server import FAULTS

PATIENCE_SECONDS = 30.0
WAYS = ("close", "reset", "half-close")


@dataclass
class Result:
    """What became of one request."""

    identity: str
    method: str
    fault: str
    began: float
    ended: float = 0.0
    status: int = 0
    reason: str = ""
    # "answered", "cut" (an answer that broke off), "closed" (no answer, the connection closed), "refused" (no connection)
    # or "left" (by the client itself).
    end: str = ""
    is_origins: bool = False
    # How long its connection had been idle; 0 for a new one.
    rested: float = 0.0


class Connection(asyncio.Protocol):
    """A connection to the gateway that carries one request at a time."""

    def __init__(self, load: Load) -> None:
        self.load = load
        self.buffer = b""
        self.result: Result | None = None
        self.has_left = False
        self.serial = 0
        self.idle_since = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)

    def send(self, result: Result, data: bytes) -> None:
        """Sends a request."""
        self.result, self.buffer = result, b""
        self.serial += 1
        self.transport.write(data)

    def data_received(self, data: bytes) -> None:
        if self.result is None:
            if not self.has_left:
                self.load.violations.append(f"bytes that nobody asked for: {data[:80]!r}")
            return
        self.buffer += data
        head, found, rest = self.buffer.partition(b"\r\n\r\n")
        if not found:
            return
        fields = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:])
        self.result.status = int(head[9:12])
        self.result.reason = fields.get(b"x-penstock-reason", b"").decode()
        self.result.is_origins = b"x-origin" in fields
        body, extra = self.body(fields, rest)
        if body is None:
            return
        if not self.result.reason and not body.startswith(f"id={self.result.identity}\n".encode()):
            self.load.violations.append(f"{self.result.identity} got another's answer: {body[:60]!r}")
        if extra:
            self.load.violations.append(f"{len(extra)} bytes after the answer of {self.result.identity}")
        self.finish("answered")
        if fields.get(b"connection") == b"close":
            self.has_left = True
            self.transport.close()
        elif not self.has_left:
            self.idle_since = time.monotonic()
            self.load.free.append(self)

    @staticmethod
    def body(fields: dict[bytes, bytes], rest: bytes) -> tuple[bytes | None, bytes]:
        """The whole body and what follows it, or None while it is not whole."""
        if b"content-length" in fields:
            length = int(fields[b"content-length"])
            return (rest[:length], rest[length:]) if len(rest) >= length else (None, b"")
        body = b""
        while True:
            size, found, rest = rest.partition(b"\r\n")
            length = int(size, 16) if found else 0
            if not found or len(rest) < length + 2:
                return None, b""
            body += rest[:length]
            rest = rest[length + 2 :]
            if length == 0:
                return body, rest

    def leave(self, way: str, serial: int) -> None:
        """Leaves in the middle of a request."""
        if self.result is None or self.serial != serial or self.transport.is_closing():
            return
        self.finish("left")
        self.has_left = True
        if way == "half-close":
            self.transport.write_eof()
            self.load.expect_close(self)
            return
        if way == "reset":
            connection: socket.socket = self.transport.get_extra_info("socket")
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.transport.abort()

    def connection_lost(self, error: Exception | None) -> None:
        self.has_left = True
        self.finish("cut" if b"\r\n\r\n" in self.buffer else "closed")
        if self in self.load.free:
            self.load.free.remove(self)

    def finish(self, end: str) -> None:
        """Ends the request under way, if one is."""
        if self.result is not None:
            result, self.result = self.result, None
            result.end, result.ended = end, time.monotonic()
            self.load.ended(result)


@dataclass
class Load:
    """An open load at a mean rate; `judge` says of each result what it is, or that it cannot be."""

    url: str
    rate: float
    seed: int
    judge: Callable[[Result], str]
    fault_share: float = 0.04
    leave_share: float = 0.03
    violations: list[str] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    injected: Counter[str] = field(default_factory=Counter)
    offered: int = 0
    free: list[Connection] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.chance = random.Random(self.seed)
        self.under_way = 0
        self.tasks: set[asyncio.Task[None]] = set()

    def ended(self, result: Result) -> None:
        """Counts a request's end."""
        self.under_way -= 1
        self.counts[self.judge(result)] += 1

    def expect_close(self, connection: Connection) -> None:
        """A half-closed connection has to be closed by the gateway."""

        def check() -> None:
            if not connection.transport.is_closing():
                self.violations.append("a half-closed connection stayed open")
                connection.transport.abort()

        asyncio.get_running_loop().call_later(PATIENCE_SECONDS, check)

    def request(self) -> tuple[Result, bytes]:
        """Draws a request."""
        self.offered += 1
        fault = self.chance.choice(FAULTS) if self.chance.random() < self.fault_share else ""
        method = self.chance.choice(["GET", "POST", "POST"])
        result = Result(f"{self.seed}-{self.offered}", method, fault, time.monotonic())
        fields = f"Host: soak\r\nX-Id: {result.identity}\r\nX-Size: {self.chance.choice([10, 500, 2000])}\r\n"
        if fault:
            self.injected[fault] += 1
            fields += f"X-Fault: {fault}\r\n"
        if self.chance.random() < 0.3:
            fields += "X-Stream: 1\r\n"
        body = b""
        if method == "POST":
            body = b"b" * self.chance.choice([0, 100, 3000, 40_000])
            fields += f"Content-Length: {len(body)}\r\n"
        return result, f"{method} /work HTTP/1.1\r\n{fields}\r\n".encode() + body

    async def start(self) -> None:
        """Sends one request, on a free connection or a new one."""
        result, data = self.request()
        self.under_way += 1
        while self.free and self.free[-1].transport.is_closing():
            self.free.pop()
        if self.free:
            connection = self.free.pop()
            result.rested = time.monotonic() - connection.idle_since
        else:
            address = urlsplit(self.url)
            try:
                _, connection = await asyncio.get_running_loop().create_connection(
                    lambda: Connection(self), address.hostname, address.port
                )
            except OSError:
                result.end, result.ended = "refused", time.monotonic()
                self.ended(result)
                return
        connection.send(result, data)
        loop = asyncio.get_running_loop()
        if self.chance.random() < self.leave_share:
            loop.call_later(
                self.chance.uniform(0, 0.1), connection.leave, self.chance.choice(WAYS), connection.serial
            )
        loop.call_later(PATIENCE_SECONDS, self.check_answered, connection, connection.serial)

    def check_answered(self, connection: Connection, serial: int) -> None:
        """Whether a request has ended in time."""
        if connection.result is not None and connection.serial == serial:
            self.violations.append(f"{connection.result} has no end after {PATIENCE_SECONDS:g} s")
            connection.transport.abort()

    async def run(self, seconds: float) -> None:
        """Offers the load and waits for what is under way."""
        loop = asyncio.get_running_loop()
        begin = time.monotonic()
        due = begin
        while due < begin + seconds:
            due += self.chance.expovariate(self.rate)
            now = time.monotonic()
            # A client that cannot keep up offers less; it does not make up for it in a flood.
            due = max(due, now - 0.5)
            await asyncio.sleep(max(0.0, due - now))
            task = loop.create_task(self.start())
            self.tasks.add(task)
            task.add_done_callback(self.tasks.discard)
        end = time.monotonic() + PATIENCE_SECONDS + 1
        while self.under_way and time.monotonic() < end:
            await asyncio.sleep(0.05)
        if self.under_way:
            self.violations.append(f"{self.under_way} requests have no end")
        for connection in self.free:
            connection.transport.close()
        await asyncio.sleep(0.2)
