"""`penstock worker`: an engine comes to gateways, and takes from them what it can do, whatever becomes of any of them."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from authority import Authority
from conftest import StartGateway
from fleet import free_port
from processes import HERE, Process, eventually, listening_address, request
from sockets import RawClient
from worker_scene import KEY, REPEATABLE, StartEngine, StartWorker, credits, load, policy, wait_for_credits

pytestmark = pytest.mark.timed


def test_requests_of_all_kinds(gateway: StartGateway, penstock_worker: StartWorker, counting_engine: StartEngine, tmp_path: Path) -> None:
    """With and without bodies, of known and unknown lengths, longer than any buffer, and streams."""
    port = free_port()
    through = gateway(policy(tmp_path, port))
    engine = counting_engine()
    one = penstock_worker(port, engine.url, "--credits", "4", "--name", "here")
    wait_for_credits(through, 4)
    assert request(through.url, "/a?b=c").body == b"nothing"
    assert request(through.url, "/a", "POST", b"text").body == b"text"
    long = b"x" * (9 << 20)
    assert request(through.url, "/long", "POST", long).body == long
    assert request(through.url, "/c", "POST", iter([b"one ", b"two"])).body == b"one two"  # type: ignore[arg-type]
    assert request(through.url, "/s/stream").body.count(b"data: ") == 10
    busy = request(through.url, "/x/busy", "POST", b"{}")
    assert (busy.status, busy.headers["retry-after"]) == (503, "2")
    with RawClient(through.url) as client:
        client.send(b"GET /a HTTP/1.1\r\nHost: g\r\n\r\n")
        head = client.read_until(b"\r\n\r\n").lower()
    # Of the two that it passed one alone speaks of itself.
    assert [head.count(name) for name in (b"\r\nx-penstock-queue-ms:", b"\r\nserver-timing:", b"\r\nvia:")] == [1, 1, 1]
    seen = engine.seen()
    assert seen["answered"] >= 6
    # What is between gateways and workers stays there.
    assert not {"expect", "penstock-queue", "via"} & (set(seen["fields"]) - {"via"})
    assert seen["fields"]["via"] == "1.1 penstock"
    assert through.status()["pools"][0]["backends"][0]["url"].startswith("worker://here.")
    assert one.told("gateway serves from here")
    through.wait_until_idle()


def test_no_more_than_its_credits(gateway: StartGateway, penstock_worker: StartWorker, counting_engine: StartEngine, tmp_path: Path) -> None:
    """64 clients want what eight places have; the engine sees eight at a time, and is seldom without."""
    port = free_port()
    through = gateway(policy(tmp_path, port))
    engine = counting_engine("--milliseconds", "50")
    penstock_worker(port, engine.url, "--credits", "8")
    wait_for_credits(through, 8)
    began = time.monotonic()
    assert load(through, 800, 64) == {200: 800}
    seconds = time.monotonic() - began
    seen = engine.seen()
    print(f"{800 * 0.05 / 8 / seconds:.2f} of what eight places can")
    assert seen["most"] == 8
    assert 800 * 0.05 / 8 / seconds > 0.6


def test_clients_that_leave(gateway: StartGateway, penstock_worker: StartWorker, counting_engine: StartEngine, tmp_path: Path) -> None:
    """The engine is told at once, and the credit comes back."""
    port = free_port()
    through = gateway(policy(tmp_path, port))
    engine = counting_engine("--milliseconds", "60000")
    penstock_worker(port, engine.url, "--credits", "2")
    wait_for_credits(through, 2)
    for count in (1, 2, 3):
        with pytest.raises(Exception):
            request(through.url, "/x", "POST", b"{}", timeout=0.5)
        eventually(lambda: engine.seen()["cancelled"] == count, "the engine knows", 2)  # noqa: B023
        wait_for_credits(through, 2)


def test_an_engine_that_goes_and_comes(
    gateway: StartGateway, penstock_worker: StartWorker, counting_engine: StartEngine, tmp_path: Path
) -> None:
    """Without it the worker takes nothing, requests wait, and go on when it is there; other workers get them meanwhile."""
    port, engine_port = free_port(), free_port()
    through = gateway(policy(tmp_path, port))
    lonely = penstock_worker(port, f"http://127.0.0.1:{engine_port}", "--credits", "4")
    time.sleep(2)
    assert credits(through) == 0
    with ThreadPoolExecutor(8) as pool:
        waiting = [pool.submit(request, through.url, "/x", "POST", b"{}", None, 60) for _ in range(8)]
        time.sleep(0.5)
        first = counting_engine("--port", str(engine_port))
        assert [answer.result().status for answer in waiting] == [200] * 8
    lonely.told("engine answers: requests are taken")
    first.stop()
    # The first request finds that nobody listens, goes back, and is served by another worker; none is lost.
    other = counting_engine()
    penstock_worker(port, other.url, "--credits", "2")
    eventually(lambda: credits(through) == 6, "both are there")
    assert load(through, 50, 10, "/x") == {200: 50}
    assert other.seen()["answered"] == 50
    wait_for_credits(through, 2)
    lonely.told("engine does not answer: no requests are taken until it does")
    counting_engine("--port", str(engine_port))
    wait_for_credits(through, 6)


def test_a_health_check(gateway: StartGateway, penstock_worker: StartWorker, tmp_path: Path) -> None:
    """An engine that is loading answers its check with 503, and gets no requests until it is done."""
    code = (
        "import http.server, sys, time; began = time.time()\n"
        "class H(http.server.BaseHTTPRequestHandler):\n"
        "  protocol_version = 'HTTP/1.1'\n"
        "  def log_message(self, *_): pass\n"
        "  def do_GET(self):\n"
        "    ready = time.time() - began > 6\n"
        "    self.send_response(200 if ready else 503); self.send_header('Content-Length', '0'); self.end_headers()\n"
        "s = http.server.ThreadingHTTPServer(('127.0.0.1', 0), H)\n"
        "print('{\"listening\": \"http://127.0.0.1:%d\"}' % s.server_port, flush=True); s.serve_forever()\n"
    )
    port = free_port()
    through = gateway(policy(tmp_path, port))
    engine = Process([sys.executable, "-c", code])
    try:
        url = engine.wait_for_line(listening_address, "address")
        penstock_worker(port, url, "--credits", "3", "--health", "/health")
        time.sleep(3)
        assert credits(through) == 0
        wait_for_credits(through, 3, 30)
        assert request(through.url, "/x").status == 200
    finally:
        engine.stop()


def test_a_worker_that_is_told_to_end(
    gateway: StartGateway, penstock_worker: StartWorker, counting_engine: StartEngine, tmp_path: Path
) -> None:
    """Under load, one after the other: whatever they had ends well, and nobody notices."""
    port = free_port()
    through = gateway(policy(tmp_path, port))
    engine = counting_engine("--milliseconds", "30")
    running = [penstock_worker(port, engine.url, "--credits", "4") for _ in range(2)]
    wait_for_credits(through, 8)
    with ThreadPoolExecutor(1) as pool:
        result = pool.submit(load, through, 600, 24, "/x")
        for _ in range(4):
            time.sleep(0.4)
            running[0].signal(signal.SIGTERM)
            assert running.pop(0).wait(10) == 0
            running.append(penstock_worker(port, engine.url, "--credits", "4"))
        assert result.result() == {200: 600}
    assert engine.seen()["most"] <= 12


def test_a_worker_that_is_killed(
    gateway: StartGateway, penstock_worker: StartWorker, counting_engine: StartEngine, tmp_path: Path
) -> None:
    """Under load: what had not been answered runs once more elsewhere, and the engine has stopped what nobody waits for."""
    port = free_port()
    through = gateway(policy(tmp_path, port))
    engine = counting_engine("--milliseconds", "30")
    stays = penstock_worker(port, engine.url, "--credits", "4")
    wait_for_credits(through, 4)
    with ThreadPoolExecutor(1) as pool:
        result = pool.submit(load, through, 500, 24)
        for _ in range(3):
            victim = penstock_worker(port, engine.url, "--credits", "4")
            time.sleep(0.6)
            victim.kill()
        answers = result.result()
    assert answers == {200: 500}
    assert stays.returncode is None


@pytest.mark.limit(90)
def test_a_worker_that_is_stopped(
    gateway: StartGateway, penstock_worker: StartWorker, counting_engine: StartEngine, tmp_path: Path
) -> None:
    """All its connections carry requests and stay open; its control connection tells, and another worker has them."""
    port = free_port()
    through = gateway(policy(tmp_path, port))
    slow = counting_engine("--milliseconds", "60000")
    stopped = penstock_worker(port, slow.url, "--credits", "2", "--cancel", "stops")
    wait_for_credits(through, 2)
    with ThreadPoolExecutor(2) as pool:
        running = [pool.submit(request, through.url, REPEATABLE, "POST", b'{"model": "m"}', None, 80) for _ in range(2)]
        eventually(lambda: slow.seen()["running"] == 2, "they run")
        time.sleep(1)
        stopped.signal(signal.SIGSTOP)
        began = time.monotonic()
        try:
            eventually(lambda: credits(through) == 0, "it is given up", 20)
            print(f"given up after {time.monotonic() - began:.1f} s")
            assert time.monotonic() - began < 11
            penstock_worker(port, counting_engine().url, "--credits", "2")
            assert [answer.result().status for answer in running] == [200, 200]
        finally:
            stopped.signal(signal.SIGCONT)
    eventually(lambda: slow.seen()["cancelled"] == 2, "its engine is told")
    eventually(lambda: credits(through) == 4, "it is back", 15)


def test_gateways_that_die_and_come_back(
    gateway: StartGateway, penstock_worker: StartWorker, counting_engine: StartEngine, tmp_path: Path
) -> None:
    """The engine stops what its client waits for no more, and the worker comes to the next gateway."""
    port = free_port()
    text = policy(tmp_path, port)
    first = gateway(text)
    engine = counting_engine("--milliseconds", "3000")
    one = penstock_worker(port, engine.url, "--credits", "2")
    wait_for_credits(first, 2)
    thread = threading.Thread(target=lambda: pytest.raises(Exception, request, first.url, "/x", "POST", b"{}"))
    thread.start()
    eventually(lambda: engine.seen()["running"] == 1, "it runs")
    first.kill()
    thread.join()
    eventually(lambda: engine.seen()["cancelled"] == 1, "the engine knows", 2)
    one.told("gateway not reached")
    second = gateway(text)
    wait_for_credits(second, 2, 40)
    assert request(second.url, "/x", "POST", b"{}").status == 200
    # One that drains is left, and found again.
    second.signal(signal.SIGTERM)
    assert second.wait(10) == 0
    third = gateway(text)
    wait_for_credits(third, 2, 40)


def test_two_gateways(gateway: StartGateway, penstock_worker: StartWorker, counting_engine: StartEngine, tmp_path: Path) -> None:
    """One engine of four places serves both: never more than four together, all the places where only one needs them."""
    folders = [tmp_path / "one", tmp_path / "two"]
    for folder in folders:
        folder.mkdir()
    ports = [free_port(), free_port()]
    through = [gateway(policy(folder, port)) for folder, port in zip(folders, ports, strict=True)]
    engine = counting_engine("--milliseconds", "40")
    penstock_worker(ports, engine.url, "--credits", "4")
    for each in through:
        eventually(lambda: credits(each) == 2, "two at each")  # noqa: B023
    with ThreadPoolExecutor(2) as pool:
        results = [pool.submit(load, each, 300, 16) for each in through]
        took = [result.result() for result in results]
    assert took == [{200: 300}, {200: 300}]
    assert engine.seen()["most"] == 4
    # One alone has three of the four at least; the other keeps one, to be heard.
    began = time.monotonic()
    assert load(through[0], 300, 16) == {200: 300}
    share = 300 * 0.04 / 4 / (time.monotonic() - began)
    print(f"{share:.2f} of the places for one gateway alone")
    assert share > 0.5
    # The one that rested is served within moments, although the other one has all the load there is.
    with ThreadPoolExecutor(1) as pool:
        busy = pool.submit(load, through[0], 300, 16)
        time.sleep(0.5)
        began = time.monotonic()
        assert request(through[1].url, "/x").status == 200
        assert time.monotonic() - began < 3
        assert busy.result() == {200: 300}
    assert engine.seen()["most"] == 4
    # One dies: the other has all.
    through[1].kill()
    eventually(lambda: credits(through[0]) == 4, "all are there", 15)


def test_credits_that_are_found(gateway: StartGateway, penstock_worker: StartWorker, tmp_path: Path) -> None:
    """`auto` finds how many the engine can do at once, for any gateway: eight places, and a queue behind them."""
    port = free_port()
    through = gateway(policy(tmp_path, port))
    engine = Process([sys.executable, str(HERE / "slot_server.py"), "--slots", "8", "--milliseconds", "50"])
    try:
        url = engine.wait_for_line(listening_address, "address of the engine")
        penstock_worker(port, url)
        eventually(lambda: credits(through) > 0, "it is there")

        def one(_: int) -> int:
            return request(through.url, "/x", timeout=60).status

        with ThreadPoolExecutor(32) as pool:
            assert set(pool.map(one, range(3000))) == {200}
        found = credits(through)
        print(f"{found} credits for eight places")
        assert 6 <= found <= 16
    finally:
        engine.stop()


def test_over_tls(gateway: StartGateway, penstock_worker: StartWorker, counting_engine: StartEngine, tmp_path: Path) -> None:
    """Worker and gateway show each other certificates, and each refuses those of others."""
    authority, stranger = Authority(tmp_path), Authority(tmp_path, "stranger")
    authority.issue("gateway", "IP:127.0.0.1")
    authority.issue("shown", "DNS:worker.example")
    port = free_port()
    tls = f"tls: {{certificates: [{{certificate_file: {tmp_path}/gateway.pem, key_file: {tmp_path}/gateway.key}}], client_ca_file: {tmp_path}/ca.pem, client_certificate: require}}"
    through = gateway(policy(tmp_path, port, listener=f"{{address: 127.0.0.1:{port}, {tls}}}"))
    engine = counting_engine()
    own = ("--cert-file", f"{tmp_path}/shown.pem", "--cert-key-file", f"{tmp_path}/shown.key")
    known = ("--ca-file", f"{tmp_path}/ca.pem")
    deceived = penstock_worker(port, engine.url, "--credits", "2", "--ca-file", f"{tmp_path}/stranger.pem", *own, scheme="https")
    nameless = penstock_worker(port, engine.url, "--credits", "2", *known, scheme="https")
    assert deceived.told("gateway not reached")[0]["cause"] == "certificate"
    eventually(lambda: nameless.logged("gateway not reached") or nameless.logged("gateway refuses"), "it is refused")
    assert credits(through) == 0
    del stranger
    penstock_worker(port, engine.url, "--credits", "4", *known, *own, scheme="https")
    wait_for_credits(through, 4)
    assert load(through, 100, 10) == {200: 100}
    long = b"x" * (3 << 20)
    assert request(through.url, "/long", "POST", long).body == long
    assert request(through.url, "/s/stream").body.count(b"data: ") == 10


def test_a_key_that_is_not_known(
    gateway: StartGateway, penstock_worker: StartWorker, counting_engine: StartEngine, tmp_path: Path
) -> None:
    """The log says why, without the key; when the gateway learns it, the worker is in."""
    port = free_port()
    text = policy(tmp_path, port)
    (tmp_path / "workers.keys").write_text("")
    through = gateway(text)
    one = penstock_worker(port, counting_engine().url, "--credits", "2")
    line = one.told("gateway refuses")[0]
    assert line["cause"] == "401 the key is not known"
    assert KEY not in "".join(one.errors)
    policy(tmp_path, port)
    through.signal(signal.SIGHUP)
    wait_for_credits(through, 2, 40)


@pytest.mark.parametrize(
    ("options", "fault"),
    [
        (["--credits", "0"], "--credits"),
        (["--credits", "many"], "--credits"),
        (["--gateway", "ftp://x"], "--gateway: the scheme"),
        (["--gateway", "http+unix:///x"], "--gateway: write http:// or https://"),
        (["--engine", "localhost"], "--engine: "),
        (["--name", "two words"], "--name has"),
        (["--cert-file", "x.pem"], "belong together"),
        (["--pool", "a,b"], "--pool is the name"),
        (["--key-file", "/nowhere/key"], "/nowhere/key"),
        (["--ca-file", "/nowhere/ca.pem", "--gateway", "https://127.0.0.1:1"], "/nowhere/ca.pem"),
        (["--admin", "nowhere"], "nowhere"),
        (["--credits", "1", "--gateway", "http://127.0.0.1:2"], "less than one for each gateway"),
    ],
)
def test_what_is_wrong_is_said(penstock: Path, tmp_path: Path, options: list[str], fault: str) -> None:
    """In a line, before anything is begun."""
    key = tmp_path / "worker.key"
    key.write_text(KEY)
    usual = ["--gateway", "http://127.0.0.1:1", "--pool", "chat", "--engine", "http://127.0.0.1:2", "--key-file", str(key)]
    ended = subprocess.run([str(penstock), "worker", *usual, *options], capture_output=True, text=True, timeout=20, check=False)
    assert ended.returncode != 0
    assert fault in ended.stderr, ended.stderr
    assert KEY not in ended.stderr
