"""What operators change while the gateway serves: `penstock ctl` and `penstock top` over the control socket."""

from __future__ import annotations

import http.client
import json
import os
import pty
import random
import select
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from conftest import StartGateway
from fleet import Backend, answers, free_port, running_backends
from processes import eventually, request
from sockets import RawClient


@pytest.fixture
def backends() -> Iterator[list[Backend]]:
    """Three of them."""
    with running_backends("abc") as made:
        yield made


class Operator:
    """Whoever runs `penstock ctl`."""

    def __init__(self, binary: Path, control: Path) -> None:
        self.binary = binary
        self.control = control

    def run(self, *words: str, status: int = 0) -> str:
        """What a command prints; with a status other than 0, what it says of that."""
        command = [str(self.binary), "ctl", *words, "--socket", str(self.control)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=30)
        assert done.returncode == status, (words, done.stdout, done.stderr)
        return done.stdout if status == 0 else done.stderr

    def overrides(self) -> list[dict[str, object]]:
        """What is changed."""
        return json.loads(self.run("overrides", "--json"))

    def verbs(self) -> list[object]:
        """What kinds of things are changed."""
        return [one["verb"] for one in self.overrides()]


def policy(backends: list[Backend], control: Path, limit: str = "8", weight: int = 4, more: str = "") -> str:
    """A pool of them."""
    urls = ", ".join(one.address for one in backends)
    return f"""\
version: 1
listen: 127.0.0.1:0
admin: 127.0.0.1:0
control: unix:{control}
pools:
  chat:
    backends: [{urls}]
    limit: {limit}
    tenant: {{header: x-tenant, named: [{{name: gold, weight: {weight}}}]}}
routes: [{{path: /*, pool: chat}}]
{more}"""


@pytest.fixture
def control(tmp_path: Path) -> Path:
    """Where the socket is."""
    return tmp_path / "ctl.sock"


@pytest.fixture
def operator(penstock: Path, control: Path) -> Operator:
    """Somebody at it."""
    return Operator(penstock, control)


def test_drains_under_load(
    gateway: StartGateway, backends: list[Backend], operator: Operator, control: Path
) -> None:
    """One of three: nobody fails, nothing new after 100 ms, and whoever waits is told when it is empty."""
    through = gateway(policy(backends, control))
    slow = [RawClient(through.url) for _ in range(3)]
    for client in slow:
        client.send(b"GET /stream HTTP/1.1\r\nHost: x\r\n\r\n")
    eventually(lambda: all(one.requests == 1 for one in backends), "one at each")
    statuses: list[int] = []
    ended = threading.Event()

    def load() -> None:
        while not ended.is_set():
            statuses.append(request(through.url).status)

    clients = [threading.Thread(target=load) for _ in range(3)]
    for client in clients:
        client.start()
    try:
        said = operator.run("drain", "chat", backends[0].address)
        assert said == f"drain chat {backends[0].address} drained, until it is taken back\n"
        time.sleep(0.1)
        before, others = backends[0].requests, backends[1].requests
        assert "still in flight there: 1" in operator.run("drain", "chat", backends[0].address, "--wait", "300ms", status=1)
        time.sleep(0.3)
        assert backends[0].requests == before and backends[1].requests > others
        threading.Timer(0.3, backends[0].ended.set).start()
        assert "nothing is in flight there" in operator.run("drain", "chat", backends[0].address, "--wait", "10s")
        assert "drain by control" in operator.run("status")
        assert through.metric("penstock_backend_signal", backend=backends[0].address, source="control", state="drain") == 1
        assert through.metric("penstock_overrides", verb="drain") == 1
        # By what stands behind the scheme, too.
        operator.run("undrain", "chat", backends[0].address.removeprefix("http://"))
        eventually(lambda: backends[0].requests > before, "it is asked again")
    finally:
        ended.set()
        for one in backends:
            one.ended.set()
        for client in clients:
            client.join()
        for client in slow:
            client.close()
    assert set(statuses) == {200}
    line = through.told("changed by an operator")[0]
    assert (line["verb"], line["pool"], line["backend"], line["from"], line["to"], line["level"]) == (
        "drain", "chat", backends[0].address, "weight 1", "drained", "notice",
    )  # fmt: skip
    assert line["uid"] == str(os.getuid()) and int(line["pid"]) > 0
    assert through.told("change ended")[0]["why"] == "taken back"


def test_all_drained_is_not_ready(
    gateway: StartGateway, backends: list[Backend], operator: Operator, control: Path
) -> None:
    """Only then."""
    through = gateway(policy(backends, control, more="server: {readiness: backends}\n"))
    assert answers(through, 30) == {b"a", b"b", b"c"}
    for one in backends:
        assert request(through.admin_url, "/readyz").status == 200
        operator.run("drain", "chat", one.address)
    assert request(through.admin_url, "/readyz").status == 503
    assert request(through.url).status == 503
    assert operator.run("overrides", "--clear") == "3 taken back\n"
    assert request(through.url).status == 200


def test_limits_are_pinned(
    gateway: StartGateway, backends: list[Backend], operator: Operator, control: Path
) -> None:
    """All of a pool, one of them, for a time, and on from there."""
    through = gateway(policy(backends, control, limit="{algorithm: knee, initial: 5}"))
    assert through.metric("penstock_limit") == 15
    operator.run("limit", "chat", "64")
    operator.run("limit", "chat", backends[1].address, "7", "--for", "1s")
    limits = {one.address: through.metric("penstock_limit", backend=one.address) for one in backends}
    assert [*limits.values()] == [64, 7, 64]
    assert [*operator.verbs()] == ["limit", "limit"]
    eventually(lambda: through.metric("penstock_limit", backend=backends[1].address) == 64, "its end", 5)
    assert through.told("change ended")[0]["why"] == "its time is over"
    operator.run("limit", "chat", "9")
    assert through.metric("penstock_limit") == 27 and operator.verbs() == ["limit"]
    assert operator.run("limit", "chat", "auto") == "as the policy says again: knee\n"
    assert through.metric("penstock_limit") == 27 and operator.verbs() == []
    assert through.metric("penstock_limit_moves_total", reason="settings") > 0


def test_overrides_and_reloads(
    gateway: StartGateway, backends: list[Backend], operator: Operator, control: Path
) -> None:
    """They survive a reload that does not touch them, and go with one that does; the policy is told either way."""
    through = gateway(policy(backends, control))
    operator.run("limit", "chat", "3")
    operator.run("mode", "chat", "observe")
    operator.run("weight", "chat", "gold", "2")
    operator.run("drain", "chat", backends[2].address)
    operator.run("log", "debug")
    assert through.metric("penstock_pool_observing") == 1
    verbs = ["limit", "mode", "weight", "drain", "log"]
    assert operator.verbs() == verbs
    through.policy_file.write_text(policy(backends, control, more="server: {max_head_size: 16KiB}\n"))
    said = operator.run("reload")
    assert said.splitlines()[0] == "policy reloaded" and "changed server.max_head_size" in said
    assert operator.verbs() == verbs and through.metric("penstock_limit") == 9
    assert through.metric("penstock_pool_observing") == 1
    # A fault changes nothing, and is said with its place.
    through.policy_file.write_text(policy(backends, control, limit="0"))
    assert "pools.chat.limit" in operator.run("reload", status=1)
    assert operator.verbs() == verbs
    through.policy_file.write_text(policy(backends, control, limit="5", weight=9))
    assert "changed pools.chat.limit" in operator.run("reload")
    assert operator.verbs() == ["mode", "drain", "log"]
    assert through.metric("penstock_limit") == 15
    through.policy_file.write_text(policy(backends[:2], control, limit="5", weight=9, more="log: {level: warning}\n"))
    operator.run("reload")
    assert operator.verbs() == ["mode"]
    operator.run("mode", "chat", "auto")
    assert through.metric("penstock_pool_observing") == 0
    assert answers(through, 30) == {b"a", b"b"}


def test_what_is_shown(gateway: StartGateway, backends: list[Backend], operator: Operator, control: Path) -> None:
    """To people, to programs, and to nobody who may not."""
    through = gateway(policy(backends, control))
    assert control.stat().st_mode & 0o777 == 0o600
    answers(through, 30)
    assert json.loads(operator.run("status", "--json"))["pools"][0]["name"] == "chat"
    text = operator.run("status")
    assert all(one.address in text for one in backends) and "gold" in text
    explained = operator.run("explain", "chat")
    assert "chat" in explained and "HELD BY" in explained
    assert json.loads(operator.run("explain", "chat", "--json"))["name"] == "chat"
    operator.run("limit", "chat", "12", "--for", "1h")
    assert "an operator pinned the limit" not in operator.run("explain", "chat")
    (shown,) = through.status()["overrides"]
    assert (shown["verb"], shown["value"], shown["replaced"]) == ("limit", "12", "fixed 8")
    assert 3500 < shown["ends_in_seconds"] <= 3600
    dumped = json.loads(operator.run("dump"))
    assert dumped["status"]["overrides"][0]["value"] == "12" and "max_in_flight" in dumped["policy"]
    for words, text in [
        (("drain", "chat", "http://nowhere:1"), "no such backend in pool chat; there are"),
        (("limit", "chatt", "3"), "no such pool; the policy has chat"),
        (("weight", "chat", "silver", "3"), "no tenant silver is named in pool chat; there are gold"),
        (("mode", "chat", "sometimes"), "is none of enforce, observe, auto"),
        (("undrain", "chat", backends[0].address), "nothing was changed there"),
        (("explain", "nothing"), "no such pool; the policy has chat"),
        (("log", "debug", "--for", "soon"), "write 1s to 720h"),
    ]:
        assert text in operator.run(*words, status=1), words
    assert operator.verbs() == ["limit"]
    nobody = Operator(operator.binary, control.with_name("nothing.sock"))
    assert "no gateway answers at" in nobody.run("status", status=1)


def test_what_comes_over_the_socket(
    gateway: StartGateway, backends: list[Backend], operator: Operator, control: Path
) -> None:
    """Whatever somebody writes there, it is answered, and the next one is served."""
    through = gateway(policy(backends, control))
    sizes = {
        b"POST /limit HTTP/1.1\r\nHost: x\r\nContent-Length: 5000\r\n\r\n" + b"a=1&" * 1250: b" 413 ",
        b"POST /limit HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\n%zz": b" 400 ",
        b"POST /limit HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\n\xff\xff\xff": b" 400 ",
        b"POST /nothing HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n": b" 404 ",
        b"GET /limit HTTP/1.1\r\nHost: x\r\n\r\n": b" 404 ",
        b"PUT /limit HTTP/1.1\r\nHost: x\r\n\r\n": b" 405 ",
        b"GET /explain?pool=%00 HTTP/1.1\r\nHost: x\r\n\r\n": b" 404 ",
        b"nonsense\r\n\r\n": b" 400 ",
    }
    for sent, wanted in sizes.items():
        with socket.socket(socket.AF_UNIX) as link:
            link.settimeout(5)
            link.connect(str(control))
            link.sendall(sent)
            assert wanted in link.recv(4096), sent[:60]
    # Who holds the socket's connections and says nothing keeps nobody out.
    with ExitStack() as stack:
        for _ in range(70):
            link = stack.enter_context(socket.socket(socket.AF_UNIX))
            link.connect(str(control))
        assert "chat" in operator.run("status")
    assert operator.verbs() == [] and request(through.url).status == 200


def test_goes_to_the_next_process(
    gateway: StartGateway, backends: list[Backend], operator: Operator, control: Path
) -> None:
    """Changes do, with their ages and ends, and the socket too; a start anew has none."""
    through = gateway(policy(backends, control).replace("127.0.0.1:0", "unix:" + str(control.with_name("s")), 1))
    operator.run("limit", "chat", "3", "--for", "1h")
    operator.run("drain", "chat", backends[0].address)
    said = operator.run("upgrade")
    assert "has taken over, this one drains" in said
    pid = int(said.split()[1])
    try:
        assert operator.verbs() == ["limit", "drain"]
        limit, drain = operator.overrides()
        assert 3500 < float(str(limit["ends_in_seconds"])) < 3600 and drain["ends_in_seconds"] is None
        assert "drain by control" in operator.run("status")
        eventually(lambda: through.returncode is not None, "the end of the former one", 10)
        assert operator.run("status")
    finally:
        os.kill(pid, signal.SIGTERM)
    again = gateway(policy(backends, control))
    assert operator.verbs() == [] and again.metric("penstock_limit") == 24


def test_top(gateway: StartGateway, backends: list[Backend], operator: Operator, control: Path) -> None:
    """Lines without a terminal; with one, keys: a backend is drained when it was asked for twice."""
    through = gateway(policy(backends, control))
    assert answers(through, 30) == {b"a", b"b", b"c"}
    command = [str(operator.binary), "top", "--socket", str(control)]
    plain = subprocess.run([*command, "-n", "1"], capture_output=True, text=True, timeout=10, check=True)
    assert all(one.address in plain.stdout for one in backends) and "\x1b" not in plain.stdout
    master, slave = pty.openpty()
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "120"}
    shown = subprocess.Popen(command, stdin=slave, stdout=slave, stderr=slave, env=environment)
    os.close(slave)
    seen = bytearray()

    def see(text: str) -> None:
        def is_seen() -> bool:
            while select.select([master], [], [], 0.05)[0]:
                try:
                    seen.extend(os.read(master, 65536))
                except OSError:
                    break  # The other side has ended.
            return text.encode() in seen

        eventually(is_seen, text)

    try:
        see(backends[0].address)
        os.write(master, b"jd")
        see(f"drain {backends[1].address} of chat? press d again")
        assert operator.verbs() == []
        os.write(master, b"d")
        see("drain by control")
        assert operator.overrides()[0]["backend"] == backends[1].address
        os.write(master, b"q")
        assert shown.wait(5) == 0
        see("\x1b[?25h")
    finally:
        shown.kill()
        os.close(master)


@pytest.mark.long
@pytest.mark.limit(120)
def test_nobody_fails_whatever_is_changed(
    gateway: StartGateway, backends: list[Backend], operator: Operator, control: Path
) -> None:
    """A minute of commands at random, reloads and upgrades among them, under load: each request is answered."""
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    port = free_port()

    def text() -> str:
        limit = chance.choice(["64", "{algorithm: knee, initial: 8}"])
        written = policy(backends, control, limit, chance.choice([4, 5]))
        written = written.replace("127.0.0.1:0", f"127.0.0.1:{port}", 1).replace("127.0.0.1:0", "off", 1)
        return written.replace("    limit:", "    queue: {max_wait: 10s, max_requests: 1000}\n    limit:")

    through = gateway(text())
    pids = [through.pid]
    end = time.monotonic() + 60
    failures: list[object] = []
    count = [0]

    def load() -> None:
        while time.monotonic() < end:
            link = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
            try:
                for _ in range(20):
                    link.request("GET", "/", headers={"x-tenant": "gold"})
                    answer = link.getresponse()
                    answer.read()
                    count[0] += 1
                    if answer.status != 200:
                        failures.append(answer.status)
                    if answer.headers.get("connection") == "close":
                        break
            except OSError as error:
                failures.append(error)
            finally:
                link.close()

    clients = [threading.Thread(target=load) for _ in range(6)]
    for client in clients:
        client.start()

    def attempt(*words: str) -> subprocess.CompletedProcess[str]:
        command = [str(operator.binary), "ctl", *words, "--socket", str(control)]
        return subprocess.run(command, capture_output=True, text=True, timeout=60)

    try:
        while time.monotonic() < end - 3:
            url = chance.choice(backends[:2]).address
            ends = chance.choice([[], ["--for", "1s"]])
            match chance.randrange(10):
                case 0:
                    attempt("drain", "chat", url, *ends)
                case 1:
                    attempt("undrain", "chat", url)
                case 2:
                    attempt("limit", "chat", str(chance.randrange(2, 200)), *ends)
                case 3:
                    attempt("limit", "chat", url, chance.choice(["auto", "3", "50"]))
                case 4:
                    attempt("mode", "chat", chance.choice(["observe", "enforce", "auto"]))
                case 5:
                    attempt("weight", "chat", "gold", chance.choice(["1", "9", "auto"]))
                case 6:
                    attempt("log", chance.choice(["debug", "warning"]), "--for", "1s")
                case 7:
                    through.policy_file.write_text(text())
                    done = attempt("reload")
                    assert done.returncode == 0, done.stderr
                case 8:
                    attempt("overrides", "--clear")
                case _ if chance.random() < 0.3:
                    done = attempt("upgrade")
                    assert done.returncode == 0, done.stderr
                    pids.append(int(done.stdout.split()[1]))
                case _:
                    for shown in ("status", "overrides", "dump"):
                        assert attempt(shown).returncode == 0
    finally:
        for client in clients:
            client.join()
        for pid in pids[1:]:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
    print(f"{count[0]} requests, {len(pids) - 1} upgrades")
    assert failures == [] and count[0] > 1000 and len(pids) > 3
