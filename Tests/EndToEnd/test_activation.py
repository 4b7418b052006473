"""Listening sockets that were open before the gateway: a service manager has made them, and keeps them."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from conftest import StartGateway
from processes import Gateway, eventually, one_pool, request
from sockets import RawClient, echo_or_stream, scripted_backend

# Becomes the program whose words follow, with the descriptors of the first word as its sockets, called as the second one says.
ACTIVATE = """
import fcntl, os, sys
given = [fcntl.fcntl(int(number), fcntl.F_DUPFD, 200) for number in sys.argv[1].split(",")]
for place, number in enumerate(given):
    os.dup2(number, 3 + place)
os.environ.update(LISTEN_FDS=str(len(given)), LISTEN_PID=str(os.getpid()), LISTEN_FDNAMES=sys.argv[2])
os.execv(sys.argv[3], sys.argv[3:])
"""


class Manager:
    """Who has the sockets, and starts gateways with them."""

    def __init__(self) -> None:
        self.sockets: list[socket.socket] = []
        self._names: list[str] = []

    def listen(self, host: str = "127.0.0.1", name: str = "") -> int:
        """Opens a socket of TCP; its port."""
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        made = socket.create_server((host, 0), family=family, backlog=4096, dualstack_ipv6=host == "::")
        self._add(made, name)
        return int(made.getsockname()[1])

    def listen_unix(self, path: Path, mode: int, name: str = "") -> None:
        """Opens a unix socket."""
        made = socket.socket(socket.AF_UNIX)
        made.bind(str(path))
        path.chmod(mode)
        made.listen(4096)
        self._add(made, name)

    def _add(self, made: socket.socket, name: str) -> None:
        self.sockets.append(made)
        self._names.append(name)

    @property
    def words(self) -> list[str]:
        """What comes before the gateway's own words."""
        numbers = ",".join(str(each.fileno()) for each in self.sockets)
        return [sys.executable, "-c", ACTIVATE, numbers, ":".join(self._names)]

    @property
    def descriptors(self) -> list[int]:
        """What the gateway's process has to have."""
        return [each.fileno() for each in self.sockets]

    def refusal(self, penstock: Path, policy: Path) -> str:
        """What a gateway says that does not start."""
        command = [*self.words, str(penstock), "serve", "--policy", str(policy)]
        ended = subprocess.run(
            command, capture_output=True, text=True, timeout=20, check=False, pass_fds=self.descriptors
        )
        assert ended.returncode == 1
        return ended.stderr


@pytest.fixture
def manager() -> Iterator[Manager]:
    """One with no sockets yet."""
    made = Manager()
    yield made
    for each in made.sockets:
        each.close()


@pytest.fixture
def echo() -> Iterator[str]:
    """A backend that answers at once, later or with a stream, as the path says."""
    with scripted_backend(echo_or_stream) as url:
        yield url


def ask_unix(path: Path) -> bytes:
    """The answer of a unix socket, to its end."""
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(10)
        client.connect(str(path))
        client.sendall(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        return b"".join(iter(lambda: client.recv(65536), b""))


def test_sockets_that_were_open(gateway: StartGateway, manager: Manager, echo: str, tmp_path: Path) -> None:
    """They are served, as are addresses that the policy has beside; a unix socket's file stays as the manager made it."""
    path = tmp_path / "given"
    port = manager.listen()
    manager.listen_unix(path, 0o640)
    policy = one_pool(echo, limit=16, listen=f"[127.0.0.1:{port}, 'unix:{path}', '127.0.0.1:0']")
    through = gateway(policy, before=manager.words, descriptors=manager.descriptors)
    assert through.urls[0].endswith(f":{port}") and request(through.urls[0]).status == 200
    assert request(through.urls[1]).status == 200
    assert ask_unix(path).startswith(b"HTTP/1.1 200")
    assert path.stat().st_mode & 0o777 == 0o640
    through.signal(signal.SIGTERM)
    assert through.wait() == 0
    assert path.exists()
    # The manager has the socket still: who comes now waits.
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(path))


def test_a_managers_file_outlives_upgrades(
    gateway: StartGateway, manager: Manager, echo: str, tmp_path: Path
) -> None:
    """A process that takes over knows whose file it is; one that the gateway made goes with the last process."""
    given, own = tmp_path / "given", tmp_path / "own"
    manager.listen_unix(given, 0o666)
    policy = one_pool(echo, limit=16, listen=f"['unix:{given}', 'unix:{own}']")
    through = gateway(policy, before=manager.words, descriptors=manager.descriptors)
    through.signal(signal.SIGUSR2)
    (line,) = eventually(lambda: through.logged("upgraded, draining"), "the next process", 20)
    try:
        assert through.wait() == 0 and given.exists() and own.exists()
        assert ask_unix(given).startswith(b"HTTP/1.1 200") and ask_unix(own).startswith(b"HTTP/1.1 200")
    finally:
        os.kill(int(line["pid"]), signal.SIGTERM)
    eventually(lambda: not own.exists(), "the gateway's own file goes", 10)
    assert given.exists()


def test_sockets_by_their_names(gateway: StartGateway, manager: Manager, echo: str) -> None:
    """Where addresses are no listener's, names say whose sockets they are: `listen` in the policy's order, and `admin`."""
    exact = manager.listen(name="listen")
    wide = manager.listen("::", name="listen")
    other = manager.listen(name="admin")
    policy = one_pool(echo, limit=16, listen=f"['127.0.0.1:1', '127.0.0.1:{exact}']")
    through = gateway(policy, before=manager.words, descriptors=manager.descriptors)
    assert through.urls == [f"http://[::]:{wide}", f"http://127.0.0.1:{exact}"]
    for url in (f"http://127.0.0.1:{wide}", f"http://127.0.0.1:{exact}"):
        assert request(url).body == b"ok"
    assert through.admin_url.endswith(f":{other}") and request(through.admin_url, "/readyz").status == 200
    # They stay where the policy stays, whatever the addresses are.
    through.reload(policy.replace("limit: 16", "limit: 15"))
    eventually(lambda: through.status()["pools"][0]["limit"] == 15, "the new limit")
    assert request(f"http://127.0.0.1:{wide}").body == b"ok"


@pytest.mark.parametrize("name", ["", "penstock.socket", "admin"])
def test_a_socket_that_nobody_wants(
    penstock: Path, manager: Manager, echo: str, tmp_path: Path, name: str
) -> None:
    """A socket that is no listener's is an error; so is one for `admin` that others reach, where the policy's is local."""
    policy = tmp_path / "policy.yaml"
    policy.write_text(one_pool(echo))
    host = "0.0.0.0" if name == "admin" else "127.0.0.1"
    port = manager.listen(host, name)
    said = manager.refusal(penstock, policy)
    assert f"{host}:{port}" in said and "`listen`" in said and "FileDescriptorName" in said


@pytest.mark.timed
@pytest.mark.parametrize("keeps_sockets", [True, False], ids=["given", "own"])
def test_a_restart_refuses_nobody(
    gateway: StartGateway, manager: Manager, echo: str, keeps_sockets: bool
) -> None:
    """While the former process drains and the next one starts, clients wait, and none is refused; without the sockets some are."""
    port = manager.listen()
    policy = one_pool(echo, limit=64, listen=f"127.0.0.1:{port}")
    more: dict[str, object] = {"before": manager.words, "descriptors": manager.descriptors} if keeps_sockets else {}
    if not keeps_sockets:
        for each in manager.sockets:
            each.close()
    former = gateway(policy, **more)
    ending = threading.Event()
    answered, faults = [0] * 4, []

    def come(place: int) -> None:
        while not ending.is_set():
            try:
                with RawClient(former.url) as client:
                    client.send(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
                    data, was_reset = client.read_to_end()
                assert data.startswith(b"HTTP/1.1 200") and not was_reset, data
                answered[place] += 1
            except (OSError, AssertionError) as fault:
                faults.append(repr(fault))
            time.sleep(0.005)

    clients = [threading.Thread(target=come, args=(place,)) for place in range(4)]
    with RawClient(former.url) as stream:
        stream.send(b"GET /stream/2 HTTP/1.1\r\nHost: a\r\n\r\n")
        stream.read_until(b"\r\n\r\n")
        for client in clients:
            client.start()
        try:
            time.sleep(0.3)
            former.signal(signal.SIGTERM)
            # As systemd does it: the one ends, then the next one starts.
            assert former.wait() == 0
            next_one = gateway(policy, **more)
            time.sleep(0.3)
        finally:
            ending.set()
            for client in clients:
                client.join()
        assert stream.read_until(b"end.")
    assert isinstance(next_one, Gateway) and sum(answered) > 40
    assert (not faults) == keeps_sockets, faults[:5]
