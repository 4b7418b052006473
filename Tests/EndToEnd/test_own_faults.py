"""What can go wrong with the gateway's own process: shortages, lost outputs, clocks that jump, signals at any moment."""

from __future__ import annotations

import asyncio
import email.utils
import json
import os
import selectors
import shutil
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

import namespaces
from conftest import StartGateway
from namespaces import Namespace
from processes import HERE, Gateway, Process, eventually, listening_address, one_pool, request
from soak_client import Load, Result
from sockets import RawClient, read_head, scripted_backend, unanswering_address
from test_flow import NUMBERS, backend_process, watched

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
GET = b"GET / HTTP/1.1\r\nHost: gateway\r\n\r\n"
in_namespaces = pytest.mark.skipif(
    bool(namespaces.why_not()), reason=namespaces.why_not() or "namespaces can be made"
)


def polite(connection: socket.socket) -> None:
    """A backend that answers everything."""
    while read_head(connection):
        connection.sendall(OK)


# MARK: shortages


@in_namespaces
def test_ports_run_out(gateway: StartGateway) -> None:
    """Without a port for a backend's connection the client is told; it is not the backend's fault, and it passes."""
    go = threading.Event()

    def script(connection: socket.socket) -> None:
        while head := read_head(connection):
            if b"/held" in head:
                go.wait(20)
            connection.sendall(OK)

    with Namespace() as space, space.inside(), ExitStack() as stack:
        url = stack.enter_context(scripted_backend(script))
        space.set("ipv4/ip_local_port_range", "40000 40031")
        through = gateway(one_pool(url, limit=200, extra="server: {max_connections: 1000}\n"))
        clients = []
        for number in range(60):
            # Clients come from addresses of their own and need no port of the gateway's.
            client = stack.enter_context(RawClient(through.url, source=f"127.0.1.{number + 1}"))
            client.send(b"GET /held HTTP/1.1\r\nHost: gateway\r\n\r\n")
            clients.append(client)
        refused = [client for client in clients if has_answer(client)]
        assert 60 - 32 <= len(refused) < 60 - 16
        for client in refused:
            head = client.read_until(b"\r\n\r\n").lower()
            assert b" 503 " in head and b"x-penstock-reason: exhausted" in head
            assert b"retry-after: " in head
        assert through.metric("penstock_backend_ejections_total") == 0
        go.set()
        for client in clients:
            if client not in refused:
                assert b" 200 " in client.read_until(b"ok")
        # Connections that have become free serve on, though there are no more ports than before.
        for client in clients:
            if client not in refused:
                client.send(GET)
                assert b" 200 " in client.read_until(b"ok")
        through.wait_until_idle()


def has_answer(client: RawClient) -> bool:
    """Whether an answer has come, or does in the next moment."""
    with selectors.DefaultSelector() as selector:
        selector.register(client.socket, selectors.EVENT_READ)
        return bool(selector.select(0.1))


@contextmanager
def small_disk(directory: Path, kilobytes: int) -> Iterator[Path]:
    """A file system that is soon full."""
    directory.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={kilobytes}k", "none", str(directory)],
        capture_output=True, text=True, check=False,
    )
    if mounted.returncode != 0:
        pytest.skip(f"no file system can be mounted: {mounted.stderr.strip()}")
    try:
        yield directory
    finally:
        subprocess.run(["umount", "--lazy", str(directory)], check=False, capture_output=True)


def test_disk_full(gateway: StartGateway, tmp_path: Path) -> None:
    """A log that cannot be written loses lines, which are counted; nobody waits, and afterwards lines are whole again."""
    with small_disk(tmp_path / "logs", 64) as disk, scripted_backend(polite) as url:
        access = disk / "access.log"
        policy = one_pool(url, limit=8).replace("{access: {to: off}}", f"{{access: {{to: {access}}}}}")
        through = gateway(policy)

        def ask(count: int) -> None:
            with RawClient(through.url) as client:
                for _ in range(count):
                    client.send(GET)
                    assert b" 200 " in client.read_until(b"ok")

        ask(600)
        dropped = eventually(lambda: through.metric("penstock_log_lines_dropped_total", log="access"), "lines lost")
        assert through.metric("penstock_log_errors_total", log="access") > 0
        assert disk.stat() and access.stat().st_size <= 64 << 10
        subprocess.run(["mount", "-o", "remount,size=10m", str(disk)], check=True)
        before = access.read_bytes()
        ask(50)
        eventually(lambda: access.read_bytes().count(b"\n") >= before.count(b"\n") + 50, "the lines of later")
        lines = access.read_text().splitlines()
        whole = [line for line in lines if is_json(line)]
        # At most one line was cut, where the disk became full.
        assert len(lines) - len(whole) <= 1
        ended = through.metric("penstock_requests_total")
        lost = through.metric("penstock_log_lines_dropped_total", log="access")
        assert lost >= dropped and len(whole) + lost == ended


def is_json(line: str) -> bool:
    """Whether a line is a JSON object."""
    try:
        return isinstance(json.loads(line), dict)
    except ValueError:
        return False


@pytest.mark.parametrize(
    "redirection", ["exec 3>&1 >&-", "exec 3>&1 > >(exit 0)", "exec 3>&1 >/dev/full"],
    ids=["closed", "reader-gone", "full"],
)
def test_standard_output_is_gone(gateway: StartGateway, redirection: str) -> None:
    """Lines without a place to go are counted and go nowhere: least of all into a client's connection."""
    if not shutil.which("bash"):
        pytest.skip("there is no bash to start the gateway with")
    with scripted_backend(polite) as url:
        policy = one_pool(url, limit=32).replace("to: off", "to: stdout")
        through = gateway(policy, before=["bash", "-c", f'{redirection}; exec "$@"', "bash"])
        clients = [RawClient(through.url) for _ in range(20)]
        for _ in range(10):
            for client in clients:
                client.send(GET)
            for client in clients:
                assert client.read_until(b"ok").endswith(b"\r\n\r\nok")
                assert client.received == b""
        eventually(
            lambda: through.metric("penstock_log_lines_dropped_total", log="access") == 200, "200 lines lost"
        )
        for client in clients:
            client.socket.setblocking(False)
            with pytest.raises(BlockingIOError):
                client.socket.recv(1)
            client.close()
        assert through.returncode is None
        through.wait_until_idle()


# MARK: clocks


class Clock:
    """A wall clock for one process that can be moved; only the wall clock."""

    def __init__(self, directory: Path) -> None:
        compiler = shutil.which("cc") or shutil.which("clang")
        if compiler is None:
            pytest.skip("there is no C compiler to make the clock with")
        library = directory / "clock_shim.so"
        command = [compiler, "-shared", "-fPIC", "-O1", str(HERE / "clock_shim.c"), "-o", str(library), "-ldl"]
        subprocess.run(command, check=True)
        self._file = directory / "clock"
        self._file.write_bytes(struct.pack("q", 0))
        self.environment = {"LD_PRELOAD": str(library), "PENSTOCK_CLOCK": str(self._file)}

    def move(self, seconds: float) -> None:
        """Sets the clock that much ahead of the true one."""
        with self._file.open("r+b") as file:
            file.write(struct.pack("q", int(seconds * 1e9)))


@pytest.mark.parametrize("jump", [86_400.0, -86_400.0], ids=["forward", "back"])
def test_clock_jumps(gateway: StartGateway, tmp_path: Path, jump: float) -> None:
    """Every wait lasts as long as it should; only what is written for people follows the wall clock."""
    clock = Clock(tmp_path)
    access = tmp_path / "access.log"

    def script(connection: socket.socket) -> None:
        while head := read_head(connection):
            if b"/stream" in head:
                connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
                for _ in range(30):
                    connection.sendall(b"1\r\nx\r\n")
                    time.sleep(0.1)
                connection.sendall(b"0\r\n\r\n")
            elif b"/silent" in head or head.startswith(b"POST"):
                time.sleep(10)
            else:
                connection.sendall(OK)

    with scripted_backend(script) as url, unanswering_address() as hole:
        pools = f"""\
pools:
  hole: {{backends: ["{hole}"], timeouts: {{connect: 2s}}}}
  silent: {{backends: ["{url}"], limit: 1, queue: {{max_wait: 2s}}, timeouts: {{first_byte: 4s}}}}
"""
        through = gateway(
            one_pool(url, limit=8, extra="server: {timeouts: {head: 2s, body_idle: 2s, keep_alive: 2s}}\n")
            .replace("pools:\n", pools)
            .replace("routes: [", "routes: [{path: /hole, pool: hole}, {path: /silent, pool: silent}, ")
            .replace("to: off", f"to: {access}"),
            environment=clock.environment,
        )
        with ExitStack() as stack:
            requests = {
                "stream": b"GET /stream HTTP/1.1\r\nHost: g\r\n\r\n",
                "head": b"GET / HTTP/1.1\r\nHost: g\r\nX-A: ",
                "body": b"POST / HTTP/1.1\r\nHost: g\r\nContent-Length: 9\r\n\r\n",
                "connect": b"GET /hole HTTP/1.1\r\nHost: g\r\n\r\n",
                "silent": b"GET /silent HTTP/1.1\r\nHost: g\r\n\r\n",
                "queued": b"GET /silent HTTP/1.1\r\nHost: g\r\n\r\n",
                "idle": GET,
            }
            clients = {name: stack.enter_context(RawClient(through.url)) for name in requests}
            began = time.monotonic()
            for name, data in requests.items():
                clients[name].send(data)
                time.sleep(0.02)
            time.sleep(0.5)
            clock.move(jump)
            ends = {name: end_of(client, began) for name, client in clients.items()}
            answers = {name: end.result(stack) for name, end in ends.items()}
        # The stream is cut by nothing and takes its three seconds; the others end at their time-outs.
        assert answers["stream"][1].endswith(b"0\r\n\r\n")
        for name, (status, seconds) in {
            "head": (b" 408 ", 2), "body": (b" 408 ", 2), "connect": (b" 504 ", 2), "queued": (b" 503 ", 2),
            "silent": (b" 504 ", 4), "idle": (b" 200 ", 2),
        }.items():
            took, answer = answers[name]
            assert status in answer.partition(b"\r\n")[0], (name, answer)
            assert seconds - 0.1 < took < seconds + 2.5, (name, took)
        # The clock did jump, for all that is written for people.
        answer = request(through.url)
        stamped = email.utils.parsedate_to_datetime(answer.headers.get("date") or date_of_own_answer(through))
        assert abs(stamped.timestamp() - time.time() - jump) < 60
        assert 0 <= through.status()["uptime_seconds"] < 60
        lines = access.read_bytes().count(b"\n")
        request(through.url)
        eventually(lambda: access.read_bytes().count(b"\n") > lines, "the log goes on", 2)
        through.wait_until_idle()


class Ending(threading.Thread):
    """Reads a connection to its end, or to the end of a chunked answer, and notes when that was."""

    def __init__(self, client: RawClient, began: float) -> None:
        super().__init__(daemon=True)
        self.client, self.began = client, began
        self.took = 0.0
        self.start()

    def run(self) -> None:
        try:
            while not self.client.received.endswith(b"\r\n0\r\n\r\n") and not self.first_answer_is_error():
                data = self.client.socket.recv(65536)
                if not data:
                    break
                self.client.received += data
        except OSError:
            pass
        self.took = time.monotonic() - self.began

    def first_answer_is_error(self) -> bool:
        """Whether an answer of the gateway's own has come, after which a connection may stay."""
        return self.client.received[9:10] in (b"4", b"5") and self.client.received.endswith(b"}\n")

    def result(self, _: ExitStack) -> tuple[float, bytes]:
        """When the end came, and all that was received."""
        self.join(15)
        assert not self.is_alive(), f"no end of {self.client.received!r}"
        return self.took, self.client.received


def end_of(client: RawClient, began: float) -> Ending:
    """Begins to wait for a connection's end."""
    return Ending(client, began)


def date_of_own_answer(through: Gateway) -> str:
    """The Date of an answer that the gateway makes itself."""
    return request(through.admin_url, "/healthz").headers["date"]


# MARK: signals


@pytest.mark.limit(90)
def test_sigterm_in_every_phase(gateway: StartGateway) -> None:
    """What has begun is answered to its end, what has not is told, and the process ends well."""
    go = threading.Event()

    def script(connection: socket.socket) -> None:
        while head := read_head(connection):
            head, _, body = head.partition(b"\r\n\r\n")
            if b"/streaming" in head:
                connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n")
                go.wait(20)
                connection.sendall(b"4\r\nrest\r\n0\r\n\r\n")
            elif b"/answering" in head:
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nhalf")
                go.wait(20)
                connection.sendall(b"rest")
            elif b"/idle" in head:
                connection.sendall(OK)
            else:
                while b"Content-Length" in head and len(body) < 8:
                    body += connection.recv(65536)
                go.wait(20)
                connection.sendall(OK)

    with scripted_backend(script) as url, unanswering_address() as hole, ExitStack() as stack:
        pools = f"""\
pools:
  hole: {{backends: ["{hole}"], timeouts: {{connect: 2s}}}}
  full: {{backends: ["{url}"], limit: 1, queue: {{max_wait: 10s}}}}
"""
        through = gateway(
            one_pool(url, limit=8, extra="server: {body_before_queue: 0B}\n").replace("pools:\n", pools).replace(
                "routes: [", "routes: [{path: /dialling, pool: hole}, {path: /queued, pool: full}, "
            )
        )
        sent = {
            "silent": b"",
            "head": b"GET / HTTP/1.1\r\nHost: g\r\n",
            "idle": b"GET /idle HTTP/1.1\r\nHost: g\r\n\r\n",
            "running": b"GET /queued HTTP/1.1\r\nHost: g\r\n\r\n",
            "queued": b"GET /queued HTTP/1.1\r\nHost: g\r\n\r\n",
            "dialling": b"GET /dialling HTTP/1.1\r\nHost: g\r\n\r\n",
            "uploading": b"POST / HTTP/1.1\r\nHost: g\r\nContent-Length: 8\r\n\r\nhalf",
            "waiting": GET,
            "streaming": b"GET /streaming HTTP/1.1\r\nHost: g\r\n\r\n",
            "answering": b"GET /answering HTTP/1.1\r\nHost: g\r\n\r\n",
        }
        clients = {name: stack.enter_context(RawClient(through.url)) for name in sent}
        for name, data in sent.items():
            clients[name].send(data)
            time.sleep(0.03)
        assert clients["idle"].read_until(b"ok")
        clients["streaming"].read_until(b"half")
        clients["answering"].read_until(b"half")
        eventually(lambda: through.metric("penstock_queue_requests") == 1, "one in the queue")
        eventually(lambda: through.metric("penstock_dials") == 1, "one being dialled")
        through.signal(signal.SIGTERM)
        assert clients["silent"].read_to_end() == (b"", False)
        assert clients["idle"].read_to_end()[0].endswith(b"")
        clients["head"].send(b"\r\n")
        clients["uploading"].send(b"rest")
        time.sleep(0.2)
        assert through.returncode is None
        go.set()
        ends = {name: clients[name].read_to_end() for name in sent if name not in ("silent", "idle")}
        assert not any(was_reset for _, was_reset in ends.values())
        told = {name: answer for name, (answer, _) in ends.items()}
        for name in ("running", "queued", "uploading", "waiting", "head"):
            assert b" 200 " in told[name].partition(b"\r\n")[0] and told[name].endswith(b"ok"), (name, told[name])
            assert b"connection: close" in told[name].lower()
        assert b" 504 " in told["dialling"] and b"connect_timeout" in told["dialling"]
        assert told["streaming"].endswith(b"rest\r\n0\r\n\r\n")
        assert told["answering"].endswith(b"rest")
        assert through.wait(10) == 0


@pytest.mark.limit(120)
def test_sighup_storm(gateway: StartGateway) -> None:
    """A policy that is read again fifty times a second takes nothing from five hundred streams, and no memory."""
    count = 500
    pieces = 40

    async def stream(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        for number in range(pieces):
            writer.write(b"200\r\n" + NUMBERS[number * 512 : (number + 1) * 512] + b"\r\n")
            await asyncio.sleep(0.1)
        writer.write(b"0\r\n\r\n")
        await writer.drain()

    async def read(url: str) -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", int(url.rpartition(":")[2]))
        writer.write(GET)
        answer = await asyncio.wait_for(reader.readuntil(b"\r\n0\r\n\r\n"), 60)
        writer.close()
        return answer.partition(b"\r\n\r\n")[2]

    async def storm(through: Gateway, url: str, ending: asyncio.Event) -> int:
        sent = 0
        while not ending.is_set():
            sent += 1
            # Each policy differs from the one before: limits and time-outs move, and a pool comes and goes.
            policy = one_pool(url, limit=count + sent % 7, max_requests=count)
            if sent % 2:
                policy = policy.replace("pools:\n", f'pools:\n  other: {{backends: ["{url}"]}}\n')
            through.policy_file.with_suffix(".new").write_text(policy)
            through.policy_file.with_suffix(".new").rename(through.policy_file)
            through.signal(signal.SIGHUP)
            await asyncio.sleep(0.02)
        return sent

    async def run() -> None:
        server = await asyncio.start_server(stream, "127.0.0.1", 0, backlog=1024)
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        through = gateway(one_pool(url, limit=count, max_requests=count))
        loop = asyncio.get_running_loop()
        ending = asyncio.Event()
        streams = [asyncio.create_task(read(through.url)) for _ in range(count)]
        storming = asyncio.create_task(storm(through, url, ending))
        bodies = await asyncio.gather(*streams)
        ending.set()
        sent = await storming
        for body in bodies:
            assert chunks_of(body) == NUMBERS[: pieces * 512]
        reloads = await loop.run_in_executor(None, through.metric, "penstock_policy_reloads_total")
        print(f"{sent} signals, {reloads:.0f} reloads")
        assert 20 < reloads <= sent
        assert await loop.run_in_executor(None, through.metric, "penstock_policy_reload_failures_total") == 0
        await loop.run_in_executor(None, through.wait_until_idle)
        assert through.resident_bytes() < 120 << 20
        server.close()

    asyncio.run(run())


def chunks_of(body: bytes) -> bytes:
    """The content of a whole chunked body."""
    content = b""
    while True:
        size, _, rest = body.partition(b"\r\n")
        length = int(size, 16)
        if length == 0:
            return content
        content, body = content + rest[:length], rest[length + 2 :]


@pytest.mark.limit(90)
def test_killed_and_started_again_under_load(gateway: StartGateway) -> None:
    """A gateway that is killed leaves its port to the next one at once; clients lose what was under way and no more."""
    with backend_process("fault_server.py", "--places", "16", "--milliseconds", "20") as url:
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        policy = one_pool(url, limit=16, max_requests=2000, max_wait="20s", listen=f"127.0.0.1:{port}")
        first = gateway(policy)
        moments: dict[str, float] = {}
        results: list[Result] = []

        def judge(result: Result) -> str:
            results.append(result)
            return result.end

        load = Load(first.url, 150, 1, judge, fault_share=0, leave_share=0)

        async def kill_and_start() -> None:
            await asyncio.sleep(2)
            moments["killed"] = time.monotonic()
            first.signal(signal.SIGKILL)
            await asyncio.get_running_loop().run_in_executor(None, gateway, policy)
            moments["back"] = time.monotonic()

        async def run() -> None:
            await asyncio.gather(load.run(8), kill_and_start())

        asyncio.run(run())
        assert not load.violations, load.violations
        down = moments["back"] - moments["killed"]
        print(f"back after {down:.2f} s; {dict(load.counts)}")
        assert down < 5
        for result in results:
            during = result.ended >= moments["killed"] and result.began <= moments["back"]
            if not during:
                assert (result.end, result.status) == ("answered", 200), result
        assert sum(1 for result in results if result.began > moments["back"]) > 100
        assert sum(1 for result in results if result.end != "answered") > 0


# MARK: memory under many uploads

CLIENTS = 2_000
MEGABYTE = 1_000_000
PIECE = 16 << 10
# The client is one process that has two thousand sockets to feed: no time-out is to judge its pace.
SERVER = (
    "server: {max_connections: 3000, body_before_queue: 0B, body_min_rate: 0B, timeouts: {head: 60s, body_idle: 60s}}\n"
)


@pytest.mark.limit(180)
@pytest.mark.parametrize("max_bytes", [2 << 20, 64 << 20], ids=["2MiB", "64MiB"])
def test_two_thousand_uploads(gateway: StartGateway, max_bytes: int) -> None:
    """Two thousand clients post a megabyte each: the queue's bound in bytes and the connections' buffers hold."""
    with backend_process("fault_server.py", "--places", "10", "--milliseconds", "2") as url:
        through = gateway(
            one_pool(url, limit=10, max_requests=CLIENTS, max_wait="60s", extra=SERVER)
            .replace("max_wait: 60s", f"max_wait: 60s, max_bytes: {max_bytes}B")
        )
        assert request(through.url).status == 200
        most = [0.0]
        ending = threading.Event()

        def watch_queue() -> None:
            while not ending.wait(0.05):
                most[0] = max(most[0], through.metric("penstock_queue_bytes"))

        watching = threading.Thread(target=watch_queue, daemon=True)
        watching.start()
        with watched(through) as memory:
            statuses = post_all(through.url)
        ending.set()
        watching.join()
        growth = max(memory) - memory[0]
        print(f"{statuses}; the queue held {most[0]:,.0f} bytes, memory grew by {growth / 1e6:.1f} MB")
        assert sum(statuses.values()) == CLIENTS
        # The one thread that posts them all may itself be too slow for a place that others wait for: 408 then.
        assert set(statuses) <= {200, 408, 503}
        assert statuses.get(408, 0) == through.metric("penstock_requests_total", reason="client_timeout")
        assert statuses.get(408, 0) <= CLIENTS // 10
        assert most[0] <= max_bytes
        refused = through.metric("penstock_requests_total", reason="queue_bytes_full")
        assert (refused > 0) == (max_bytes < CLIENTS * PIECE)
        # What waits, a piece for every connection that is just being read, and the buffers of those that are relayed.
        assert growth < min(max_bytes, CLIENTS * PIECE) + CLIENTS * PIECE // 2 + 10 * 4 * (64 << 10)
        through.wait_until_idle()


def post_all(url: str) -> dict[int, int]:
    """Posts from all clients at once; gives how many had which status (0: none)."""
    head = f"POST / HTTP/1.1\r\nHost: g\r\nConnection: close\r\nContent-Length: {MEGABYTE}\r\n\r\n".encode()
    data = memoryview(head + bytes(MEGABYTE))
    statuses: dict[int, int] = {}
    with selectors.DefaultSelector() as selector:
        for _ in range(CLIENTS):
            link = socket.socket()
            link.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 65_536)
            link.setblocking(False)
            host, _, port = url.removeprefix("http://").partition(":")
            link.connect_ex((host, int(port)))
            selector.register(link, selectors.EVENT_READ | selectors.EVENT_WRITE, [0, b""])
        while selector.get_map():
            for key, events in selector.select(5):
                link, state = key.fileobj, key.data
                assert isinstance(link, socket.socket)
                try:
                    if events & selectors.EVENT_WRITE:
                        state[0] += link.send(data[state[0] : state[0] + 131_072])
                        if state[0] == len(data):
                            selector.modify(link, selectors.EVENT_READ, state)
                    if events & selectors.EVENT_READ:
                        more = link.recv(65_536)
                        state[1] += more
                        if more:
                            continue
                    else:
                        continue
                except BlockingIOError:
                    continue
                except OSError:
                    # The rest of a refused upload was not wanted; the answer may be there already.
                    if events & selectors.EVENT_READ == 0:
                        selector.modify(link, selectors.EVENT_READ, state)
                        continue
                status = int(state[1][9:12]) if state[1].startswith(b"HTTP/1.1 ") else 0
                statuses[status] = statuses.get(status, 0) + 1
                selector.unregister(link)
                link.close()
    return statuses
