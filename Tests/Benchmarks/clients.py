"""The clients: wrk and load.c for load, and sockets for what has to be exact: so many requests on so many connections."""

from __future__ import annotations

import math
import re
import signal
import socket
import ssl
import subprocess
import time
from dataclasses import dataclass

from processes import BenchError, cpu_seconds
from subjects import Direct, Setting, Subject

CONNECTIONS = 64
CHAT = "/v1/chat/completions"


def chat_body(prompt_bytes: int) -> bytes:
    """A chat request whose prompt has about so many bytes, as chat.lua has it."""
    words = "the quick brown fox " * -(-prompt_bytes // 20)
    return f'{{"model":"x","messages":[{{"role":"user","content":"{words}"}}],"max_tokens":16}}'.encode()


@dataclass(frozen=True)
class Load:
    """What a run of wrk did."""

    requests: int
    refused: int


def run_wrk(
    subject: Subject, path: str, seconds: float, connections: int = CONNECTIONS, *options: str,
    after: tuple[str, ...] = (),
) -> Load:
    """Keeps connections busy for a while. Requests that got no answer are an error; `after` are a script's arguments."""
    core = subject.setting.load_core
    command = ["taskset", "-c", str(core), "wrk", "-t1", f"-c{connections}", f"-d{math.ceil(seconds)}s", *options]
    wrk = subprocess.Popen(
        [*command, subject.url(path), *(("--", *after) if after else ())],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        if seconds != math.ceil(seconds):
            # It knows whole seconds, but ends with its report when it is interrupted.
            time.sleep(seconds)
            wrk.send_signal(signal.SIGINT)
        told, _ = wrk.communicate()
    except BaseException:
        wrk.kill()
        raise
    requests = re.search(r"(\d+) requests in", told)
    if wrk.returncode != 0 or not requests or int(requests[1]) == 0:
        raise BenchError(f"wrk on {subject.name}: {told}")
    if "Socket errors" in told:
        raise BenchError(f"wrk on {subject.name} lost connections: {told}")
    refused = re.search(r"Non-2xx or 3xx responses: (\d+)", told)
    return Load(int(requests[1]), int(refused[1]) if refused else 0)


@dataclass(frozen=True)
class Streams:
    """What a run of event streams was: events, the proxy's CPU time meanwhile, and times to first events."""

    events: int
    cpu_seconds: float
    first_p50_seconds: float
    first_p99_seconds: float


def run_streams(
    subject: Subject, count: int, period: int, seconds: float, probes: int, *more: str
) -> Streams:
    """Reads event streams at a steady pace (load.c); `period` is in milliseconds."""
    load = start_load(
        subject.setting, "streams", subject.port, count, period, seconds, probes, *more)
    assert load.stdout
    before = spent = 0.0
    events = 0
    told = ""
    for line in load.stdout:
        told += line
        words = line.split()
        if words[0] == "begin":
            before = cpu_seconds(subject.pid)
        elif words[0] == "end":
            spent = cpu_seconds(subject.pid) - before
            events = int(words[1])
    first = re.search(r"first (\d+) (\d+)", told)
    if load.wait() != 0 or not first or not events:
        raise BenchError(f"streams through {subject.name}: {told}")
    return Streams(events, spent, int(first[1]) / 1e9, int(first[2]) / 1e9)


@dataclass(frozen=True)
class Rate:
    """What a run of requests at a rate was: their times, connections that were closed, and requests asked again for it."""

    p50_seconds: float
    p99_seconds: float
    reopened: int
    repeated: int


def run_rate(subject: Subject | Direct, rate: int, seconds: float, *more: str) -> Rate:
    """Sends requests at a rate (load.c)."""
    load = start_load(subject.setting, "rate", subject.port, rate, seconds, CONNECTIONS, *more)
    told, _ = load.communicate()
    run = re.search(r"latency (\d+) (\d+) \d+ (\d+) (\d+)", told)
    if load.returncode != 0 or not run:
        raise BenchError(f"{rate} requests a second to {subject.name}: {told}")
    return Rate(int(run[1]) / 1e9, int(run[2]) / 1e9, int(run[3]), int(run[4]))


def start_load(setting: Setting, *arguments: object) -> subprocess.Popen[str]:
    """Starts load.c on the load's core; its standard error goes where it said what went wrong."""
    command = ["taskset", "-c", str(setting.load_core), str(setting.directory / "load")]
    return subprocess.Popen(
        [*command, *map(str, arguments)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


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


def fetch(port: int, path: str) -> None:
    """One GET on a connection of its own."""
    with socket.create_connection(("127.0.0.1", port), timeout=20) as client:
        client.sendall(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n".encode())
        if read_answer(client) != 200:
            raise BenchError(f"{path} on port {port} was not answered with 200")


class DrivenStream:
    """An event stream through a proxy whose events are asked for one by one at the origin (origin.c)."""

    def __init__(self, subject: Subject) -> None:
        self._stream = socket.create_connection(("127.0.0.1", subject.port), timeout=20)
        self._origin = socket.create_connection(("127.0.0.1", subject.setting.stream_port), timeout=20)
        self._stream.sendall(b"GET /stream/0 HTTP/1.1\r\nHost: x\r\n\r\n")
        self._read_event()

    def __enter__(self) -> "DrivenStream":
        return self

    def __exit__(self, *_: object) -> None:
        self._stream.close()
        self._origin.close()

    def next_event(self) -> None:
        """Has an event sent and waits until it is here."""
        self._origin.sendall(b"GET /tick HTTP/1.1\r\nHost: x\r\n\r\n")
        self._read_event()
        read_answer(self._origin)

    def _read_event(self) -> None:
        # Each event has one tilde, and ends with its chunk's line end.
        received = b""
        while b"~" not in received or not received.endswith(b"\r\n"):
            received += receive(self._stream)


class Clients:
    """Keep-alive connections to one subject."""

    def __init__(self, subject: Subject, count: int) -> None:
        self._host = f"127.0.0.1:{subject.port}"
        self._sockets: list[socket.socket] = []
        context = ssl.create_default_context(cafile=f"{subject.certificate}.pem") if subject.certificate else None
        for _ in range(count):
            client = socket.create_connection(("127.0.0.1", subject.port), timeout=20)
            self._sockets.append(context.wrap_socket(client, server_hostname="127.0.0.1") if context else client)

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

    def post(self, path: str, body: bytes) -> None:
        """Sends a request with a body on each connection, and waits for no answer."""
        fields = f"Host: {self._host}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}"
        for client in self._sockets:
            client.sendall(f"POST {path} HTTP/1.1\r\n{fields}\r\n\r\n".encode() + body)

    def _request(self, path: str) -> bytes:
        if path != CHAT:
            return f"GET {path} HTTP/1.1\r\nHost: {self._host}\r\n\r\n".encode()
        body = chat_body(1000)
        fields = f"Host: {self._host}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}"
        return f"POST {path} HTTP/1.1\r\n{fields}\r\n\r\n".encode() + body
