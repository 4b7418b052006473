"""Backends that come and go, whoever tells of them."""

from __future__ import annotations

import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from processes import Gateway, eventually, request
from sockets import RawClient, read_head, scripted_backend


def free_port(host: str = "127.0.0.1") -> int:
    """A port that nobody has at the moment, neither for TCP nor for UDP."""
    with socket.create_server((host, 0)) as stream, socket.socket(type=socket.SOCK_DGRAM) as datagrams:
        port = int(stream.getsockname()[1])
        datagrams.bind((host, port))
        return port


def replace(file: Path, text: str) -> None:
    """Replaces a file as a whole, as those do who keep one that others watch."""
    draft = file.with_suffix(".draft")
    draft.write_text(text)
    draft.rename(file)


@dataclass
class Backend:
    """One that answers with its name; at /stream with a chunk each tenth of a second until it is told to end."""

    name: str
    ended: threading.Event = field(default_factory=threading.Event)
    requests: int = 0
    idle_closed: int = 0
    address: str = ""

    def serve(self, connection: socket.socket) -> None:
        """All requests of a connection."""
        while head := read_head(connection):
            self.requests += 1
            if head.startswith(b"GET /stream"):
                connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
                while not self.ended.wait(0.1):
                    connection.sendall(b"1\r\n.\r\n")
                connection.sendall(b"4\r\nend.\r\n0\r\n\r\n")
                continue
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n" + self.name.encode())
        self.idle_closed += 1


@contextmanager
def running_backends(names: str, port: int = 0) -> Iterator[list[Backend]]:
    """One for each letter of `names`; what still streams ends with them.

    With a `port` all have that one, at addresses of their own.
    """
    with ExitStack() as stack:
        made = [Backend(name) for name in names]
        for number, backend in enumerate(made):
            host = f"127.0.0.{2 + number}" if port else "127.0.0.1"
            backend.address = stack.enter_context(scripted_backend(backend.serve, host, port))
        yield made
        for backend in made:
            backend.ended.set()


def answers(through: Gateway, count: int = 16) -> set[bytes]:
    """Who answers."""
    return {request(through.url).body for _ in range(count)}


def shown(through: Gateway) -> list[str]:
    """The backends that the status shows."""
    return [backend["url"] for backend in through.status()["pools"][0]["backends"]]


def settles(through: Gateway, backends: list[Backend]) -> None:
    """Waits until these are the pool's."""
    wanted = {backend.address for backend in backends}
    eventually(lambda: set(shown(through)) == wanted, f"the backends are {wanted}")


STORM_LIMIT = "    limit: 1000\n    timeouts: {idle: 60s}"


def storm(
    through: Gateway, backends: list[Backend], change: Callable[[int], None], seconds: float, streams: int
) -> tuple[int, int]:
    """A hundred changes a second while streams run and requests come; requests, and what went wrong.

    `change` gets the number of the change.
    """
    ending = threading.Event()
    failed: list[object] = []
    done: list[int] = []

    def ask() -> None:
        while not ending.is_set():
            answer = request(through.url)
            if answer.status != 200 or answer.body not in {backend.name.encode() for backend in backends}:
                failed.append(answer)
            done.append(1)

    held = [RawClient(through.url) for _ in range(streams)]
    for stream in held:
        stream.send(b"GET /stream HTTP/1.1\r\nHost: x\r\n\r\n")
    for stream in held:
        stream.read_until(b".")
    askers = [threading.Thread(target=ask) for _ in range(4)]
    for asker in askers:
        asker.start()
    end = time.monotonic() + seconds
    step = 0
    while time.monotonic() < end:
        step += 1
        change(step)
        time.sleep(0.01)
    ending.set()
    for asker in askers:
        asker.join()
    for backend in backends:
        backend.ended.set()
    for stream in held:
        try:
            stream.read_until(b"end.\r\n0\r\n\r\n")
        except (AssertionError, OSError) as error:
            failed.append(error)
        stream.close()
    return len(done), len(failed)


def long_storm(through: Gateway, backends: list[Backend], turn: Callable[[int], None]) -> None:
    """A storm of three minutes with 500 streams: nothing is lost, memory stays flat and no descriptor is left."""
    began = time.monotonic()
    sizes: list[int] = []

    def change(step: int) -> None:
        turn(step)
        if time.monotonic() - began > 30 + 10 * len(sizes):
            sizes.append(through.resident_bytes())

    asked, failed = storm(through, backends, change, 180, 500)
    assert failed == 0 and asked > 1000
    through.wait_until_idle()
    assert max(sizes[-3:]) < 1.1 * min(sizes[:3]) + (4 << 20), sizes
    eventually(lambda: through.open_descriptors() < 64, "connections are closed", 30)


def refuses(penstock: Path, directory: Path, backends: str, fault: str) -> None:
    """A pool with such `backends` is refused before anything starts, for that reason."""
    file = directory / "policy.yaml"
    file.write_text(
        f"listen: 127.0.0.1:0\npools: {{a: {{backends: {backends}}}}}\nroutes: [{{path: /*, pool: a}}]\n"
    )
    ended = subprocess.run([penstock, "check", file], capture_output=True, text=True, timeout=20, check=False)
    assert ended.returncode != 0 and fault in ended.stderr, ended.stderr
