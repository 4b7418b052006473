"""Engines whose work is a matter of time, as a process of their own, that fall ill when they are told to.

    work_server.py [--engines N] [--batch] [--goes-on] ...

Prints `{"listening": CONTROL, "engines": [URL, ...]}`. An answer's body is the engine's number; `GET /bytes/N` answers with
N bytes. A request for a WebSocket gets one, which stays quiet. At CONTROL, `PUT /sickness/ENGINE/NAME` makes one engine
ill or (`well`) well, `PUT /places/ENGINE/N` changes its places, `PUT /says/ENGINE/TEXT` has each of its answers say that in
`Penstock-Signal`, `GET /most/ENGINE` tells how many it had inside at most since it was asked last, and `GET /stats`
tells what each has done.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import hashlib
import json
from collections.abc import Callable
from typing import cast
from urllib.parse import unquote

from engine_work import Batch, Slots, Ticker

# The ways in which an engine can be ill: the statuses that it answers everything with, at once, and the others.
STATUSES = {
    "500": b"500 Internal Server Error\r\n",
    "502": b"502 Bad Gateway\r\n",
    "503": b"503 Service Unavailable\r\n",
    "503-retry-after": b"503 Service Unavailable\r\nRetry-After: 2\r\n",
    "429": b"429 Too Many Requests\r\n",
    "404": b"404 Not Found\r\n",
}
SICKNESSES = (*STATUSES, "garbage", "cut", "close-at-accept", "close-at-request", "silent", "slow", "dead")
SLOWNESS = 10.0
GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


class Engine:
    """One engine: a listener, its connections and its work."""

    def __init__(self, name: str, work: Slots | Batch) -> None:
        self.name = name.encode()
        self.work = work
        self.sickness = "well"
        self.fields = b""
        self.connections: set[Connection] = set()
        # Whom it does not answer while it is silent.
        self.unheard: list[Connection] = []
        self.port = 0
        self.server: asyncio.Server | None = None

    async def listen(self) -> None:
        """Listens, on the port that it had before if it had one."""
        loop = asyncio.get_running_loop()
        self.server = await loop.create_server(
            lambda: Connection(self), "127.0.0.1", self.port, backlog=1024, reuse_address=True
        )
        self.port = self.server.sockets[0].getsockname()[1]

    async def fall(self, sickness: str) -> None:
        """Falls ill in this way, or gets well."""
        assert sickness in (*SICKNESSES, "well"), sickness
        self.sickness = sickness
        self.work.slowness = SLOWNESS if sickness == "slow" else 1.0
        if sickness == "dead" and self.server:
            self.server.close()
            self.server = None
        if sickness in ("dead", "close-at-accept"):
            for connection in list(self.connections):
                connection.transport.abort()
        if sickness == "well":
            if self.server is None:
                await self.listen()
            unheard, self.unheard = self.unheard, []
            for connection in unheard:
                self.work.enter(connection)

    def received(self, connection: Connection) -> None:
        """A whole request has come."""
        if status := STATUSES.get(self.sickness):
            connection.answer(b"ill", status)
        elif self.sickness == "garbage":
            connection.transport.write(b"220 mail.example ESMTP\r\n\r\n")
        elif self.sickness == "cut":
            connection.transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n" + b"x" * 500)
            connection.transport.close()
        elif self.sickness == "close-at-request":
            connection.transport.close()
        elif self.sickness == "silent":
            self.unheard.append(connection)
        else:
            self.work.enter(connection)


class Connection(asyncio.Protocol):
    """A connection of an engine's, with one request at a time, whose body may be announced by Content-Length."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.buffer = b""
        self.body_left = -1
        self.size = 0
        self.is_tunnel = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.engine.connections.add(self)
        if self.engine.sickness == "close-at-accept":
            self.transport.close()

    def connection_lost(self, error: Exception | None) -> None:
        self.engine.connections.discard(self)
        if self.engine.work.stops and self in self.engine.unheard:
            self.engine.unheard.remove(self)
        self.engine.work.leave(self)

    def data_received(self, data: bytes) -> None:
        if self.is_tunnel or self.transport.is_closing():
            return
        if self.body_left < 0:
            self.buffer += data
            end = self.buffer.find(b"\r\n\r\n")
            if end < 0:
                return
            head, data, self.buffer = self.buffer[: end + 2], self.buffer[end + 4 :], b""
            self.begin(head)
        self.body_left -= len(data)
        if self.body_left <= 0 and not self.is_tunnel:
            self.body_left = -1
            self.engine.received(self)

    def begin(self, head: bytes) -> None:
        """Reads a head."""
        path = head.split(b" ", 2)[1]
        self.size = int(path[7:]) if path.startswith(b"/bytes/") else 0
        fields = head.lower()
        at = fields.find(b"\r\ncontent-length:")
        self.body_left = int(fields[at + 17 :].split(b"\r\n", 1)[0]) if at >= 0 else 0
        if b"\r\nupgrade: websocket" in fields:
            at = fields.index(b"\r\nsec-websocket-key:")
            key = head[at + 20 :].split(b"\r\n", 1)[0].strip()
            accept = base64.b64encode(hashlib.sha1(key + GUID).digest())
            self.is_tunnel = True
            self.transport.write(
                b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n"
            )

    def finish(self) -> None:
        """The work is done."""
        self.answer(b"x" * self.size if self.size else self.engine.name)

    def answer(self, body: bytes, status: bytes = b"200 OK\r\n") -> None:
        """Sends a whole answer."""
        if not self.transport.is_closing():
            fields = status + self.engine.fields
            self.transport.write(b"HTTP/1.1 %bContent-Length: %d\r\n\r\n%b" % (fields, len(body), body))


class Control:
    """What a test asks of the engines and tells them."""

    def __init__(self, engines: list[Engine], ticker: Ticker) -> None:
        self.engines, self.ticker = engines, ticker

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One request on a connection of its own."""
        line = (await reader.readuntil(b"\r\n\r\n")).split(b"\r\n", 1)[0].decode()
        _, what, *more = line.split()[1].split("/")
        body = b"{}"
        if what == "stats":
            engines = [engine.work.account.told() for engine in self.engines]
            body = json.dumps({"engines": engines, "lost": self.ticker.lost}).encode()
        elif what == "sickness":
            await self.engines[int(more[0])].fall(more[1])
        elif what == "places":
            cast(Slots, self.engines[int(more[0])].work).set_places(int(more[1]))
        elif what == "says":
            self.engines[int(more[0])].fields = f"Penstock-Signal: {unquote(more[1])}\r\n".encode()
        elif what == "most":
            body = json.dumps(self.engines[int(more[0])].work.account.take_most()).encode()
        writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))
        await writer.drain()
        writer.close()


async def serve(count: int, work: Callable[[], Slots | Batch]) -> None:
    """Serves until the process is ended."""
    engines = [Engine(str(number), work()) for number in range(count)]
    for engine in engines:
        await engine.listen()
    ticker = Ticker()
    control = await asyncio.start_server(Control(engines, ticker).serve, "127.0.0.1", 0)
    port = control.sockets[0].getsockname()[1]
    addresses = [f"http://127.0.0.1:{engine.port}" for engine in engines]
    print(json.dumps({"listening": f"http://127.0.0.1:{port}", "engines": addresses}), flush=True)
    await ticker.watch()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--engines", type=int, default=1)
    parser.add_argument("--places", type=int, default=8, help="requests at once")
    parser.add_argument("--milliseconds", type=float, default=80, help="of a request in a place")
    parser.add_argument("--spread", type=float, default=0.1, help="times vary by this share, evenly to either side")
    parser.add_argument("--batch", action="store_true", help="steps for all together instead of places")
    parser.add_argument("--step", type=float, default=4, help="milliseconds of a step alone")
    parser.add_argument("--each", type=float, default=0.1, help="milliseconds of a step for each request")
    parser.add_argument("--tokens", type=int, default=50, help="steps of a request")
    parser.add_argument("--goes-on", action="store_true", help="works on when a client has gone")
    given = parser.parse_args()

    def make() -> Slots | Batch:
        if given.batch:
            return Batch(given.places, given.step / 1000, given.each / 1000, given.tokens, not given.goes_on)
        return Slots(given.places, given.milliseconds / 1000, given.spread, not given.goes_on)

    asyncio.run(serve(given.engines, make))
