#!/usr/bin/env python3
"""An inference server with a real model: the backend of the end-to-end tests.

It speaks as much of the OpenAI dialect as its clients need: `POST /v1/embeddings` computes all-MiniLM-L6-v2,
`POST /v1/chat/completions` echoes the words of the last message (as an event stream when asked), and `GET
/v1/models` names the model; `POST /upload` tells what arrived of any body. Like most inference servers it computes a fixed number of requests at once
(`--concurrency`) and lets any number wait; the gateway in front is what keeps them away.

What makes it a test instrument is `GET /stats`: how many requests it held at once at most, how each ended,
and when the words of each stream were made, in seconds of CLOCK_MONOTONIC, which all processes share.
It prints one line of JSON once it serves: {"listening": "http://127.0.0.1:PORT"}.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import hashlib
import json
import re
import sys
import time
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, field
from typing import Any

MODEL_NAME = "all-MiniLM-L6-v2"
MAX_HEAD_BYTES = 64 * 1024
MAX_BODY_BYTES = 64 << 20
REASONS = {200: "OK", 400: "Bad Request", 404: "Not Found", 405: "Method Not Allowed"}


class ClientGone(Exception):
    """The client closed its connection before it had the whole answer."""


class RequestError(Exception):
    """A request that is answered with `status`."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


@dataclass
class Request:
    """A request whose body has been read."""

    method: str
    path: str
    version: str
    headers: dict[str, str]
    body: bytes

    @property
    def keep_alive(self) -> bool:
        """Whether the connection stays open after the answer."""
        connection = self.headers.get("connection", "").lower()
        return "close" not in connection and (self.version == "HTTP/1.1" or "keep-alive" in connection)

    def json(self) -> dict[str, Any]:
        """The body as a JSON object."""
        try:
            value = json.loads(self.body)
        except ValueError as error:
            raise RequestError(400, f"the body is not JSON: {error}") from error
        if not isinstance(value, dict):
            raise RequestError(400, "the body is not a JSON object")
        return value


@dataclass
class StreamRecord:
    """When the words of one stream were made."""

    words: int
    made_at: list[float] = field(default_factory=list)
    aborted: bool = False


@dataclass
class Stats:
    """What the server saw since it started or since `POST /stats/reset`.

    `held` counts inference requests from their complete arrival to their answer's last byte, so waiting ones
    too; every one of them ends in `finished` or in `aborted`.
    """

    held: int = 0
    max_held: int = 0
    computing: int = 0
    max_computing: int = 0
    received: int = 0
    started: int = 0
    finished: int = 0
    aborted: int = 0
    connections: int = 0
    streams: list[StreamRecord] = field(default_factory=list)

    def reset(self) -> None:
        """Forgets everything but what is going on."""
        held, computing, connections = self.held, self.computing, self.connections
        self.__init__(held, held, computing, computing)  # type: ignore[misc]
        self.connections = connections


class Connection:
    """One client: parses its requests and notices when it leaves."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._early = b""

    async def read_request(self) -> Request | None:
        """The next request, or None at the end of the connection."""
        head = await self._read_head()
        if head is None:
            return None
        lines = head.decode("latin-1").split("\r\n")
        method, path, version = lines[0].split(" ")
        headers = {}
        for line in lines[1:]:
            if line:
                name, _, value = line.partition(":")
                headers[name.lower()] = value.strip()
        if headers.get("expect", "").lower() == "100-continue":
            await self.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        return Request(method, path, version, headers, await self._read_body(headers))

    async def _read_head(self) -> bytes | None:
        early, self._early = self._early, b""
        try:
            return early + await self._reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError:
            return None

    async def _read_body(self, headers: dict[str, str]) -> bytes:
        if headers.get("transfer-encoding", "").lower() == "chunked":
            return await self._read_chunks()
        length = int(headers.get("content-length", "0"))
        if length > MAX_BODY_BYTES:
            raise RequestError(400, "the body is too large")
        return await self._reader.readexactly(length)

    async def _read_chunks(self) -> bytes:
        body = b""
        while True:
            size = int((await self._reader.readline()).split(b";")[0], 16)
            if size == 0:
                while await self._reader.readline() not in (b"\r\n", b""):
                    pass
                return body
            body += await self._reader.readexactly(size)
            await self._reader.readexactly(2)

    async def until_gone(self) -> None:
        """Returns when the client has closed its side, by FIN or RST; a next request is kept for later."""
        while not self._early:
            if not await self._peek():
                return
        await asyncio.Event().wait()

    async def _peek(self) -> bool:
        try:
            self._early = await self._reader.read(1)
        except ConnectionError:
            return False
        return bool(self._early)

    async def write(self, data: bytes) -> None:
        """Sends `data`, waiting for a slow client."""
        try:
            self._writer.write(data)
            await self._writer.drain()
        except ConnectionError as error:
            raise ClientGone from error

    async def close(self) -> None:
        """Closes the connection."""
        self._writer.close()
        try:
            await self._writer.wait_closed()
        except ConnectionError:
            pass


class Server:
    """The endpoints, and the slots in which they compute."""

    def __init__(self, concurrency: int, token_delay: float, with_model: bool) -> None:
        self.stats = Stats()
        self._slots = asyncio.Semaphore(concurrency)
        self._threads = ThreadPoolExecutor(concurrency)
        self._token_delay = token_delay
        self._model = None
        if with_model:
            from minilm import MiniLM

            self._model = MiniLM.packaged()

    async def serve_connection(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """Answers a client's requests until it leaves."""
        connection = Connection(reader, writer)
        self.stats.connections += 1
        try:
            while request := await connection.read_request():
                await self._answer(connection, request)
                if not request.keep_alive:
                    break
        except (ClientGone, ConnectionError, asyncio.IncompleteReadError):
            pass
        except RequestError as error:
            await connection.write(error_response(error, keep_alive=False))
        except (ValueError, asyncio.LimitOverrunError) as error:
            malformed = RequestError(400, f"malformed request: {error}")
            await connection.write(error_response(malformed, keep_alive=False))
        finally:
            self.stats.connections -= 1
            await connection.close()

    async def _answer(self, connection: Connection, request: Request) -> None:
        try:
            await self._route(connection, request)
        except RequestError as error:
            await connection.write(error_response(error, request.keep_alive))

    async def _route(self, connection: Connection, request: Request) -> None:
        path = request.path.partition("?")[0]
        if path == "/stats" and request.method == "GET":
            await connection.write(json_response(request, asdict(self.stats)))
        elif path == "/stats/reset" and request.method == "POST":
            self.stats.reset()
            await connection.write(json_response(request, {}))
        elif path == "/v1/models" and request.method in ("GET", "HEAD"):
            models = [{"id": MODEL_NAME, "object": "model", "created": 0, "owned_by": "tests"}]
            await connection.write(json_response(request, {"object": "list", "data": models}))
        elif path == "/v1/embeddings" and request.method == "POST":
            await self._infer(connection, self._embeddings(connection, request))
        elif path == "/v1/chat/completions" and request.method == "POST":
            await self._infer(connection, self._chat(connection, request))
        elif path == "/upload" and request.method in ("POST", "PUT"):
            digest = hashlib.sha256(request.body).hexdigest()
            received = {"bytes": len(request.body), "sha256": digest, "headers": request.headers}
            await connection.write(json_response(request, received))
        else:
            raise RequestError(404, f"nothing at {request.method} {path}")

    async def _infer(self, connection: Connection, work: Any) -> None:
        """Runs `work` while watching the client: when it leaves, the work is cancelled, not finished."""
        stats = self.stats
        stats.received += 1
        stats.held += 1
        stats.max_held = max(stats.max_held, stats.held)
        running = asyncio.ensure_future(work)
        watching = asyncio.ensure_future(connection.until_gone())
        try:
            await asyncio.wait({running, watching}, return_when=asyncio.FIRST_COMPLETED)
            if not running.done():
                running.cancel()
            try:
                await running
            except asyncio.CancelledError:
                raise ClientGone from None
            stats.finished += 1
        except ClientGone:
            stats.aborted += 1
            raise
        except RequestError:
            stats.finished += 1
            raise
        finally:
            stats.held -= 1
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)

    @asynccontextmanager
    async def _slot(self) -> AsyncIterator[None]:
        async with self._slots:
            self.stats.started += 1
            self.stats.computing += 1
            self.stats.max_computing = max(self.stats.max_computing, self.stats.computing)
            try:
                yield
            finally:
                self.stats.computing -= 1

    async def _embeddings(self, connection: Connection, request: Request) -> None:
        body = request.json()
        texts = body.get("input")
        if isinstance(texts, str):
            texts = [texts]
        if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
            raise RequestError(400, "input must be a string or a list of strings")
        encoding = body.get("encoding_format", "float")
        if encoding not in ("float", "base64"):
            raise RequestError(400, "encoding_format must be float or base64")
        async with self._slot():
            answer = await self._compute(lambda: self._embed(texts, encoding))
        await connection.write(json_response(request, answer))

    async def _compute(self, function: Any) -> Any:
        """Runs `function` in a thread; a client that leaves does not free the slot before it is done."""
        job = asyncio.get_running_loop().run_in_executor(self._threads, function)
        try:
            return await asyncio.shield(job)
        except asyncio.CancelledError:
            await asyncio.wait({job})
            raise

    def _embed(self, texts: list[str], encoding: str) -> dict[str, Any]:
        if self._model is None:
            raise RequestError(404, "started without the model")
        data, token_count = [], 0
        for index, text in enumerate(texts):
            ids = self._model.tokens(text)
            token_count += len(ids)
            vector = self._model.embed(ids)
            packed = base64.b64encode(vector.astype("<f4").tobytes()).decode()
            embedding = packed if encoding == "base64" else vector.tolist()
            data.append({"object": "embedding", "index": index, "embedding": embedding})
        usage = {"prompt_tokens": token_count, "total_tokens": token_count}
        return {"object": "list", "data": data, "model": MODEL_NAME, "usage": usage}

    async def _chat(self, connection: Connection, request: Request) -> None:
        body = request.json()
        words = echoed_words(body)
        delay = float(body.get("token_delay", self._token_delay))
        record = StreamRecord(len(words))
        self.stats.streams.append(record)
        try:
            async with self._slot():
                if body.get("stream"):
                    await self._stream(connection, request, words, delay, record)
                else:
                    async for _ in paced(words, delay, record):
                        pass
                    await connection.write(json_response(request, chat_completion("".join(words))))
        except (asyncio.CancelledError, ClientGone):
            record.aborted = True
            raise

    async def _stream(
        self,
        connection: Connection,
        request: Request,
        words: list[str],
        delay: float,
        record: StreamRecord,
    ) -> None:
        await connection.write(
            response_head(request, 200, "text/event-stream", "Transfer-Encoding: chunked")
        )
        async for word in paced(words, delay, record):
            event = chat_chunk({"role": "assistant", "content": word}, None)
            await connection.write(chunk(b"data: " + json.dumps(event).encode() + b"\n\n"))
        last = b"data: " + json.dumps(chat_chunk({}, "stop")).encode() + b"\n\n"
        await connection.write(chunk(last) + chunk(b"data: [DONE]\n\n") + b"0\r\n\r\n")


async def paced(words: list[str], delay: float, record: StreamRecord) -> AsyncIterator[str]:
    """The words, one by one, each made `delay` seconds after the one before."""
    for word in words:
        await asyncio.sleep(delay)
        record.made_at.append(time.monotonic())
        yield word


def echoed_words(body: dict[str, Any]) -> list[str]:
    """The words of the last message, each with the blanks behind it."""
    messages = body.get("messages")
    if not isinstance(messages, list) or not messages:
        raise RequestError(400, "messages must be a list with at least one message")
    content = messages[-1].get("content")
    if not isinstance(content, str):
        raise RequestError(400, "content must be a string")
    return re.findall(r"\S+\s*", content)


def chat_chunk(delta: dict[str, str], finish_reason: str | None) -> dict[str, Any]:
    """One event of a chat stream."""
    choice = {"index": 0, "delta": delta, "finish_reason": finish_reason}
    return {
        "id": "chatcmpl-echo",
        "object": "chat.completion.chunk",
        "created": 0,
        "model": MODEL_NAME,
        "choices": [choice],
    }


def chat_completion(text: str) -> dict[str, Any]:
    """A whole chat answer."""
    message = {"role": "assistant", "content": text}
    return {
        "id": "chatcmpl-echo",
        "object": "chat.completion",
        "created": 0,
        "model": MODEL_NAME,
        "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
    }


def chunk(data: bytes) -> bytes:
    """A chunk of a chunked body."""
    return b"%x\r\n%b\r\n" % (len(data), data)


def response_head(request: Request, status: int, content_type: str, framing: str) -> bytes:
    """A response's head; `framing` is the field that says where the body ends."""
    connection = "keep-alive" if request.keep_alive else "close"
    return (
        f"HTTP/1.1 {status} {REASONS[status]}\r\nContent-Type: {content_type}\r\n{framing}\r\n"
        f"Connection: {connection}\r\n\r\n"
    ).encode()


def json_response(request: Request, value: Any, status: int = 200) -> bytes:
    """A whole JSON response, without its body if the request was a HEAD."""
    body = json.dumps(value).encode()
    head = response_head(request, status, "application/json", f"Content-Length: {len(body)}")
    return head if request.method == "HEAD" else head + body


def error_response(error: RequestError, keep_alive: bool) -> bytes:
    """An error in OpenAI's shape."""
    headers = {"connection": "keep-alive" if keep_alive else "close"}
    request = Request("GET", "/", "HTTP/1.1", headers, b"")
    detail = {"message": str(error), "type": "invalid_request_error", "param": None, "code": None}
    return json_response(request, {"error": detail}, error.status)


async def run(options: argparse.Namespace) -> None:
    """Serves until the process is ended."""
    server = Server(options.concurrency, options.token_delay, not options.no_model)
    if options.unix:
        listener = await asyncio.start_unix_server(
            server.serve_connection, options.unix, limit=MAX_HEAD_BYTES
        )
        address = f"http+unix://{options.unix}"
    else:
        listener = await asyncio.start_server(
            server.serve_connection, options.host, options.port, limit=MAX_HEAD_BYTES, backlog=1024
        )
        host, port = listener.sockets[0].getsockname()[:2]
        address = f"http://{host}:{port}"
    print(json.dumps({"listening": address}), flush=True)
    async with listener:
        await listener.serve_forever()


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0 lets the kernel choose")
    parser.add_argument("--unix", help="listen on this unix socket instead")
    parser.add_argument("--concurrency", type=int, default=1, help="requests computed at once")
    parser.add_argument("--token-delay", type=float, default=0.02, help="seconds between words")
    parser.add_argument("--no-model", action="store_true", help="chat only; needs nothing installed")
    try:
        asyncio.run(run(parser.parse_args()))
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
