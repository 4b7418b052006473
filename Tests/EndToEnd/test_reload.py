"""What a reload takes, what it says of it, and that no file that it reads holds anything up."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import threading
import time
from pathlib import Path

import pytest

from conftest import StartGateway
from processes import Gateway, eventually, one_pool, request
from sockets import closed_address, read_head, scripted_backend

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


def failures(through: Gateway) -> float:
    """Reloads that failed."""
    return through.metric("penstock_policy_reload_failures_total")


def reloaded(through: Gateway, count: int) -> dict:
    """The log's line about the reload of that number."""
    lines = eventually(
        lambda: len(found := through.logged("policy reloaded")) >= count and found, "the line"
    )
    return lines[count - 1]


def check(penstock: Path, file: Path, *options: str, before: str = "") -> subprocess.CompletedProcess[str]:
    """`penstock check`, behind a command of the shell's."""
    command = f'{before} exec "$0" check "$@"'
    return subprocess.run(
        ["sh", "-c", command, str(penstock), *options, str(file)],
        capture_output=True, text=True, timeout=20, check=False,
    )  # fmt: skip


def test_says_what_changed(gateway: StartGateway) -> None:
    """The paths of the keys, never their values, and what waits for the next start."""
    first, second = closed_address(), closed_address()
    through = gateway(one_pool(first, limit=2))
    through.reload(one_pool(first, limit=2))
    assert reloaded(through, 1)["changed"] == []
    policy = one_pool(second, limit=3, extra="threads: 7\n")
    through.reload(policy)
    line = reloaded(through, 2)
    assert line["changed"] == ["threads", "pools.chat.backends[0]", "pools.chat.limit.limit"]
    assert line["needs_restart"] == ["threads"]
    assert second not in json.dumps(line)


def test_says_that_keys_have_changed(gateway: StartGateway, tmp_path: Path) -> None:
    """The keys file stays the same by name and holds other keys; none of it is told."""
    keys = tmp_path / "who.keys"
    keys.write_text(f"somebody sha256:{'0' * 64}\n")
    policy = one_pool(closed_address()).replace("cancel:", f"tenant: {{keys: {keys}}}\n    cancel:")
    through = gateway(policy)
    keys.write_text(f"somebody sha256:{'1' * 64}\n")
    through.reload(policy)
    assert reloaded(through, 1)["changed"] == ["pools.chat.tenant.keys.file"]
    assert "somebody" not in "".join(through.errors) and "1" * 64 not in "".join(through.errors)


@pytest.mark.parametrize("level", ["trace", "debug"])
def test_debug_is_switched_on_and_off(gateway: StartGateway, level: str) -> None:
    """Decisions are explained from the reload on, in all threads, and no more after the next one."""
    quiet = one_pool(closed_address())
    loud = quiet.replace("log: {", f"log: {{level: {level}, ")
    through = gateway(quiet)

    def refused() -> int:
        assert request(through.url).status >= 500
        return len(through.logged("refused"))

    eventually(lambda: request(through.url).status == 503, "the backend ejected")
    assert refused() == 0
    through.reload(loud)
    reloaded(through, 1)
    eventually(lambda: refused() > 0, "a decision in the log", 15)
    through.reload(quiet)
    reloaded(through, 2)
    time.sleep(0.2)
    before = refused()
    assert refused() == before


def test_takes_no_cap_that_the_next_start_refuses(
    gateway: StartGateway, penstock: Path, tmp_path: Path
) -> None:
    """More connections than descriptors: refused by a reload, by `check` and by a start alike."""
    limited = ["sh", "-c", 'ulimit -n 1000; exec "$0" "$@"']
    through = gateway(one_pool(closed_address(), extra="server: {max_connections: 500}\n"), before=limited)
    policy = one_pool(closed_address(), extra="server:\n  max_connections: 5000\n")
    through.reload(policy)
    eventually(lambda: failures(through) == 1, "failed reload counted")
    wanted = "policy.yaml:13:20: error: server.max_connections: the limit of open files is 1000"
    eventually(lambda: wanted in "".join(through.errors), "the fault with its place")
    file = tmp_path / "policy.yaml"
    file.write_text(policy)
    ended = check(penstock, file, before="ulimit -n 1000;")
    assert ended.returncode == 1 and wanted in ended.stderr
    assert check(penstock, file, "--policy-only", before="ulimit -n 1000;").returncode == 0
    command = [*limited, str(penstock), "serve", "--policy", str(file)]
    started = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    assert started.returncode == 1 and started.stderr == ended.stderr


@pytest.mark.parametrize(
    ("fault", "wanted"),
    [
        ("log: {to: /nowhere/log}", "log.to: cannot open log file /nowhere/log"),
        ("log: {access: {to: /nowhere/log}}", "log.access.to: cannot open log file /nowhere/log"),
        ("listen: 192.0.2.1:0", "listen: cannot listen on 192.0.2.1:0"),
        ("admin: unix:/nowhere/admin", "admin: cannot listen on unix:/nowhere/admin"),
        ("tls: {ca_file: /nowhere/ca}", "pools.chat.tls.ca_file: cannot read /nowhere/ca"),
        ("tenant: {keys: /nowhere/keys}", "keys file: cannot be read"),
    ],
)
def test_check_is_as_strict_as_serve(penstock: Path, tmp_path: Path, fault: str, wanted: str) -> None:
    """What is not there is told by `check` and by `serve` in the same words."""
    key = fault.split(":")[0]
    text = one_pool(closed_address())
    if key in ("tls", "tenant"):
        text = text.replace("cancel:", f"{fault}\n    cancel:")
    else:
        text = "\n".join(line for line in text.splitlines() if not line.startswith(key)) + f"\n{fault}\n"
    file = tmp_path / "policy.yaml"
    file.write_text(text)
    ended = check(penstock, file)
    command = [str(penstock), "serve", "--policy", str(file)]
    started = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    assert (ended.returncode, started.returncode) == (1, 1)
    assert wanted in ended.stderr
    assert started.stderr == ended.stderr


def test_backend_that_is_the_gateway(penstock: Path, tmp_path: Path) -> None:
    """At an address of this machine's that no policy could know."""
    addresses = subprocess.run(["hostname", "-I"], capture_output=True, text=True, check=False).stdout.split()
    own = [address for address in addresses if "." in address]
    if not own:
        pytest.skip("this machine has no address but loopback")
    file = tmp_path / "policy.yaml"
    file.write_text(one_pool(f"http://{own[0]}:18080", listen="0.0.0.0:18080"))
    ended = check(penstock, file)
    assert ended.returncode == 1
    assert f"pools.chat.backends[0]: `http://{own[0]}:18080` is where this gateway listens" in ended.stderr
    assert check(penstock, file, "--policy-only").returncode == 0


@pytest.mark.parametrize("kind", ["policy", "keys", "certificate"])
def test_fifo_in_place_of_a_file_holds_nothing_up(
    gateway: StartGateway, tmp_path: Path, kind: str
) -> None:
    """Nobody writes into it: the reload fails in the end, and pages and clients never wait for that."""
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    with scripted_backend(answering) as backend:
        policy = one_pool(backend)
        through = gateway(policy)
        if kind == "policy":
            through.policy_file.unlink()
            os.mkfifo(through.policy_file)
            through.signal(signal.SIGHUP)
        elif kind == "keys":
            through.reload(policy.replace("cancel:", f"tenant: {{keys: {fifo}}}\n    cancel:"))
        else:
            through.reload(policy.replace("cancel:", f"tls: {{ca_file: {fifo}}}\n    cancel:"))
        longest = 0.0
        began = time.monotonic()
        while failures(through) < 1:
            asked = time.monotonic()
            assert request(through.url).status == 200
            assert request(through.admin_url, "/healthz").status == 200
            longest = max(longest, time.monotonic() - asked)
            assert asked - began < 10
        assert longest < 1
        # Another signal that ends it is heeded in the midst of a reload.
        through.signal(signal.SIGHUP)
        through.signal(signal.SIGTERM)
        began = time.monotonic()
        assert through.wait() == 0
        assert time.monotonic() - began < 1.9


def test_a_log_goes_on_under_its_new_path(gateway: StartGateway, tmp_path: Path) -> None:
    """A link that the policy names no more is not opened again after a rotation."""
    real, link = tmp_path / "real", tmp_path / "link"
    link.symlink_to(real)

    def policy(path: Path) -> str:
        return one_pool(closed_address()).replace("log: {access: {to: off}}", f"log: {{access: {path}}}")

    through = gateway(policy(link))
    through.reload(policy(real))
    eventually(lambda: through.metric("penstock_policy_reloads_total") == 1, "reload counted")
    link.unlink()
    real.rename(tmp_path / "real.1")
    through.signal(signal.SIGUSR1)
    eventually(real.exists, "the file is opened again")
    request(through.url)
    eventually(lambda: real.read_text(), "a line")
    assert not link.exists()


def test_models_of_a_pool_that_gets_another_name(gateway: StartGateway) -> None:
    """What its backends have said still holds while they do not answer."""
    body = b'{"object":"list","data":[{"id":"m1","object":"model"}]}'

    def lists(connection: socket.socket) -> None:
        while read_head(connection):
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)

    address = closed_address()
    policy = one_pool(address).replace("/*, pool: chat}", '/v1/chat/*, pool: chat, models: ["*"]}')

    def listed() -> list[str]:
        return [each["id"] for each in json.loads(request(through.url, "/v1/models").body)["data"]]

    with scripted_backend(lists, port=int(address.rpartition(":")[2])):
        through = gateway(policy)
        eventually(lambda: listed() == ["m1"], "listed")
    through.reload(policy.replace("chat", "other"))
    eventually(lambda: through.metric("penstock_policy_reloads_total") == 1, "reload counted")
    assert through.status()["pools"][0]["name"] == "other" and listed() == ["m1"]


def test_log_may_be_a_fifo(gateway: StartGateway, tmp_path: Path) -> None:
    """Neither a start nor a reload waits for a reader, who gets what was logged before he came."""
    first, second = tmp_path / "first", tmp_path / "second"
    os.mkfifo(first)
    os.mkfifo(second)
    with scripted_backend(answering) as backend:
        policy = one_pool(backend)
        through = gateway(policy.replace("access: {to: off}", f"access: {first}"))
        assert request(through.url, "/one").status == 200
        with open(first, encoding="utf-8") as reader:
            assert '"/one"' in reader.readline()
        through.reload(policy.replace("access: {to: off}", f"access: {second}"))
        reloaded(through, 1)
        assert request(through.url, "/two").status == 200
        lines: list[str] = []
        reading = threading.Thread(
            target=lambda: lines.append(second.open(encoding="utf-8").readline()), daemon=True
        )
        reading.start()
        eventually(lambda: lines, "the line")
        assert '"/two"' in lines[0]
        # With the readers gone and more logged than FIFOs hold, clients are served and the end comes.
        for _ in range(400):
            assert request(through.url, "/" + "x" * 500).status == 200
        through.signal(signal.SIGTERM)
        assert through.wait(10) == 0


def answering(connection) -> None:
    """Answers whatever it is asked."""
    while read_head(connection):
        connection.sendall(ANSWER)
