"""A backend with a number of places: each request takes one for about the same time, the others wait in order.

Started as a process of its own, so that it shares no interpreter with the clients. Prints its address as JSON, like the
embedding server. `PUT /slots/N` changes the number of places; running requests end as they began. `GET /mean` says how long
places were really taken by those that ended since the last time: what a busy machine makes of the milliseconds.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
from collections import deque
from typing import cast


class Slots:
    """The places, and who waits for one."""

    def __init__(self, count: int, seconds: float, spread: float) -> None:
        self.count = count
        self.seconds = seconds
        self.spread = spread
        self.chance = random.Random(1)
        self.running = 0
        self.ended = 0
        self.seconds_taken = 0.0
        self.waiting: deque[Connection] = deque()

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
            seconds = self.seconds * self.chance.uniform(1 - self.spread, 1 + self.spread)
            loop = asyncio.get_running_loop()
            loop.call_later(seconds, self.end, connection, loop.time())

    def end(self, connection: Connection, began: float) -> None:
        """Answers the request of `connection` and gives its place to the next one."""
        self.running -= 1
        self.ended += 1
        self.seconds_taken += asyncio.get_running_loop().time() - began
        connection.answer(b"done")
        self.start()


class Connection(asyncio.Protocol):
    """One client; requests have no bodies."""

    def __init__(self, slots: Slots) -> None:
        self.slots = slots
        self.buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        while (end := self.buffer.find(b"\r\n\r\n")) >= 0:
            line = self.buffer[: self.buffer.index(b"\r\n")]
            self.buffer = self.buffer[end + 4 :]
            if line.startswith(b"PUT /slots/"):
                self.slots.count = int(line.split()[1].rsplit(b"/", 1)[1])
                self.slots.start()
                self.answer(b"set")
            elif line.startswith(b"GET /mean"):
                self.answer(b"%.6f" % (self.slots.seconds_taken / max(1, self.slots.ended)))
                self.slots.ended, self.slots.seconds_taken = 0, 0.0
            else:
                self.slots.enter(self)

    def answer(self, body: bytes) -> None:
        """Sends a whole answer."""
        if not self.transport.is_closing():
            self.transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))


async def serve(slots: int, milliseconds: float, spread: float) -> None:
    """Serves until the process is ended."""
    places = Slots(slots, milliseconds / 1000, spread)
    server = await asyncio.get_running_loop().create_server(
        lambda: Connection(places), "127.0.0.1", 0, backlog=1024
    )
    host, port = server.sockets[0].getsockname()
    print(json.dumps({"listening": f"http://{host}:{port}"}), flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--slots", type=int, default=16)
    parser.add_argument("--milliseconds", type=float, default=80)
    parser.add_argument("--spread", type=float, default=0, help="the times vary by this share, evenly to either side")
    options = parser.parse_args()
    asyncio.run(serve(options.slots, options.milliseconds, options.spread))
