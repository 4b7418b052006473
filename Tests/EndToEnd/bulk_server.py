"""A backend for bulk requests: it answers JSON with JSON, so many requests at once, each in about the same time.

What a request says decides about its answer: `{"input": "a"}` is echoed; `"fail": {"status": 503, "times": 2}` fails
twice for each `input` before it is answered; `"bytes": 4096` is the length of a text in the answer; `"seconds": 1` is
how long it takes. Started as a process of its own; prints its address as JSON, like the embedding server. `GET /stats`
says how many requests came, the most that ran at once, and for how many milliseconds places were taken by those that ended.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import time
from collections import Counter, deque
from typing import Any, cast


class Engine:
    """What all connections share."""

    def __init__(self, slots: int, seconds: float, spread: float = 0) -> None:
        self.slots = slots
        self.seconds = seconds
        self.spread = spread
        self.chance = random.Random(1)
        self.running = 0
        self.waiting: deque[tuple[Connection, dict[str, Any]]] = deque()
        self.stats: dict[str, int] = {"requests": 0, "most": 0, "ended": 0, "dropped": 0, "milliseconds": 0}
        self.taken = 0.0
        self.failures: Counter[str] = Counter()

    def enter(self, connection: Connection, wanted: dict[str, Any]) -> None:
        """Takes a request in."""
        self.stats["requests"] += 1
        self.waiting.append((connection, wanted))
        self.start()

    def start(self) -> None:
        """Starts what there are places for."""
        while self.waiting and self.running < self.slots:
            connection, wanted = self.waiting.popleft()
            if connection.transport.is_closing():
                self.stats["dropped"] += 1
                continue
            self.running += 1
            self.stats["most"] = max(self.stats["most"], self.running)
            seconds = wanted.get("seconds", self.seconds)
            began = time.monotonic()
            if seconds:
                seconds *= 1 + self.chance.uniform(-self.spread, self.spread)
                asyncio.get_running_loop().call_later(seconds, self.end, connection, wanted, began)
            else:
                self.end(connection, wanted, began)

    def end(self, connection: Connection, wanted: dict[str, Any], began: float) -> None:
        """Answers a request."""
        self.running -= 1
        self.taken += time.monotonic() - began
        self.stats["milliseconds"] = round(1000 * self.taken)
        self.stats["ended" if not connection.transport.is_closing() else "dropped"] += 1
        status, fields, value = self.answer(connection, wanted)
        connection.send(status, value, fields)
        self.start()

    def answer(self, connection: Connection, wanted: dict[str, Any]) -> tuple[int, str, Any]:
        """Status, fields and value."""
        name = str(wanted.get("input"))
        failure = wanted.get("fail")
        if failure and self.failures[name] < failure.get("times", 1 << 30):
            self.failures[name] += 1
            return failure["status"], failure.get("fields", ""), {"error": {"message": "no"}}
        value = {"object": "list", "echo": wanted.get("input"), "model": wanted.get("model")}
        if "bytes" in wanted:
            value["filling"] = "x" * wanted["bytes"]
        if wanted.get("tell"):
            value["head"] = connection.head
        return 200, "", value


class Connection(asyncio.Protocol):
    """One client."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.buffer = b""
        self.head = ""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        while (end := self.buffer.find(b"\r\n\r\n")) >= 0:
            head = self.buffer[:end].decode("latin-1")
            length = 0
            for line in head.split("\r\n")[1:]:
                name, _, value = line.partition(":")
                if name.lower() == "content-length":
                    length = int(value)
            if len(self.buffer) < end + 4 + length:
                return
            body = self.buffer[end + 4 : end + 4 + length]
            self.buffer = self.buffer[end + 4 + length :]
            self.head = head
            if head.startswith("GET /stats"):
                self.send(200, self.engine.stats)
            else:
                self.engine.enter(self, json.loads(body or b"{}"))

    def send(self, status: int, value: Any, fields: str = "") -> None:
        """Sends a whole answer."""
        if self.transport.is_closing():
            return
        body = json.dumps(value).encode()
        self.transport.write(
            f"HTTP/1.1 {status} X\r\nContent-Type: application/json\r\n{fields}"
            f"Content-Length: {len(body)}\r\n\r\n".encode()
            + body
        )


async def serve(slots: int, milliseconds: float, spread: float) -> None:
    """Serves until the process is ended."""
    engine = Engine(slots, milliseconds / 1000, spread)
    server = await asyncio.get_running_loop().create_server(
        lambda: Connection(engine), "127.0.0.1", 0, backlog=1024
    )
    host, port = server.sockets[0].getsockname()
    print(json.dumps({"listening": f"http://{host}:{port}"}), flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--slots", type=int, default=16)
    parser.add_argument("--milliseconds", type=float, default=0)
    parser.add_argument("--spread", type=float, default=0)
    options = parser.parse_args()
    asyncio.run(serve(options.slots, options.milliseconds, options.spread))
