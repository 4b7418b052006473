"""The clients: wrk for load, and sockets for what has to be exact, a known number of requests on known connections."""

from __future__ import annotations

import re
import select
import socket
import subprocess
import threading
import time
from dataclasses import dataclass

from processes import BenchError
from subjects import Subject

CONNECTIONS = 64


@dataclass(frozen=True)
class Load:
    """What a run of wrk did."""

    requests: int
    refused: int


def run_wrk(subject: Subject, path: str, seconds: float, core: int) -> Load:
    """Keeps 64 connections busy for a while. Requests that got no answer are an error."""
    command = ["taskset", "-c", str(core), "wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds:g}s"]
    result = subprocess.run(
        [*command, subject.url(path)], capture_output=True, text=True, check=False)
    requests = re.search(r"(\d+) requests in", result.stdout)
    if result.returncode != 0 or not requests or int(requests[1]) == 0:
        raise BenchError(f"wrk on {subject.name}: {result.stdout}{result.stderr}")
    if "Socket errors" in result.stdout:
        raise BenchError(f"wrk on {subject.name} lost connections: {result.stdout}")
    refused = re.search(r"Non-2xx or 3xx responses: (\d+)", result.stdout)
    return Load(int(requests[1]), int(refused[1]) if refused else 0)


def read_answer(client: socket.socket) -> int:
    """Reads an answer with a Content-Length to its end and returns its status."""
    received = b""
    while b"\r\n\r\n" not in received:
        received += receive(client)
    head, body = received.split(b"\r\n\r\n", 1)
    length = re.search(rb"(?i)\ncontent-length:\s*(\d+)", head)
    missing = (int(length[1]) if length else 0) - len(body)
    while missing > 0:
        missing -= len(receive(client))
    return int(head.split(b" ", 2)[1])


def receive(client: socket.socket) -> bytes:
    """The bytes that come next."""
    data = client.recv(65536)
    if not data:
        raise BenchError("a connection was closed before its answer was complete")
    return data


class Clients:
    """Keep-alive connections to one subject."""

    def __init__(self, subject: Subject, count: int) -> None:
        self._host = f"127.0.0.1:{subject.port}"
        self._sockets: list[socket.socket] = []
        for _ in range(count):
            client = socket.create_connection(("127.0.0.1", subject.port), timeout=20)
            self._sockets.append(client)

    def __enter__(self) -> "Clients":
        return self

    def __exit__(self, *_: object) -> None:
        for client in self._sockets:
            client.close()

    def exchange(self, path: str, expected: int, together: bool = True) -> None:
        """One request on each connection, all at once or one after the other."""
        request = self._request(path)
        if together:
            for client in self._sockets:
                client.sendall(request)
        for client in self._sockets:
            if not together:
                client.sendall(request)
            status = read_answer(client)
            if status != expected:
                raise BenchError(f"{path} on {self._host} was answered with {status}")

    def open_streams(self, path: str) -> None:
        """A request on each connection whose answer has begun but does not end."""
        for client in self._sockets:
            client.sendall(self._request(path))
        for client in self._sockets:
            received = b""
            while b"data:" not in received:
                received += receive(client)

    def _request(self, path: str) -> bytes:
        return f"GET {path} HTTP/1.1\r\nHost: {self._host}\r\n\r\n".encode()


class StreamOrigin:
    """A server of event streams that go on until the other side leaves: the head, then an event every half second."""

    HEAD = (
        b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-cache\r\n"
        b"Transfer-Encoding: chunked\r\n\r\n"
    )
    PERIOD_SECONDS = 0.5
    EVENT = b'data: {"choices":[{"index":0,"delta":{"content":"token"}}]}\n\n'

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=4096)
        self.port: int = self._listener.getsockname()[1]
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Ends all streams."""
        self._ended.set()
        self._thread.join()
        self._listener.close()

    def _serve(self) -> None:
        event = f"{len(self.EVENT):x}\r\n".encode() + self.EVENT + b"\r\n"
        poller = select.poll()
        poller.register(self._listener, select.POLLIN)
        streams: dict[int, socket.socket] = {}
        begun: set[int] = set()
        due = time.monotonic() + self.PERIOD_SECONDS
        while not self._ended.is_set():
            for descriptor, _ in poller.poll(max(0.0, due - time.monotonic()) * 1000):
                if descriptor == self._listener.fileno():
                    stream, _ = self._listener.accept()
                    streams[stream.fileno()] = stream
                    poller.register(stream, select.POLLIN)
                elif asks(streams[descriptor]):
                    streams[descriptor].sendall(self.HEAD + event)
                    begun.add(descriptor)
                else:
                    poller.unregister(descriptor)
                    begun.discard(descriptor)
                    streams.pop(descriptor).close()
            if time.monotonic() >= due:
                due += self.PERIOD_SECONDS
                for descriptor in begun:
                    streams[descriptor].sendall(event)
        for stream in streams.values():
            stream.close()


def asks(stream: socket.socket) -> bool:
    """Takes a request from a connection; false when it was closed."""
    try:
        return bool(stream.recv(65536))
    except OSError:
        return False
