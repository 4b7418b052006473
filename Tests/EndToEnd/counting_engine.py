"""An engine that counts what runs in it, for workers beside it: it has no queue, and whatever comes runs at once.

A request runs for --milliseconds, or sends ten events meanwhile on a path that ends in /stream; one whose client leaves ends
at once. `GET /seen` tells what was seen; prints its address as JSON.
"""

from __future__ import annotations

import argparse
import asyncio
import json
from typing import Any

seen: dict[str, Any] = {"running": 0, "most": 0, "answered": 0, "cancelled": 0, "fields": {}}


async def gone_within(seconds: float, reader: asyncio.StreamReader) -> bool:
    """Whether the client leaves within that time."""
    try:
        data = await asyncio.wait_for(reader.read(1), seconds)
    except TimeoutError:
        return False
    assert not data, "bytes behind a request"
    return True


async def run(path: str, body: bytes, seconds: float, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
    """One request; whether its client stayed to the end."""
    if path.endswith("/busy"):
        writer.write(b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 2\r\nContent-Length: 4\r\n\r\nbusy")
        return True
    if path.endswith("/stream"):
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
        for index in range(10):
            event = b"data: %d\n\n" % index
            writer.write(b"%x\r\n%b\r\n" % (len(event), event))
            if await gone_within(seconds / 10, reader):
                return False
        writer.write(b"0\r\n\r\n")
        return True
    if seconds and await gone_within(seconds, reader):
        return False
    answer = body or b"nothing"
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(answer), answer))
    await writer.drain()
    return True


async def serve(seconds: float, pause: float, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """One connection, a request after another."""
    try:
        while True:
            lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
            method, path, _ = lines[0].split(" ")
            fields = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:] if line)}
            body = b""
            if "content-length" in fields:
                await asyncio.sleep(pause)
                body = await reader.readexactly(int(fields["content-length"]))
            elif fields.get("transfer-encoding") == "chunked":
                while size := int((await reader.readline()).strip(), 16):
                    body += (await reader.readexactly(size + 2))[:-2]
                await reader.readline()
            if path == "/seen":
                body = json.dumps(seen).encode()
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))
                continue
            if method == "HEAD" or path == "/health":
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
                continue
            seen["fields"] = fields
            seen["running"] += 1
            seen["most"] = max(seen["most"], seen["running"])
            try:
                stayed = await run(path, body, seconds, reader, writer)
            finally:
                seen["running"] -= 1
            seen["answered" if stayed else "cancelled"] += 1
            if not stayed:
                return
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    finally:
        writer.close()


async def main() -> None:
    """Serves until the process is ended."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--milliseconds", type=float, default=0)
    parser.add_argument("--pause", type=float, default=0, help="seconds until it reads a body")
    options = parser.parse_args()
    server = await asyncio.start_server(
        lambda reader, writer: serve(options.milliseconds / 1000, options.pause, reader, writer), "127.0.0.1", options.port, backlog=1000
    )
    host, port = server.sockets[0].getsockname()
    print(json.dumps({"listening": f"http://{host}:{port}"}), flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
