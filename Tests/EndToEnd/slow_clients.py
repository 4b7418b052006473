"""Clients that take their time, each of one kind, who come again when they are cut or refused."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from urllib.parse import urlsplit

HOST = b"Host: slow\r\n"
# What the kernel may hold for a reader, so that what is not read stays with the gateway.
RECEIVE_BUFFER = 8_192


@dataclass
class SlowClients:
    """`count` clients of one kind at one gateway, in the event loop of whoever starts them."""

    url: str
    kind: str
    count: int = 12
    # How often one had an end that it did not choose, and how many are connected.
    ended: int = 0
    connected: int = 0
    _tasks: list[asyncio.Task[None]] = field(default_factory=list)

    def start(self) -> None:
        """Begins; they go on until `stop`."""
        self._tasks = [asyncio.get_running_loop().create_task(self._live()) for _ in range(self.count)]

    async def stop(self) -> None:
        """Ends them all."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _live(self) -> None:
        address = urlsplit(self.url)
        loop = asyncio.get_running_loop()
        while True:
            link = socket.socket()
            try:
                link.setblocking(False)
                link.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
                await loop.sock_connect(link, (address.hostname, address.port))
                self.connected += 1
                try:
                    await KINDS[self.kind](link)
                finally:
                    self.connected -= 1
            except OSError:
                pass
            finally:
                link.close()
            self.ended += 1
            await asyncio.sleep(0.5)


async def _send(link: socket.socket, data: bytes) -> None:
    await asyncio.get_running_loop().sock_sendall(link, data)


async def _trickle(link: socket.socket, byte: bytes) -> None:
    """Sends a byte each half second until an answer comes or the connection ends."""
    loop = asyncio.get_running_loop()
    answer = loop.create_task(loop.sock_recv(link, 1_000))
    try:
        while not answer.done():
            await _send(link, byte)
            await asyncio.wait([answer], timeout=0.5)
    finally:
        answer.cancel()
        await asyncio.gather(answer, return_exceptions=True)


def _upload(size: int) -> Callable[[socket.socket], Awaitable[None]]:
    """An upload of a byte each half second."""

    async def run(link: socket.socket) -> None:
        await _send(link, b"POST /upload HTTP/1.1\r\n" + HOST + b"Content-Length: %d\r\n\r\n" % size)
        await _trickle(link, b"x")

    return run


def _reader(size: int) -> Callable[[socket.socket], Awaitable[None]]:
    """A reader of a thousand bytes a second."""

    async def run(link: socket.socket) -> None:
        await _send(link, b"GET /bytes/%d HTTP/1.1\r\n" % size + HOST + b"\r\n")
        while await asyncio.get_running_loop().sock_recv(link, 1_000):
            await asyncio.sleep(1)

    return run


async def _websocket(link: socket.socket) -> None:
    """A WebSocket on which nothing is said."""
    await _send(
        link,
        b"GET /chat HTTP/1.1\r\n" + HOST + b"Connection: Upgrade\r\nUpgrade: websocket\r\n"
        b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
    )
    head = await asyncio.get_running_loop().sock_recv(link, 4_096)
    if head.startswith(b"HTTP/1.1 101"):
        await asyncio.get_running_loop().sock_recv(link, 1)


async def _head(link: socket.socket) -> None:
    """A head that does not end."""
    await _send(link, b"GET / HTTP/1.1\r\n" + HOST + b"X-A: ")
    await _trickle(link, b"a")


async def _idle(link: socket.socket) -> None:
    """A connection on which no request comes."""
    await asyncio.get_running_loop().sock_recv(link, 1)


KINDS: dict[str, Callable[[socket.socket], Awaitable[None]]] = {
    "upload-100k": _upload(100_000),
    "upload-5M": _upload(5_000_000),
    "reader-200k": _reader(200_000),
    "reader-5M": _reader(5_000_000),
    "websocket": _websocket,
    "head": _head,
    "idle": _idle,
}
