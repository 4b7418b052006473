"""A backend with a number of places that misbehaves in the way that each request asks for.

A request names its fault in `X-Fault` and itself in `X-Id`; the answer carries the id, so that a client can tell whose
answer it got. Every id is also appended to a file, with the method, so that whoever counts afterwards sees what arrived
twice, whatever became of this process. Prints its address as JSON, like the embedding server.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import socket
import struct
from collections import deque
from pathlib import Path
from typing import cast

# What a request can ask for. The comments say what the gateway's client should see.
FAULTS = (
    "close",  # 502
    "mid-head",  # 502
    "nonsense",  # 502
    "reset",  # 502
    "stall",  # 504
    "mid-body",  # a cut
    "mid-chunk",  # a cut
    "stall-body",  # a cut
    "bytewise",  # a good answer, slowly
    "close-after",  # a good answer; the connection closes a moment later, perhaps under its next request
    "overload",  # the backend's own 503
    "early",  # a good answer before the body has been read, and the connection closes
)


class Places:
    """The places, and who waits for one."""

    def __init__(self, count: int, seconds: float, record: Path | None) -> None:
        self.count = count
        self.seconds = seconds
        self.record = os.open(record, os.O_WRONLY | os.O_CREAT | os.O_APPEND) if record else -1
        self.running = 0
        self.waiting: deque[Connection] = deque()

    def received(self, method: bytes, identity: bytes) -> None:
        """Notes that a request has arrived."""
        if self.record >= 0 and identity:
            os.write(self.record, method + b" " + identity + b"\n")

    def enter(self, connection: Connection) -> None:
        """Starts the request of `connection`, now or when a slot is free."""
        self.waiting.append(connection)
        self.start()

    def start(self) -> None:
        """Starts those for whom there are places."""
        while self.waiting and self.running < self.count:
            connection = self.waiting.popleft()
            if connection.transport.is_closing():
                continue
            self.running += 1
            delay = self.seconds * random.uniform(0.5, 1.5)
            asyncio.get_running_loop().call_later(delay, self.end, connection)

    def end(self, connection: Connection) -> None:
        """Answers the request of `connection` and gives its place to the next one."""
        self.running -= 1
        connection.answer()
        self.start()


class Connection(asyncio.Protocol):
    """One client; requests without a body or with a Content-Length."""

    def __init__(self, places: Places) -> None:
        self.places = places
        self.buffer = b""
        self.fields: dict[bytes, bytes] = {}
        self.is_busy = False
        self.task: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)

    def connection_lost(self, error: Exception | None) -> None:
        if self.task:
            self.task.cancel()

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        self.read()

    def read(self) -> None:
        """Begins the next request that is there in whole."""
        end = self.buffer.find(b"\r\n\r\n")
        if self.is_busy or end < 0 or self.transport.is_closing():
            return
        line, *lines = self.buffer[:end].split(b"\r\n")
        fields = {name.lower(): value.strip() for name, _, value in (line.partition(b":") for line in lines)}
        length = int(fields.get(b"content-length", b"0"))
        early = fields.get(b"x-fault") == b"early"
        if not early and len(self.buffer) < end + 4 + length:
            return
        self.buffer = b"" if early else self.buffer[end + 4 + length :]
        self.fields = fields
        self.is_busy = True
        self.places.received(line.split(b" ", 1)[0], fields.get(b"x-id", b""))
        self.places.enter(self)

    def answer(self) -> None:
        """Answers as the request asks for."""
        if self.transport.is_closing():
            return
        self.task = asyncio.get_running_loop().create_task(self.misbehave(self.fields.get(b"x-fault", b"").decode()))

    def ready(self) -> None:
        """The answer is complete: on to the next request."""
        self.is_busy = False
        self.read()

    async def misbehave(self, fault: str) -> None:
        """Writes the answer, or what takes its place."""
        write = self.transport.write
        body = b"id=" + self.fields.get(b"x-id", b"") + b"\n" + b"x" * int(self.fields.get(b"x-size", b"100"))
        head = b"HTTP/1.1 200 OK\r\n"
        chunked = head + b"Transfer-Encoding: chunked\r\n\r\n"
        counted = head + b"Content-Length: %d\r\n\r\n" % len(body)
        match fault:
            case "close":
                self.transport.close()
            case "reset":
                self.reset()
            case "mid-head":
                write(counted[:25])
                self.transport.close()
            case "nonsense":
                write(b"220 mail.example ESMTP\r\n\r\n")
            case "stall":
                await asyncio.sleep(60)
            case "mid-body":
                write(counted + body[:-10])
                self.transport.close()
            case "mid-chunk":
                write(chunked + b"%x\r\n" % len(body) + body[:-10])
                self.transport.close()
            case "stall-body":
                write(counted + body[:-10])
                await asyncio.sleep(60)
            case "bytewise":
                for byte in counted + body:
                    write(bytes([byte]))
                    await asyncio.sleep(0)
                self.ready()
            case "close-after":
                write(counted + body)
                await asyncio.sleep(random.uniform(0, 0.01))
                self.transport.close()
            case "early":
                write(counted + body)
                self.transport.close()
            case "overload":
                write(b"HTTP/1.1 503 Service Unavailable\r\nX-Origin: 1\r\n" + counted[len(head) :] + body)
                self.ready()
            case _ if b"x-stream" in self.fields:
                write(chunked)
                for start in range(0, len(body), 40):
                    piece = body[start : start + 40]
                    write(b"%x\r\n" % len(piece) + piece + b"\r\n")
                    await asyncio.sleep(0.002)
                write(b"0\r\n\r\n")
                self.ready()
            case _:
                write(counted + body)
                self.ready()

    def reset(self) -> None:
        """Closes with RST."""
        connection: socket.socket = self.transport.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.transport.abort()


async def serve(host: str, port: int, places: Places) -> None:
    """Serves until the process is ended."""
    server = await asyncio.get_running_loop().create_server(
        lambda: Connection(places), host, port, backlog=1024
    )
    host, port = server.sockets[0].getsockname()
    print(json.dumps({"listening": f"http://{host}:{port}"}), flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--places", type=int, default=4)
    parser.add_argument("--milliseconds", type=float, default=40)
    parser.add_argument("--record", type=Path)
    options = parser.parse_args()
    places = Places(options.places, options.milliseconds / 1000, options.record)
    asyncio.run(serve(options.host, options.port, places))
