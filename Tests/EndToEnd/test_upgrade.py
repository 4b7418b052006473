"""Another process takes over: with all listening sockets, nobody refused, nothing lost, and what was learnt goes along."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from authority import Authority, ask, dial
from conftest import StartGateway
from fleet import free_port
from processes import Gateway, eventually, one_pool, request
from sockets import RawClient, echo_or_stream, read_head, scripted_backend

Start = Callable[..., "Generations"]


class Generations:
    """A gateway, and the processes that took over from it one after the other."""

    def __init__(self, first: Gateway) -> None:
        self.first = first
        self.pids = [first.pid]

    @property
    def pid(self) -> int:
        """That of the newest."""
        return self.pids[-1]

    def upgrade(self) -> int:
        """Has the next one take over; its process id."""
        os.kill(self.pid, signal.SIGUSR2)
        count = len(self.pids)
        lines = eventually(lambda: self.first.logged("upgraded, draining")[count - 1 :], "the next process", 20)
        self.pids.append(int(lines[0]["pid"]))
        return self.pid

    def stop(self) -> None:
        """Ends all that run."""
        for pid in self.pids[1:]:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass


def is_alive(pid: int) -> bool:
    """Whether the process runs; one that has ended and that nobody has asked for counts as ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.fixture
def generations(gateway: StartGateway) -> Iterator[Start]:
    """Starts gateways that can be upgraded."""
    with ExitStack() as stack:

        def start(policy: str, **more: object) -> Generations:
            started = Generations(gateway(policy, **more))
            stack.callback(started.stop)
            return started

        yield start


def fixed_ports(policy: str) -> str:
    """The same policy with ports that stay: the next process is told of the same addresses."""
    for _ in range(policy.count("127.0.0.1:0")):
        policy = policy.replace("127.0.0.1:0", f"127.0.0.1:{free_port()}", 1)
    return policy


@pytest.fixture
def echo() -> Iterator[str]:
    """A backend that answers at once, later or with a stream, as the path says."""
    with scripted_backend(echo_or_stream) as url:
        yield url


def test_takes_over(generations: Start, echo: str) -> None:
    """The next process has the listeners, admin's too; the former one ends when its clients have their responses."""
    through = generations(fixed_ports(one_pool(echo, limit=16)))
    first = through.first
    with RawClient(first.url) as stream, RawClient(first.url) as resting:
        stream.send(b"GET /stream/2 HTTP/1.1\r\nHost: a\r\n\r\n")
        resting.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        resting.read_until(b"ok")
        stream.read_until(b"\r\n\r\n")
        through.upgrade()
        assert is_alive(first.pid) and request(first.url).status == 200
        assert first.status()["uptime_seconds"] <= 1
        # A connection that rested has one more response, which says that it is the last.
        time.sleep(1.2)
        resting.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        answer, _ = resting.read_to_end()
        assert answer.startswith(b"HTTP/1.1 200") and b"connection: close" in answer.lower()
        assert stream.read_until(b"end.")
    eventually(lambda: not is_alive(first.pid), "the former process ends", 10)
    assert request(first.url).status == 200
    # And so on.
    second = through.upgrade()
    assert request(first.url).status == 200
    eventually(lambda: not is_alive(through.pids[1]), "the second ends", 10)
    assert is_alive(second)


@pytest.mark.parametrize("fault", ["policy", "program", "missing"])
def test_a_next_one_that_fails_changes_nothing(
    generations: Start, echo: str, penstock: Path, tmp_path: Path, fault: str
) -> None:
    """A policy or a program that is no good leaves everything as it is, and the log says so."""
    program = tmp_path / "penstock"
    shutil.copy(penstock, program)
    policy = fixed_ports(one_pool(echo, limit=16))
    through = Generations(Gateway(program, policy, tmp_path))
    try:
        if fault == "policy":
            through.first.policy_file.write_text("version: 1\n")
        else:
            program.unlink()
        if fault == "program":
            program.write_text("#!/bin/sh\nexit 3\n")
            program.chmod(0o755)
        os.kill(through.pid, signal.SIGUSR2)
        eventually(lambda: any("not upgraded, this process goes on" in line for line in through.first.errors), "it", 10)
        assert request(through.first.url).status == 200
        assert request(through.first.admin_url, "/readyz").status == 200
        # The next try is good again.
        if fault == "policy":
            through.first.policy_file.write_text(policy)
            through.upgrade()
            assert request(through.first.url).status == 200
    finally:
        through.stop()
        through.first.stop()


def load(url: str, seconds: float, upgrade: Callable[[], object], upgrades: int, clients: int, rate: float) -> int:
    """Clients that keep connections, and others that do not, while processes take over; requests that were answered.

    Raises what any of them met.
    """
    ending = threading.Event()
    faults: list[str] = []
    answered = [0] * (clients + 2)

    def keeps(place: int) -> None:
        client: RawClient | None = None
        while not ending.is_set():
            try:
                client = client or RawClient(url)
                client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
                head = client.read_until(b"\r\n\r\n")
                client.read_until(b"ok")
                answered[place] += 1
                if b"connection: close" in head.lower():
                    client.close()
                    client = None
            except (OSError, AssertionError) as fault:
                faults.append(f"kept: {fault!r}")
                client = None
            time.sleep(0.05)
        if client:
            client.close()

    def comes(place: int) -> None:
        while not ending.is_set():
            try:
                with RawClient(url) as client:
                    client.send(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
                    data, was_reset = client.read_to_end()
                    if was_reset or not data.startswith(b"HTTP/1.1 200"):
                        faults.append(f"new: {data[:40]!r}, reset: {was_reset}")
                answered[place] += 1
            except OSError as fault:
                faults.append(f"new: {fault!r}")
            time.sleep(2 / rate)

    threads = [threading.Thread(target=keeps, args=(place,)) for place in range(clients)]
    threads += [threading.Thread(target=comes, args=(clients + place,)) for place in range(2)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(upgrades):
            time.sleep(seconds / (upgrades + 1))
            upgrade()
        time.sleep(seconds / (upgrades + 1))
    finally:
        ending.set()
        for thread in threads:
            thread.join()
    assert not faults, (len(faults), faults[:5])
    return sum(answered)


def streams(url: str, count: int, seconds: float, ending: threading.Event, faults: list[str]) -> list[threading.Thread]:
    """Streams that are read to their ends, again and again."""

    def read() -> None:
        while not ending.is_set():
            try:
                with RawClient(url) as client:
                    client.send(f"GET /stream/{seconds} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
                    client.socket.settimeout(20)
                    client.read_until(b"end.")
            except (OSError, AssertionError) as fault:
                faults.append(f"stream: {fault!r}")

    threads = [threading.Thread(target=read) for _ in range(count)]
    for thread in threads:
        thread.start()
    return threads


@pytest.mark.timed
def test_nobody_is_refused(generations: Start, echo: str) -> None:
    """Three processes take over from each other under load, and no request fails."""
    through = generations(fixed_ports(one_pool(echo, limit=512)))
    assert load(through.first.url, 6, through.upgrade, 3, 20, 100) > 1000


@pytest.mark.long
@pytest.mark.limit(200)
def test_twenty_upgrades(generations: Start, echo: str) -> None:
    """Twenty in a minute, with 200 connections that stay, 200 new ones a second and 200 streams of 30 seconds."""
    policy = one_pool(echo, limit=2048).replace("admin:", "server: {drain_timeout: 60s}\nadmin:", 1)
    through = generations(fixed_ports(policy))
    ending = threading.Event()
    faults: list[str] = []
    readers = streams(through.first.url, 200, 30, ending, faults)
    answered = load(through.first.url, 60, through.upgrade, 20, 200, 200)
    ending.set()
    for thread in readers:
        thread.join()
    assert not faults, (len(faults), faults[:5])
    assert answered >= 20_000
    eventually(lambda: sum(map(is_alive, through.pids)) == 1, "the former ones have ended", 70)


def test_backends_get_no_more_than_their_limits(generations: Start) -> None:
    """What the former process has in flight counts in the next one."""
    lock = threading.Lock()
    inside, most = 0, 0

    def serve(connection: socket.socket) -> None:
        nonlocal inside, most
        while read_head(connection):
            with lock:
                inside += 1
                most = max(most, inside)
            time.sleep(1.5)
            with lock:
                inside -= 1
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    with scripted_backend(serve) as backend:
        through = generations(fixed_ports(one_pool(backend, limit=3, max_wait="20s")))
        statuses: list[int] = []

        def send() -> None:
            statuses.append(request(through.first.url).status)

        before = [threading.Thread(target=send) for _ in range(3)]
        for thread in before:
            thread.start()
        eventually(lambda: inside == 3, "the backend is full")
        through.upgrade()
        time.sleep(0.3)
        after = [threading.Thread(target=send) for _ in range(3)]
        for thread in after:
            thread.start()
        for thread in before + after:
            thread.join()
        assert statuses == [200] * 6 and most == 3


@pytest.mark.timed
@pytest.mark.limit(120)
def test_what_was_learnt_goes_along(generations: Start) -> None:
    """The limit in force is the next process's from the start on, and the one's after it, though that has found nothing yet."""
    lock = threading.Lock()
    inside = 0

    def serve(connection: socket.socket) -> None:
        """Twelve at once take no longer than one; more share what twelve have."""
        nonlocal inside
        while read_head(connection):
            with lock:
                inside += 1
                seconds = 0.05 * max(1, inside / 12)
            time.sleep(seconds)
            with lock:
                inside -= 1
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    with scripted_backend(serve) as backend:
        policy = fixed_ports(one_pool(backend)).replace(
            "limit: {algorithm: fixed, limit: 1}", "limit: {algorithm: knee, initial: 4, max: 64}"
        )
        through = generations(policy)
        first = through.first
        ending = threading.Event()

        def send() -> None:
            while not ending.is_set():
                request(first.url)

        def limit() -> int:
            return int(first.status()["pools"][0]["limit"])

        threads = [threading.Thread(target=send) for _ in range(40)]
        for thread in threads:
            thread.start()
        try:
            # That levels are compared shows that the way up is over.
            eventually(lambda: first.metric("penstock_limit_moves_total", reason="elasticity"), "it is found", 60)
            found = limit()
            for _ in range(3):
                through.upgrade()
                time.sleep(0.3)
                assert first.status()["uptime_seconds"] <= 2
                assert 0.65 * found <= limit() <= 1.6 * found
        finally:
            ending.set()
            for thread in threads:
                thread.join()


def test_sessions_go_on(generations: Start, echo: str, tmp_path: Path) -> None:
    """TLS sessions of the former process are known to the next one."""
    if not shutil.which("openssl"):
        pytest.skip("openssl is not installed")
    authority = Authority(tmp_path)
    authority.issue("first", "DNS:a.example")
    files = f"{{certificate_file: {tmp_path}/first.pem, key_file: {tmp_path}/first.key}}"
    listen = f"{{address: '127.0.0.1:0', tls: {{certificates: [{files}]}}}}"
    through = generations(fixed_ports(one_pool(echo, limit=16, listen=listen)))
    context = authority.context()
    with dial(through.first.url, context) as connection:
        ask(connection)
        session = connection.session
    through.upgrade()
    eventually(lambda: not is_alive(through.first.pid), "the former process ends", 10)
    with dial(through.first.url, context, session=session) as connection:
        assert connection.session_reused and ask(connection)[0] == 200


def test_unix_sockets_stay(generations: Start, echo: str, tmp_path: Path) -> None:
    """The file of a unix socket outlives the process that made it, and goes with the last one."""
    path = tmp_path / "s"
    through = generations(fixed_ports(one_pool(echo, limit=16, listen=f"unix:{path}")))

    def served() -> bool:
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(path))
            client.sendall(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            return client.recv(100).startswith(b"HTTP/1.1 200")

    assert served()
    for _ in range(2):
        former = through.pid
        through.upgrade()
        eventually(lambda: not is_alive(former), "the former process ends", 10)
        assert served()
    os.kill(through.pid, signal.SIGTERM)
    eventually(lambda: not path.exists(), "the file goes")


class Manager:
    """What a service manager hears."""

    def __init__(self, name: str) -> None:
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(name)
        self.socket.settimeout(10)

    def hear(self, wanted: str) -> str:
        """The next message that has a line beginning so."""
        while True:
            text = self.socket.recv(65536).decode()
            if any(line.startswith(wanted) for line in text.split("\n")):
                return text


@pytest.mark.parametrize("kind", ["path", "abstract"])
def test_the_service_manager_is_told(
    gateway: StartGateway, echo: str, tmp_path: Path, kind: str
) -> None:
    """That it serves, reloads, serves again, works, gives way to another process, and ends."""
    name = str(tmp_path / "notify") if kind == "path" else f"\0penstock-test-{os.getpid()}"
    manager = Manager(name)
    environment = dict(os.environ, NOTIFY_SOCKET=name.replace("\0", "@"), WATCHDOG_USEC="400000")
    through = gateway(fixed_ports(one_pool(echo, limit=16)), environment=environment)
    assert f"MAINPID={through.pid}" in manager.hear("READY=1").split("\n")
    for _ in range(3):
        manager.hear("WATCHDOG=1")
    text = through.policy_file.read_text()
    through.reload(text.replace("limit: 16", "limit: 15"))
    assert "MONOTONIC_USEC=" in manager.hear("RELOADING=1")
    manager.hear("READY=1")
    through.reload("version: 1\n")
    manager.hear("RELOADING=1")
    assert "policy.yaml:" in manager.hear("READY=1")
    through.policy_file.write_text(text)
    generations = Generations(through)
    try:
        next_pid = generations.upgrade()
        # Both say it: the one that the manager knows, and the one that it is to know.
        assert f"MAINPID={next_pid}" in manager.hear("MAINPID=").split("\n")
        os.kill(next_pid, signal.SIGTERM)
        manager.hear("STOPPING=1")
    finally:
        generations.stop()
        manager.socket.close()
