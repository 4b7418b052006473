"""Clients and backends that misbehave on purpose: plain sockets, without an HTTP library's manners."""

from __future__ import annotations

import json
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

TIMEOUT_SECONDS = 15.0


class RawClient:
    """A TCP connection to `url` on which a test writes and reads bytes."""

    def __init__(self, url: str, receive_buffer: int | None = None, source: str | None = None) -> None:
        parts = urlsplit(url)
        assert parts.hostname and parts.port
        self.socket = socket.socket()
        self.socket.settimeout(TIMEOUT_SECONDS)
        if receive_buffer is not None:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        if source is not None:
            # The port is chosen when it is known with whom it must not clash.
            self.socket.setsockopt(socket.IPPROTO_IP, 24, 1)  # IP_BIND_ADDRESS_NO_PORT
            self.socket.bind((source, 0))
        self.socket.connect((parts.hostname, parts.port))
        self.received = b""

    def send(self, data: bytes) -> None:
        """Writes all of `data`."""
        self.socket.sendall(data)

    def read_until(self, marker: bytes) -> bytes:
        """Reads until `marker` has come and returns everything up to its end."""
        while marker not in self.received:
            data = self.socket.recv(65536)
            if not data:
                raise AssertionError(f"closed before {marker!r}: {self.received[-500:]!r}")
            self.received += data
        end = self.received.index(marker) + len(marker)
        taken, self.received = self.received[:end], self.received[end:]
        return taken

    def read_to_end(self) -> tuple[bytes, bool]:
        """Reads until the connection closes; also whether it was reset."""
        try:
            while data := self.socket.recv(65536):
                self.received += data
        except ConnectionResetError:
            return self.received, True
        return self.received, False

    def finish(self) -> None:
        """Sends FIN and keeps the other direction open."""
        self.socket.shutdown(socket.SHUT_WR)

    def reset(self) -> None:
        """Closes with RST."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def close(self) -> None:
        """Closes."""
        self.socket.close()

    def __enter__(self) -> RawClient:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def post_bytes(path: str, value: Any) -> bytes:
    """A POST of `value` as JSON, as bytes."""
    body = json.dumps(value).encode()
    return (
        f"POST {path} HTTP/1.1\r\nHost: gateway\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    ).encode() + body


def chat_bytes(words: int, delay: float, stream: bool = True) -> bytes:
    """A chat whose answer takes `words` times `delay` seconds."""
    text = " ".join(f"w{number}" for number in range(words))
    messages = [{"role": "user", "content": text}]
    value = {"messages": messages, "stream": stream, "token_delay": delay}
    return post_bytes("/v1/chat/completions", value)


def read_head(connection: socket.socket) -> bytes:
    """Reads a request up to the end of its head; what follows is left or dropped."""
    data = b""
    while b"\r\n\r\n" not in data:
        more = connection.recv(65536)
        if not more:
            break
        data += more
    return data


def echo_or_stream(connection: socket.socket) -> None:
    """A script of a backend that answers at once; at /slow/S after S seconds, at /stream/S with ten chunks a second for S."""
    while head := read_head(connection):
        path = head.split(b" ")[1].decode()
        if path.startswith("/slow/"):
            time.sleep(float(path.removeprefix("/slow/")))
        if path.startswith("/stream/"):
            connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
            for _ in range(round(float(path.removeprefix("/stream/")) * 10)):
                connection.sendall(b"1\r\n.\r\n")
                time.sleep(0.1)
            connection.sendall(b"4\r\nend.\r\n0\r\n\r\n")
            continue
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")


@contextmanager
def scripted_backend(
    script: Callable[[socket.socket], None], host: str = "127.0.0.1", port: int = 0
) -> Iterator[str]:
    """A backend that runs `script` with each connection in a thread and then closes it; gives its URL."""
    listener = socket.create_server((host, port), backlog=1024)
    listener.settimeout(0.1)
    ending = threading.Event()

    def serve(connection: socket.socket) -> None:
        with connection:
            connection.settimeout(TIMEOUT_SECONDS)
            try:
                script(connection)
            except OSError:
                pass

    def accept() -> None:
        while not ending.is_set():
            try:
                connection, _ = listener.accept()
            except TimeoutError:
                continue
            threading.Thread(target=serve, args=(connection,), daemon=True).start()

    accepting = threading.Thread(target=accept, daemon=True)
    accepting.start()
    try:
        yield f"http://{host}:{listener.getsockname()[1]}"
    finally:
        ending.set()
        accepting.join()
        listener.close()


@contextmanager
def secure_backend(
    certificates: Path, name: str, host: str = "127.0.0.1", port: int = 0
) -> Iterator[tuple[str, list[str | None]]]:
    """A backend that answers over TLS with the certificate called `name`; its URL, and the names it was asked by."""
    asked: list[str | None] = []
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates / f"{name}.pem", certificates / f"{name}.key")
    context.sni_callback = lambda _, name, __: asked.append(name)

    def serve(connection: socket.socket) -> None:
        with context.wrap_socket(connection, server_side=True) as secure:
            while head := read_head(secure):
                body = head.split(b"Host: ")[1].split(b"\r\n")[0]
                secure.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)

    with scripted_backend(serve, host, port) as url:
        yield url.replace("http:", "https:"), asked


@contextmanager
def unanswering_address() -> Iterator[str]:
    """An address to which connections neither succeed nor fail: its backlog is full for good."""
    listener = socket.socket()
    fillers = []
    try:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(4):
            filler = socket.socket()
            filler.setblocking(False)
            filler.connect_ex(listener.getsockname())
            fillers.append(filler)
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        for filler in fillers:
            filler.close()
        listener.close()


def closed_address() -> str:
    """An address that refuses connections."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return f"http://127.0.0.1:{listener.getsockname()[1]}"
