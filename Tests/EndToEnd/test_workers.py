"""Workers: engines that come to the gateway, whatever becomes of them and of it.

They are `lane_worker.py`, which was written from the description of the protocol alone.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import signal
import socket
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from conftest import StartGateway
from fleet import free_port
from processes import HERE, Answer, Gateway, Process, eventually, listening_address, one_pool, request
from sockets import RawClient
from worker_scene import StartEngine

pytestmark = pytest.mark.timed

KEY = "pw_0123456789abcdefghijklmnopqrstuvwxyzABCDEFG"
OTHER_KEY = "pw_9876543210abcdefghijklmnopqrstuvwxyzABCDEFG"
# What the dialect of OpenAI's interface knows to do no harm twice.
REPEATABLE = "/v1/chat/completions"


class Worker(Process):
    """One `lane_worker.py`."""

    def __init__(self, port: int, *options: str) -> None:
        command = [sys.executable, str(HERE / "lane_worker.py"), "127.0.0.1", str(port), "--key", KEY, *options]
        super().__init__(command)
        self.url: str = self.wait_for_line(listening_address, "address of the worker")

    def seen(self) -> dict[str, Any]:
        """What it has seen."""
        return request(self.url).json()

    def set_credits(self, count: int) -> None:
        """Has it open or close connections."""
        request(self.url, f"/credits/{count}", "PUT")


StartWorker = Callable[..., Worker]


@pytest.fixture
def worker() -> Iterator[StartWorker]:
    """Starts workers that end with the test."""
    with ExitStack() as stack:

        def start(port: int, *options: str) -> Worker:
            started = Worker(port, *options)
            stack.callback(started.stop)
            return started

        yield start


def digest(key: str) -> str:
    """As a keys file has it."""
    return hashlib.sha256(key.encode()).hexdigest()


def policy(folder: Path, port: int, queue: str = "max_requests: 1000, max_wait: 20s, cold_wait: 20s", more: str = "") -> str:
    """A pool without backends."""
    keys = folder / "workers.keys"
    keys.write_text(f"chat sha256:{digest(KEY)}\nother sha256:{digest(OTHER_KEY)}\n")
    keys.chmod(0o600)
    return f"""\
version: 1
listen: 127.0.0.1:0
admin: 127.0.0.1:0
threads: 2
workers: {{listen: 127.0.0.1:{port}, keys: {keys}{more}}}
pools:
  chat:
    workers: {{max_credits: 64}}
    queue: {{{queue}}}
  other:
    workers: {{}}
routes: [{{path: /other/*, pool: other}}, {{path: /*, pool: chat}}]
"""


def is_there(gateway: Gateway, credits: int) -> bool:
    """Whether the workers of the pool take so many requests."""
    return gateway.status()["pools"][0]["limit"] == credits


def wait_for_credits(gateway: Gateway, credits: int, seconds: float = 10.0) -> None:
    """Waits for that."""
    eventually(lambda: is_there(gateway, credits), f"{credits} credits", seconds)


def load(gateway: Gateway, count: int, clients: int, path: str = "/work", body: bytes | None = b"{}") -> list[Answer]:
    """So many requests by so many clients."""

    def one(index: int) -> Answer:
        return request(gateway.url, path, "POST" if body is not None else "GET", body, timeout=40)

    with ThreadPoolExecutor(clients) as pool:
        return list(pool.map(one, range(count)))


def statuses(answers: list[Answer]) -> Counter[int]:
    """How often each status came."""
    return Counter(answer.status for answer in answers)


def exchange(port: int, text: str) -> tuple[int, str]:
    """Status and whole answer to a handshake, of one that is refused."""
    with socket.create_connection(("127.0.0.1", port), 5) as connection:
        connection.sendall(text.encode())
        answer = b""
        while piece := connection.recv(4096):
            answer += piece
            if answer.startswith(b"HTTP/1.1 101"):
                break
    return int(answer.split()[1]), answer.decode()


def handshake(path: str = "/v1/workers/chat", key: str | None = KEY, worker: str | None = "x1; credits=1", more: str = "") -> str:
    """One that is taken, unless something of it is changed."""
    lines = [f"GET {path} HTTP/1.1", "Host: gw", "Connection: upgrade", "Upgrade: ptth", "ALPN: http%2F1.1"]
    if key is not None:
        lines.append(f"Authorization: Bearer {key}")
    if worker is not None:
        lines.append(f"Penstock-Worker: {worker}")
    return "\r\n".join(lines) + "\r\n" + more + "\r\n"


def test_requests_of_all_kinds(gateway: StartGateway, worker: StartWorker, tmp_path: Path) -> None:
    """With and without bodies, known and unknown lengths, longer than what is held, streams, errors."""
    port = free_port()
    through = gateway(policy(tmp_path, port))
    one = worker(port)
    wait_for_credits(through, 4)
    assert request(through.url, "/a?b=c").json() == {"worker": "w1", "method": "GET", "target": "/a?b=c", "body": ""}
    assert request(through.url, "/a", "POST", b"text").json()["body"] == "text"
    long = b"x" * (3 << 20)
    assert request(through.url, "/long", "POST", long).json()["body"] == long.decode()
    chunked = request(through.url, "/c", "POST", iter([b"one ", b"two"]))  # type: ignore[arg-type]
    assert chunked.json()["body"] == "one two"
    assert request(through.url, "/s/stream").body.count(b"data: w1") == 10
    assert request(through.url, "/error", "POST", b"").status == 500
    seen = one.seen()
    assert seen["answered"] == 6
    assert seen["expected"] == 3
    assert seen["opened"] == 4
    assert set(seen["queue"]) == {0}
    backends = through.status()["pools"][0]["backends"]
    assert [(one["url"], one["limit"], one["connections"]) for one in backends] == [
        ("worker://w1", 4, {"open": 4, "idle": 4})
    ]
    through.wait_until_idle()


@pytest.mark.parametrize(
    ("text", "status"),
    [
        (handshake(), 101),
        (handshake(key=None), 401),
        (handshake(key="pw_nobody"), 401),
        (handshake(key=OTHER_KEY), 403),
        (handshake("/v1/workers/other"), 403),
        (handshake("/v1/workers/none"), 404),
        (handshake("/v1/workers"), 404),
        (handshake("/"), 404),
        (handshake().replace("Upgrade: ptth\r\n", ""), 426),
        (handshake().replace("ptth", "websocket"), 426),
        (handshake().replace("Connection: upgrade", "Connection: keep-alive"), 426),
        (handshake(worker="x1; credits=0"), 400),
        (handshake(worker="x1; credits=-1"), 400),
        (handshake(worker="x1; credits=1000000000"), 400),
        (handshake(worker="x1"), 400),
        (handshake(worker=None), 400),
        (handshake(worker="; credits=1"), 400),
        (handshake(worker="a b; credits=1"), 400),
        (handshake(more="Content-Length: 1\r\n"), 400),
        (handshake() + "GET", 400),
        (handshake().replace("http%2F1.1", "h2"), 400),
        (handshake().replace("ALPN: http%2F1.1", "ALPN: h2, http%2F1.1"), 101),
        (handshake().replace("Host: gw\r\n", ""), 400),
        ("nonsense\r\n\r\n", 400),
    ],
)
def test_handshakes(gateway: StartGateway, tmp_path: Path, text: str, status: int) -> None:
    """Each has its answer, and one that is refused takes nothing."""
    port = free_port()
    through = gateway(policy(tmp_path, port))
    got, answer = exchange(port, text)
    assert got == status, answer
    assert KEY not in answer
    if status == 101:
        lines = answer.lower().split("\r\n")
        assert {"connection: upgrade", "upgrade: ptth", "alpn: http%2f1.1", "penstock-probe: 5"} <= set(lines)
    else:
        assert through.status()["pools"][0]["limit"] == 0


def test_credits_are_never_exceeded(gateway: StartGateway, worker: StartWorker, tmp_path: Path) -> None:
    """16 credits, 32 clients, 50 ms of work: 16 at a time, and nearly all of what they can."""
    port = free_port()
    through = gateway(policy(tmp_path, port))
    one = worker(port, "--credits", "16", "--milliseconds", "50")
    wait_for_credits(through, 16)
    start = time.monotonic()
    answers = load(through, 640, 32)
    seconds = time.monotonic() - start
    seen = one.seen()
    assert statuses(answers) == {200: 640}
    assert seen["most_running"] == 16
    assert max(seen["queue"]) > 0
    print(f"{640 / seconds:.0f} of 320 requests a second")
    assert 640 / seconds > 160


def test_credits_come_and_go(gateway: StartGateway, worker: StartWorker, tmp_path: Path) -> None:
    """Stop and resume are connections that are closed and opened."""
    port = free_port()
    through = gateway(policy(tmp_path, port))
    one = worker(port, "--credits", "0", "--declare", "32", "--milliseconds", "20")
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(load, through, 300, 24)
        for count in (8, 2, 0, 32, 4, 1, 16):
            one.set_credits(count)
            time.sleep(0.4)
        assert statuses(running.result()) == {200: 300}
    assert one.seen()["most_running"] <= 24
    wait_for_credits(through, 16)
    one.set_credits(3)
    wait_for_credits(through, 3)


def test_more_connections_than_it_says(gateway: StartGateway, worker: StartWorker, tmp_path: Path) -> None:
    """They are refused, be it by what it says or by the policy."""
    port = free_port()
    through = gateway(policy(tmp_path, port))
    liar = worker(port, "--credits", "5", "--declare", "2")
    eventually(lambda: 503 in liar.seen()["refused"], "a refusal")
    assert is_there(through, 2)


def test_a_connection_for_each_request(gateway: StartGateway, worker: StartWorker, tmp_path: Path) -> None:
    """`Connection: close` takes a credit back; the row stays while others come."""
    port = free_port()
    through = gateway(policy(tmp_path, port))
    worker(port, "--credits", "2", "--once")
    wait_for_credits(through, 2)
    assert statuses(load(through, 20, 4)) == {200: 20}


def test_killed_workers_lose_nothing(gateway: StartGateway, worker: StartWorker, tmp_path: Path) -> None:
    """Three workers, one killed after the other and started anew: what may be done twice is answered.

    What meets two deaths is told so: it is repeated once.
    """
    port = free_port()
    through = gateway(policy(tmp_path, port))
    workers = [worker(port, "--credits", "8", "--milliseconds", "30", "--name", f"w{index}") for index in range(3)]
    wait_for_credits(through, 24)
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(load, through, 1200, 32, REPEATABLE)
        for index in range(3):
            time.sleep(0.3)
            workers[index].kill()
            workers.append(worker(port, "--credits", "8", "--milliseconds", "30", "--name", f"n{index}"))
        answers = running.result()
    told = statuses(answers)
    assert told[200] + told.get(502, 0) == 1200
    assert told.get(502, 0) <= 3
    names = {answer.json()["worker"] for answer in answers if answer.status == 200}
    assert names >= {"n0", "n1", "n2"}
    through.wait_until_idle()


def test_death_before_the_grant_is_invisible(gateway: StartGateway, worker: StartWorker, tmp_path: Path) -> None:
    """A POST that nobody may do twice goes to another worker while only its head has travelled."""
    port = free_port()
    through = gateway(policy(tmp_path, port))
    first = worker(port, "--credits", "2", "--hold", "20000", "--name", "slow")
    wait_for_credits(through, 2)
    with ThreadPoolExecutor(2) as pool:
        waiting = [pool.submit(request, through.url, "/once", "POST", b"body") for _ in range(2)]
        eventually(lambda: first.seen()["running"] == 2, "both are asked")
        worker(port, "--credits", "2", "--name", "quick")
        wait_for_credits(through, 4)
        first.kill()
        assert [answer.result().json()["worker"] for answer in waiting] == ["quick", "quick"]
    assert through.metric("penstock_worker_returns_total", pool="chat") == 2


def test_death_after_the_grant_is_told(gateway: StartGateway, worker: StartWorker, tmp_path: Path) -> None:
    """A POST that may have been done is answered with 502; what may be repeated goes elsewhere."""
    port = free_port()
    through = gateway(policy(tmp_path, port))
    first = worker(port, "--credits", "3", "--milliseconds", "20000", "--name", "slow")
    wait_for_credits(through, 3)
    with ThreadPoolExecutor(3) as pool:
        once = pool.submit(request, through.url, "/once", "POST", b"body")
        again = pool.submit(request, through.url, REPEATABLE, "POST", b'{"model": "m"}')
        get = pool.submit(request, through.url, "/get")
        eventually(lambda: first.seen()["running"] == 3, "all are begun")
        worker(port, "--credits", "3", "--name", "quick")
        wait_for_credits(through, 6)
        first.kill()
        assert once.result().status == 502
        assert once.result().headers["x-penstock-reason"] == "worker_lost"
        assert again.result().json()["worker"] == "quick"
        assert get.result().json()["worker"] == "quick"


def test_a_client_that_leaves_is_told_on(gateway: StartGateway, worker: StartWorker, tmp_path: Path) -> None:
    """The worker's connection is closed at once, and it comes back with another one."""
    port = free_port()
    through = gateway(policy(tmp_path, port))
    one = worker(port, "--credits", "1", "--milliseconds", "20000")
    wait_for_credits(through, 1)
    connection = socket.create_connection(urlsplit(through.url).netloc.split(":"), 5)
    connection.sendall(b"POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\n{}")
    eventually(lambda: one.seen()["running"] == 1, "it runs")
    connection.close()
    eventually(lambda: one.seen()["cancelled"] == 1, "the worker knows", 0.5)
    wait_for_credits(through, 1)


@pytest.mark.limit(90)
def test_a_stopped_worker_is_found_out(gateway: StartGateway, worker: StartWorker, tmp_path: Path) -> None:
    """Its kernel keeps the connections; probes tell, and what it had goes to another one."""
    port = free_port()
    through = gateway(policy(tmp_path, port))
    stopped = worker(port, "--credits", "3", "--milliseconds", "60000", "--name", "stopped")
    wait_for_credits(through, 3)
    with ThreadPoolExecutor(1) as pool:
        lost = pool.submit(request, through.url, REPEATABLE, "POST", b'{"model": "m"}', None, 60)
        eventually(lambda: stopped.seen()["running"] == 1, "it runs")
        stopped.signal(signal.SIGSTOP)
        start = time.monotonic()
        try:
            eventually(lambda: is_there(through, 0), "it is given up", 20)
            seconds = time.monotonic() - start
            print(f"found out after {seconds:.1f} s")
            assert seconds < 11
            worker(port, "--name", "other")
            assert lost.result().json()["worker"] == "other"
        finally:
            stopped.signal(signal.SIGCONT)
    # The other one may be taken for lost for a moment, where the machine is busy.
    assert through.metric("penstock_workers_lost_total", pool="chat") >= 1
    # It comes back.
    wait_for_credits(through, 7, 20)


def test_a_gateway_that_dies_and_comes_back(gateway: StartGateway, worker: StartWorker, tmp_path: Path) -> None:
    """Workers abort what they had, and come to the next one."""
    port = free_port()
    text = policy(tmp_path, port)
    first = gateway(text)
    one = worker(port, "--credits", "2", "--milliseconds", "2500")
    wait_for_credits(first, 2)
    thread = threading.Thread(target=lambda: pytest.raises(Exception, request, first.url, "/x", "POST", b"{}"))
    thread.start()
    eventually(lambda: one.seen()["running"] == 1, "it runs")
    first.kill()
    thread.join()
    eventually(lambda: one.seen()["cancelled"] == 1, "the worker knows", 1)
    second = gateway(text)
    wait_for_credits(second, 2, 15)
    assert request(second.url, "/x", "POST", b"{}").status == 200


def test_a_drain_lets_answers_end(gateway: StartGateway, worker: StartWorker, tmp_path: Path) -> None:
    """Idle connections are closed at once, handshakes refused, and what runs is answered."""
    port = free_port()
    through = gateway(policy(tmp_path, port))
    one = worker(port, "--credits", "4", "--milliseconds", "1500")
    wait_for_credits(through, 4)
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(request, through.url, "/x", "POST", b"{}")
        eventually(lambda: one.seen()["running"] == 1, "it runs")
        through.signal(signal.SIGTERM)
        eventually(lambda: one.seen()["resting"] == 0, "idle ones are closed", 1)
        status, answer = exchange(port, handshake())
        assert status == 503
        assert "Retry-After: " in answer
        assert running.result().status == 200
    assert through.wait(10) == 0


def test_keys_and_pools_change_with_a_reload(gateway: StartGateway, worker: StartWorker, tmp_path: Path) -> None:
    """A key that is taken out lets nobody in; a pool that takes no workers any more lets them go."""
    port = free_port()
    text = policy(tmp_path, port)
    through = gateway(text)
    worker(port)
    wait_for_credits(through, 4)
    (tmp_path / "workers.keys").write_text(f"other sha256:{digest(OTHER_KEY)}\n")
    through.signal(signal.SIGHUP)
    through.told("policy reloaded")
    assert exchange(port, handshake())[0] == 401
    # Those that are in stay in.
    assert request(through.url, "/x").status == 200
    without = text.replace("    workers: {max_credits: 64}\n", "    backends: [http://127.0.0.1:9]\n")
    through.reload(without)
    through.told("policy reloaded", 2)
    eventually(lambda: request(through.url, "/x").status == 502, "no worker is left")


def test_workers_leave_no_trace(gateway: StartGateway, worker: StartWorker, tmp_path: Path) -> None:
    """Rows of workers that are gone are forgotten, and what they held."""
    port = free_port()
    through = gateway(policy(tmp_path, port))
    before = through.open_descriptors()
    for index in range(40):
        text = handshake(worker=f"spot{index}; credits=1")
        assert exchange(port, text)[0] == 101
    eventually(lambda: through.status()["pools"][0]["backends"] == [], "all are forgotten", 25)
    assert through.open_descriptors() <= before + 1
    assert json.dumps(through.status()).count("spot") == 0


@pytest.mark.long
@pytest.mark.limit(720)
def test_ten_minutes_of_changing_credits(gateway: StartGateway, worker: StartWorker, tmp_path: Path) -> None:
    """Three workers whose credits go up and down as they like, one of them killed or stopped now and then: nothing is lost.

    SECONDS_OF_CHANGES has it take another time.
    """
    port = free_port()
    through = gateway(policy(tmp_path, port))
    seed = int(time.time())
    print(f"seed {seed}")
    chance = random.Random(seed)

    def another(index: int) -> Worker:
        return worker(port, "--credits", "8", "--declare", "32", "--milliseconds", "40", "--name", f"w{index}", "--control")

    workers = {index: another(index) for index in range(3)}
    seconds = float(os.environ.get("SECONDS_OF_CHANGES", "600"))
    until = time.monotonic() + seconds
    told: Counter[int] = Counter()
    lock = threading.Lock()

    def ask() -> None:
        while time.monotonic() < until:
            status = request(through.url, REPEATABLE, "POST", b'{"model": "m"}', timeout=60).status
            with lock:
                told[status] += 1

    deaths = 0
    with ThreadPoolExecutor(48) as pool:
        asking = [pool.submit(ask) for _ in range(48)]
        number = 3
        while time.monotonic() < until - 5:
            time.sleep(chance.uniform(0.2, 2))
            index = chance.choice(list(workers))
            what = chance.random()
            if what < 0.9:
                workers[index].set_credits(chance.choice([0, 1, 4, 8, 16, 32]))
                continue
            deaths += 1
            victim = workers.pop(index)
            if what < 0.97:
                assert victim.seen()["most_running"] <= 32
                victim.kill()
            else:
                victim.signal(signal.SIGSTOP)
            workers[number] = another(number)
            number += 1
        for left in workers.values():
            left.set_credits(8)
        for each in asking:
            each.result()
    print(f"{dict(told)}, {deaths} deaths")
    assert sum(told.values()) == told[200] + told.get(502, 0)
    # What meets two deaths is told so.
    assert told.get(502, 0) <= 2 * deaths
    assert told[200] > 16 * seconds
    through.wait_until_idle()


@pytest.mark.long
@pytest.mark.limit(90)
def test_what_a_worker_costs(gateway: StartGateway, worker: StartWorker, tmp_path: Path) -> None:
    """A request by a worker's connection takes at most 1.3 times that of one that is dialled, and an idle one little memory."""
    port = free_port()
    through = gateway(policy(tmp_path, port))
    one = worker(port, "--credits", "1", "--milliseconds", "0")
    wait_for_credits(through, 1)

    # The same program at the other end.
    backend = worker(0, "--listen", "--milliseconds", "0")
    dialled = gateway(one_pool(backend.url, limit=1))

    def median(url: str) -> float:
        times = []
        with RawClient(url) as client:
            for _ in range(400):
                began = time.perf_counter()
                client.received = b""
                client.send(b"GET / HTTP/1.1\r\nHost: g\r\n\r\n")
                client.read_until(b"\r\n\r\n")
                times.append(time.perf_counter() - began)
        return sorted(times)[len(times) // 2]

    ratios = [median(through.url) / median(dialled.url) for _ in range(5)]
    print(f"times that of a dialled backend: {sorted(ratios)[2]:.2f}")
    assert sorted(ratios)[2] < 1.3
    before = through.resident_bytes()
    one.set_credits(60)
    more = [worker(port, "--credits", "60", "--name", f"m{index}") for index in range(9)]
    wait_for_credits(through, 600, 30)
    print(f"{(through.resident_bytes() - before) / 599:.0f} bytes for a credit that waits")
    assert (through.resident_bytes() - before) / 599 < 4096
    del more
