"""A simulated engine for the end-to-end tests: it speaks OpenAI's and Anthropic's dialects, and those of Ollama, TGI,
SGLang and Triton by `engine_fixtures.py`; it streams tokens at a steady pace, computes at most so many answers at once,
and stops when its client has left. With --refuse it answers what finds no slot as such engines do when they are full.

    python inference_engine.py [--slots 4] [--tokens 8] [--interval 0.01] [--refuse]

It prints its address as JSON, like the embedding server. `GET /stats` tells how many answers run now, were completed, and were cancelled, and when the
last one was cancelled.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import time
from typing import Any

from engine_fixtures import Fixture


class Engine:
    """The engine's slots and counters."""

    def __init__(self, slots: int, tokens: int, interval: float, refuses: bool = False) -> None:
        self.refuses = refuses
        self.slots = asyncio.Semaphore(slots)
        self.tokens = tokens
        self.interval = interval
        self.stats: dict[str, Any] = {"running": 0, "completed": 0, "cancelled": 0, "cancelled_at": 0.0, "models": []}
        self.stats["stream_options"] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection: a request after another."""
        try:
            while await self.exchange(reader, writer):
                pass
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """One request and its answer; False when the connection is over."""
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        lines = head.split("\r\n")
        path = lines[0].split(" ")[1]
        fields = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])}
        body = await reader.readexactly(int(fields.get("content-length", "0")))
        if path == "/stats":
            self.answer(writer, self.stats)
            return True
        asked = json.loads(body)
        self.stats["models"].append(asked.get("model"))
        self.stats["stream_options"].append(asked.get("stream_options"))
        # A client says nothing while it waits: whatever is to be read is its end.
        gone = asyncio.ensure_future(reader.read(1))
        work = asyncio.ensure_future(self.compute(writer, path, asked))
        await asyncio.wait([gone, work], return_when=asyncio.FIRST_COMPLETED)
        if not work.done():
            self.stats["cancelled"] += 1
            self.stats["cancelled_at"] = time.time()
            work.cancel()
            return False
        await work
        gone.cancel()
        try:
            await gone
        except asyncio.CancelledError:
            return True
        return False

    async def compute(self, writer: asyncio.StreamWriter, path: str, asked: dict[str, Any]) -> None:
        """Answers when a slot is free."""
        fixture = Fixture.of(path, asked)
        if self.refuses and fixture and self.slots.locked():
            self.answer(writer, fixture.overload, fixture.overload_status)
            return
        async with self.slots:
            self.stats["running"] += 1
            try:
                if fixture:
                    await self.play(writer, fixture)
                elif asked.get("stream"):
                    await self.stream(writer, path, asked)
                else:
                    await asyncio.sleep(self.tokens * self.interval)
                    self.answer(writer, self.whole(path, asked))
                self.stats["completed"] += 1
            finally:
                self.stats["running"] -= 1

    def answer(self, writer: asyncio.StreamWriter, value: Any, status: int = 200) -> None:
        """Writes a whole answer."""
        body = value if isinstance(value, bytes) else json.dumps(value).encode()
        head = f"HTTP/1.1 {status} Status\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        writer.write(head.encode() + body)

    async def play(self, writer: asyncio.StreamWriter, fixture: Fixture) -> None:
        """Answers as another engine does."""
        if not fixture.is_stream:
            await asyncio.sleep(self.tokens * self.interval)
            self.answer(writer, fixture.whole)
            return
        head = f"HTTP/1.1 200 OK\r\nContent-Type: {fixture.content_type}\r\nTransfer-Encoding: chunked\r\n\r\n"
        writer.write(head.encode())
        for event in fixture.events(self.tokens):
            writer.write(b"%x\r\n%s\r\n" % (len(event), event))
            await writer.drain()
            await asyncio.sleep(self.interval)
        writer.write(b"0\r\n\r\n")

    def whole(self, path: str, asked: dict[str, Any]) -> dict[str, Any]:
        """A whole answer's value."""
        text = "token " * self.tokens
        if path == "/v1/messages":
            return {
                "id": "msg_1", "type": "message", "role": "assistant", "model": asked["model"],
                "content": [{"type": "text", "text": text}], "stop_reason": "end_turn", "stop_sequence": None,
                "usage": {"input_tokens": 11, "output_tokens": self.tokens},
            }  # fmt: skip
        return {
            "id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": asked["model"],
            "choices": [{"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": 11, "completion_tokens": self.tokens, "total_tokens": 11 + self.tokens},
        }  # fmt: skip

    async def stream(self, writer: asyncio.StreamWriter, path: str, asked: dict[str, Any]) -> None:
        """Writes events, one a token."""
        writer.write(
            b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
        )
        events = self.anthropic_events(asked) if path == "/v1/messages" else self.openai_events(asked)
        for event in events:
            writer.write(b"%x\r\n%s\r\n" % (len(event), event))
            await writer.drain()
            await asyncio.sleep(self.interval)
        writer.write(b"0\r\n\r\n")

    def openai_events(self, asked: dict[str, Any]) -> list[bytes]:
        """A chat completion's chunks."""
        base = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": asked["model"]}
        values = [
            base | {"choices": [{"index": 0, "delta": {"content": "token "}, "finish_reason": None}]}
            for _ in range(self.tokens)
        ]
        usage = {"prompt_tokens": 11, "completion_tokens": self.tokens, "total_tokens": 11 + self.tokens}
        values.append(base | {"choices": [], "usage": usage})
        return [b"data: %s\n\n" % json.dumps(value).encode() for value in values] + [b"data: [DONE]\n\n"]

    def anthropic_events(self, asked: dict[str, Any]) -> list[bytes]:
        """A message's events."""
        message = {
            "id": "msg_1", "type": "message", "role": "assistant", "model": asked["model"], "content": [],
            "stop_reason": None, "stop_sequence": None, "usage": {"input_tokens": 11, "output_tokens": 1},
        }  # fmt: skip
        delta = {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "token "}}
        values: list[dict[str, Any]] = [
            {"type": "message_start", "message": message},
            {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
            {"type": "ping"},
            *[delta] * self.tokens,
            {"type": "content_block_stop", "index": 0},
            {
                "type": "message_delta",
                "delta": {"stop_reason": "end_turn", "stop_sequence": None},
                "usage": {"output_tokens": self.tokens},
            },
            {"type": "message_stop"},
        ]
        return [b"event: %s\ndata: %s\n\n" % (value["type"].encode(), json.dumps(value).encode()) for value in values]


async def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--slots", type=int, default=4)
    parser.add_argument("--tokens", type=int, default=8)
    parser.add_argument("--interval", type=float, default=0.01)
    parser.add_argument("--refuse", action="store_true")
    options = parser.parse_args()
    engine = Engine(options.slots, options.tokens, options.interval, options.refuse)
    server = await asyncio.start_server(engine.serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    print(json.dumps({"listening": f"http://127.0.0.1:{port}"}), flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
