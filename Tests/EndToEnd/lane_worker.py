"""A worker, written from the description of the protocol alone: it knows nothing of the gateway but its address.

It opens connections to the gateway, asks on each to change sides (`Upgrade: ptth`), and then answers the requests that come
down, one after the other. A connection that waits is a credit. It works for `--milliseconds` on each request, or sends
events for as long on a path that ends in /stream; `/error` is answered with 500. As a process it has a page of its own on a
port that it prints: `GET /` tells what it has seen, `PUT /credits/N` opens and closes connections. With `--listen` it is a
backend instead, so that the two ways can be compared.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import ssl
from dataclasses import asdict, dataclass, field


@dataclass
class Seen:
    """What has come."""

    opened: int = 0
    refused: list[int] = field(default_factory=list)
    answered: int = 0
    running: int = 0
    most_running: int = 0
    cancelled: int = 0
    probes: int = 0
    expected: int = 0
    queue: list[int] = field(default_factory=list)
    resting: int = 0


class Worker:
    """Connections to one gateway."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.seen = Seen()
        self.credits = 0
        self.tasks: set[asyncio.Task[None]] = set()
        self.resting: list[asyncio.StreamWriter] = []
        self.serving = 0

    def set_credits(self, count: int) -> None:
        """Opens connections, or closes those that rest."""
        self.credits = count
        while len(self.tasks) < count:
            task = asyncio.ensure_future(self.keep())
            self.tasks.add(task)
            task.add_done_callback(self.tasks.discard)
        for writer in self.resting[: max(0, len(self.tasks) - count)]:
            writer.close()

    async def keep(self) -> None:
        """Keeps one credit: opens a connection again, after a while, whenever one has ended."""
        pause = 0.1
        while len(self.tasks) <= self.credits:
            try:
                if await self.connection():
                    pause = 0.1
            except (OSError, asyncio.IncompleteReadError, ssl.SSLError):
                pass
            if len(self.tasks) > self.credits:
                return
            await asyncio.sleep(random.uniform(0, pause))
            pause = min(30.0, 2 * pause)

    async def keep_control(self) -> None:
        """Keeps a connection that carries nothing but signs of life, also while all others carry requests."""
        while True:
            try:
                await self.connection(is_control=True)
            except (OSError, asyncio.IncompleteReadError, ssl.SSLError):
                pass
            await asyncio.sleep(random.uniform(0.1, 1))

    async def connection(self, is_control: bool = False) -> bool:
        """One connection, to its end; whether it was taken."""
        options = self.options
        asked = f'credits={options.declare or max(1, self.credits)}; engine="test"{"; control" if is_control else ""}'
        context = ssl.create_default_context(cafile=options.ca) if options.ca else None
        reader, writer = await asyncio.open_connection(options.host, options.port, ssl=context)
        try:
            writer.write(
                f"GET /v1/workers/{options.pool} HTTP/1.1\r\nHost: gw\r\nConnection: upgrade\r\nUpgrade: ptth\r\n"
                f"ALPN: http%2F1.1\r\nAuthorization: Bearer {options.key}\r\n"
                f"Penstock-Worker: {options.name}; {asked}\r\n\r\n".encode()
            )
            head = await reader.readuntil(b"\r\n\r\n")
            status = int(head.split()[1])
            if status != 101:
                self.seen.refused.append(status)
                return False
            assert b"upgrade: ptth" in head.lower(), head
            if is_control:
                while await reader.readuntil(b"\r\n\r\n"):
                    self.seen.probes += 1
                    writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")
            self.seen.opened += 1
            while await self.serve_one(reader, writer):
                pass
            return True
        finally:
            writer.close()

    async def dialled(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection that a gateway has opened."""
        try:
            while await self.serve_one(reader, writer):
                pass
        finally:
            writer.close()

    async def serve_one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Answers one request; false where none came."""
        self.resting.append(writer)
        self.seen.resting = len(self.resting)
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError as end:
            assert not end.partial, end.partial
            return False
        finally:
            self.resting.remove(writer)
            self.seen.resting = len(self.resting)
        lines = head.decode("latin-1").split("\r\n")
        method, target, _ = lines[0].split(" ")
        fields = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:] if line)}
        if method == "OPTIONS" and target == "*":
            self.seen.probes += 1
            writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")
            return True
        self.seen.running += 1
        self.seen.most_running = max(self.seen.most_running, self.seen.running)
        self.seen.queue.append(int(fields.get("penstock-queue", "0")))
        try:
            body = b""
            if fields.get("expect", "").lower() == "100-continue":
                self.seen.expected += 1
                if self.options.hold:
                    await asyncio.sleep(self.options.hold / 1000)
                writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            if "content-length" in fields:
                body = await reader.readexactly(int(fields["content-length"]))
            elif fields.get("transfer-encoding", "").lower() == "chunked":
                while size := int((await reader.readline()).strip(), 16):
                    body += (await reader.readexactly(size + 2))[:-2]
                await reader.readline()
            return await self.answer(method, target, body, reader, writer)
        finally:
            self.seen.running -= 1

    async def answer(
        self, method: str, target: str, body: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> bool:
        """Works, and answers unless the gateway closes meanwhile."""
        seconds = self.options.milliseconds / 1000
        if target.endswith("/stream"):
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
            for index in range(10):
                event = f"data: {self.options.name} {index}\n\n".encode()
                writer.write(b"%x\r\n%b\r\n" % (len(event), event))
                if await self.closed_within(seconds / 10, reader):
                    return False
            writer.write(b"0\r\n\r\n")
        else:
            if await self.closed_within(seconds, reader):
                return False
            text = json.dumps({"worker": self.options.name, "method": method, "target": target, "body": body.decode()})
            status = b"500 Internal Server Error" if target.endswith("/error") else b"200 OK"
            writer.write(b"HTTP/1.1 %b\r\nContent-Type: application/json\r\nContent-Length: %d\r\n" % (status, len(text)))
            if (len(self.tasks) > self.credits and not self.options.listen) or self.options.once:
                writer.write(b"Connection: close\r\n")
            writer.write(b"\r\n" + text.encode())
        await writer.drain()
        self.seen.answered += 1
        return (self.options.listen or len(self.tasks) <= self.credits) and not self.options.once

    async def closed_within(self, seconds: float, reader: asyncio.StreamReader) -> bool:
        """Waits, and tells whether the gateway closed meanwhile: nobody wants the answer any more."""
        try:
            data = await asyncio.wait_for(reader.read(1), seconds)
        except TimeoutError:
            return False
        assert not data, "bytes behind a request"
        self.seen.cancelled += 1
        return True

    async def page(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answers the test."""
        line = (await reader.readuntil(b"\r\n\r\n")).split(b"\r\n")[0].decode()
        if line.startswith("PUT /credits/"):
            self.set_credits(int(line.split()[1].rsplit("/", 1)[1]))
        text = json.dumps(asdict(self.seen)).encode()
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%b" % (len(text), text))
        await writer.drain()
        writer.close()


async def main(options: argparse.Namespace) -> None:
    """Works until the process is ended."""
    worker = Worker(options)
    server = await asyncio.start_server(worker.dialled if options.listen else worker.page, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()
    print(json.dumps({"listening": f"http://{host}:{port}"}), flush=True)
    if not options.listen:
        worker.set_credits(options.credits)
    async with asyncio.TaskGroup() as tasks:
        if options.control:
            tasks.create_task(worker.keep_control())
        tasks.create_task(server.serve_forever())


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("host")
    parser.add_argument("port", type=int)
    parser.add_argument("--pool", default="chat")
    parser.add_argument("--key", required=True)
    parser.add_argument("--name", default="w1")
    parser.add_argument("--credits", type=int, default=4)
    parser.add_argument("--declare", type=int, default=0, help="what it says that it opens, instead")
    parser.add_argument("--milliseconds", type=float, default=0)
    parser.add_argument("--hold", type=float, default=0, help="milliseconds until it takes a request with a body")
    parser.add_argument("--listen", action="store_true", help="is a backend that is dialled, at the address that it prints")
    parser.add_argument("--control", action="store_true", help="a connection besides that shows that it lives")
    parser.add_argument("--once", action="store_true", help="a connection for each request")
    parser.add_argument("--ca", help="authorities of a gateway that speaks TLS")
    asyncio.run(main(parser.parse_args()))
