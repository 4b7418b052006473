"""Starting, reloading and ending: what an operator does to a gateway that works."""

from __future__ import annotations

import signal
import socket
import subprocess
import time
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from openai import OpenAI

from conftest import StartGateway, StartServer
from processes import Gateway, eventually, one_pool, post_json, request
from sockets import RawClient, chat_bytes, closed_address, read_head, scripted_backend

INVALID = "version: 1\nlisten: 127.0.0.1:0\npoools: {}\n"


def accepts(url: str) -> bool:
    """Whether a connection to `url` succeeds."""
    try:
        RawClient(url).close()
    except ConnectionError:
        # Refused, or reset: the listener closed while the connection waited to be accepted.
        return False
    return True


def run(binary: Path, *arguments: str, seconds: float = 20) -> subprocess.CompletedProcess[str]:
    """Runs the command line to its end."""
    command = [str(binary), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=seconds, check=False)


def reloads(through: Gateway, name: str) -> float:
    """How often a reload has succeeded or failed, by the metric's name."""
    return through.metric(f"penstock_policy_{name}_total")


def test_drain_lets_streams_finish(server: StartServer, gateway: StartGateway) -> None:
    """After SIGTERM nobody new gets in, and what runs or waits is answered to its end."""
    backend = server("--no-model")
    through = gateway(one_pool(backend.url, max_wait="10s"))
    with RawClient(through.url) as running, RawClient(through.url) as queued:
        running.send(chat_bytes(40, 0.05))
        running.read_until(b"data: ")
        queued.send(chat_bytes(2, 0.05))
        eventually(lambda: through.metric("penstock_queue_requests") == 1, "one in the queue")
        through.signal(signal.SIGTERM)
        eventually(lambda: not accepts(through.url), "listener closed")
        assert through.returncode is None
        assert request(through.admin_url, "/readyz").status == 503
        assert request(through.admin_url, "/healthz").status == 200
        rest, was_reset = running.read_to_end()
        assert rest.endswith(b"0\r\n\r\n") and b"[DONE]" in rest and not was_reset
        late, was_reset = queued.read_to_end()
        assert late.endswith(b"0\r\n\r\n") and b"[DONE]" in late and not was_reset
        assert b"connection: close" in late.partition(b"\r\n\r\n")[0].lower()
    assert through.wait(5) == 0
    stats = backend.stats()
    assert (stats["finished"], stats["aborted"]) == (2, 0)


def test_idle_gateway_ends_within_a_moment(server: StartServer, gateway: StartGateway) -> None:
    """Kept-alive connections without a request hold up the end for a second, and not longer."""
    backend = server("--no-model")
    through = gateway(one_pool(backend.url))
    with RawClient(through.url) as idle, RawClient(through.url) as silent:
        idle.send(b"GET /v1/models HTTP/1.1\r\nHost: gateway\r\n\r\n")
        idle.read_until(b"\r\n\r\n")
        through.signal(signal.SIGTERM)
        assert through.wait(4) == 0
        idle.read_to_end()
        assert silent.read_to_end() == (b"", False)


def test_drain_loses_no_request_of_idle_clients(server: StartServer, gateway: StartGateway) -> None:
    """Who sends a request on a kept-alive connection as the drain begins gets his answer, the last one there."""
    backend = server("--no-model")
    through = gateway(one_pool(backend.url, limit=20))
    get = b"GET /v1/models HTTP/1.1\r\nHost: gateway\r\n\r\n"
    clients = [RawClient(through.url) for _ in range(20)]
    for client in clients:
        client.send(get)
        client.read_until(b"]}")
    through.signal(signal.SIGTERM)
    eventually(lambda: not accepts(through.url), "listener closed")
    for client in clients:
        client.send(get)
        answer, was_reset = client.read_to_end()
        assert answer.startswith(b"HTTP/1.1 200 ") and answer.endswith(b"]}") and not was_reset
        assert b"connection: close" in answer.lower()
        client.close()
    assert through.wait(5) == 0


@pytest.mark.parametrize("kind", ["tcp", "unix"])
def test_drain_serves_the_accept_queue(gateway: StartGateway, tmp_path: Path, kind: str) -> None:
    """Clients that are connected and not accepted yet are served before the socket is closed."""
    path = tmp_path / "gateway.sock"

    def answering(connection: socket.socket) -> None:
        while read_head(connection):
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    def connect() -> socket.socket:
        if kind == "tcp":
            return socket.create_connection(("127.0.0.1", int(through.url.rpartition(":")[2])), 10)
        client = socket.socket(socket.AF_UNIX)
        client.settimeout(10)
        client.connect(str(path))
        return client

    with scripted_backend(answering) as backend:
        listen = "127.0.0.1:0" if kind == "tcp" else f"unix:{path}"
        through = gateway(one_pool(backend, limit=300, listen=listen))
        through.signal(signal.SIGSTOP)
        clients = [connect() for _ in range(200)]
        for client in clients:
            client.sendall(b"GET / HTTP/1.1\r\nHost: gateway\r\n\r\n")
        through.signal(signal.SIGTERM)
        through.signal(signal.SIGCONT)
        for client in clients:
            answer = b"".join(iter(lambda: client.recv(65536), b""))
            assert answer.startswith(b"HTTP/1.1 200 ") and answer.endswith(b"ok")
            client.close()
        assert through.wait(10) == 0


def test_drain_is_bounded(server: StartServer, gateway: StartGateway, tmp_path: Path) -> None:
    """After `drain_timeout` streams end with an event that says so, and are logged as what they are."""
    backend = server("--no-model")
    log = tmp_path / "access.log"
    policy = one_pool(backend.url, extra="server: {drain_timeout: 500ms}\n")
    through = gateway(policy.replace("access: {to: off}", f"access: {log}"))
    with RawClient(through.url) as client:
        client.send(chat_bytes(600, 0.05))
        client.read_until(b"data: ")
        began = time.monotonic()
        through.signal(signal.SIGTERM)
        rest, was_reset = client.read_to_end()
        through.wait(5)
        assert 0.4 < time.monotonic() - began < 3
        event = rest.rpartition(b"data: ")[2]
        assert event.startswith(b'{"error":') and b"shutting down" in event
        assert rest.endswith(b"0\r\n\r\n") and b"[DONE]" not in rest and not was_reset
    eventually(lambda: backend.stats()["aborted"] == 1, "abort seen by the backend")
    assert '"reason":"draining"' in log.read_text().splitlines()[-1]


def test_second_signal_ends_at_once(server: StartServer, gateway: StartGateway) -> None:
    """Who asks twice does not want to wait."""
    backend = server("--no-model")
    through = gateway(one_pool(backend.url))
    with RawClient(through.url) as client:
        client.send(chat_bytes(600, 0.05))
        client.read_until(b"data: ")
        through.signal(signal.SIGTERM)
        eventually(lambda: not accepts(through.url), "listener closed")
        through.signal(signal.SIGTERM)
        through.wait(2)


def test_killed_gateway_cuts_visibly(server: StartServer, gateway: StartGateway) -> None:
    """A gateway that dies takes its streams with it: the client sees a cut, the backend an abort."""
    backend = server("--no-model")
    through = gateway(one_pool(backend.url))
    with RawClient(through.url) as client:
        client.send(chat_bytes(600, 0.05))
        client.read_until(b"data: ")
        through.kill()
        rest, _ = client.read_to_end()
    assert b"[DONE]" not in rest and not rest.endswith(b"0\r\n\r\n")
    eventually(lambda: backend.stats()["aborted"] == 1, "abort seen by the backend")


def test_reload_under_a_running_stream(server: StartServer, gateway: StartGateway) -> None:
    """An invalid file changes nothing, a valid one takes over, and a running stream notices neither."""
    first, second = server("--no-model"), server("--no-model")
    through = gateway(one_pool(first.url, limit=2))
    words = " ".join(f"w{number}" for number in range(60))
    with OpenAI(base_url=f"{through.url}/v1", api_key="unused", max_retries=0) as client:
        stream = client.chat.completions.create(
            model="all-MiniLM-L6-v2",
            messages=[{"role": "user", "content": words}],
            stream=True,
            extra_body={"token_delay": 0.05},
        )
        events = iter(stream)
        text = next(events).choices[0].delta.content or ""

        through.reload(INVALID)
        eventually(lambda: reloads(through, "reload_failures") == 1, "failed reload counted")
        short = {"messages": [{"role": "user", "content": "x"}], "token_delay": 0}
        assert post_json(through.url, "/v1/chat/completions", short).status == 200
        assert first.stats()["received"] == 2

        through.reload(one_pool(second.url, limit=2))
        eventually(lambda: reloads(through, "reloads") == 1, "reload counted")
        assert post_json(through.url, "/v1/chat/completions", short).status == 200
        assert (first.stats()["received"], second.stats()["received"]) == (2, 1)

        text += "".join(event.choices[0].delta.content or "" for event in events)
    assert text == words
    assert first.stats()["aborted"] == 0
    through.wait_until_idle()


def test_reload_error_names_the_line(gateway: StartGateway) -> None:
    """What is wrong with a rejected file stands in the log, with its place."""
    through = gateway(one_pool(closed_address()))
    through.reload(INVALID)
    eventually(lambda: reloads(through, "reload_failures") == 1, "failed reload counted")
    eventually(lambda: "policy.yaml:3:1" in "".join(through.errors), "place of the error in the log")


def test_reload_changes_the_logs(gateway: StartGateway, tmp_path: Path) -> None:
    """Another level, another file and another access log are in force with the reload."""
    access, operational = tmp_path / "access.log", tmp_path / "operational.log"

    def policy(log: str) -> str:
        plain = one_pool(closed_address())
        return plain.replace("log: {access: {to: off}}", f"log: {{{log}}}")

    through = gateway(policy("level: notice, access: off"))
    through.reload(policy(f"level: info, to: {operational}, access: {access}"))
    eventually(lambda: reloads(through, "reloads") == 1, "reload counted")
    request(through.url, "/first")
    eventually(lambda: '"/first"' in access.read_text(), "a line in the new access log")
    eventually(lambda: "policy reloaded" in operational.read_text(), "a line in the new log")
    # A file that cannot be opened is a fault, and changes nothing.
    through.reload(policy(f"to: {tmp_path}/no/such, access: off"))
    eventually(lambda: reloads(through, "reload_failures") == 1, "failed reload counted")
    eventually(lambda: "/no/such" in operational.read_text(), "the fault in the log")
    request(through.url, "/second")
    eventually(lambda: '"/second"' in access.read_text(), "the access log goes on")
    # Decisions are explained at level debug, and no access is logged any more.
    through.reload(policy(f"level: debug, to: {operational}, access: off"))
    eventually(lambda: reloads(through, "reloads") == 2, "reload counted")

    def is_explained() -> bool:
        # The backend that cannot be connected to is ejected, and requests are refused.
        assert request(through.url, "/third").status >= 500
        return '"message":"refused"' in operational.read_text()

    eventually(is_explained, "a decision in the log", seconds=15)
    assert "/third" not in access.read_text()


def test_port_in_use(penstock: Path, gateway: StartGateway, tmp_path: Path) -> None:
    """A second gateway on the same port says so in a line and fails before it serves anything."""
    running = gateway(one_pool(closed_address()))
    policy = tmp_path / "policy.yaml"
    policy.write_text(one_pool(closed_address(), listen=urlsplit(running.url).netloc))
    ended = run(penstock, "serve", "--policy", str(policy))
    assert ended.returncode != 0
    assert urlsplit(running.url).netloc in ended.stderr
    assert len(ended.stderr.strip().splitlines()) == 1


def test_unreadable_policy(penstock: Path, tmp_path: Path) -> None:
    """The same for a file that is not there."""
    ended = run(penstock, "serve", "--policy", str(tmp_path / "missing.yaml"))
    assert ended.returncode != 0
    assert "missing.yaml" in ended.stderr
    assert len(ended.stderr.strip().splitlines()) == 1


def test_check(penstock: Path, tmp_path: Path) -> None:
    """`check` accepts what `serve` accepts, and names every fault with its place."""
    good, bad = tmp_path / "good.yaml", tmp_path / "bad.yaml"
    good.write_text(one_pool("http://127.0.0.1:8000"))
    bad.write_text(INVALID)
    assert run(penstock, "check", str(good)).returncode == 0
    ended = run(penstock, "check", str(good), str(bad))
    assert ended.returncode != 0
    told = ended.stdout + ended.stderr
    assert f"{bad}:3:1: error: " in told and "poools" in told
    assert "good.yaml" not in ended.stderr


@pytest.mark.parametrize("arguments", [["--version"], ["--help"], ["schema"], ["help", "serve"]])
def test_tells_about_itself(penstock: Path, arguments: list[str]) -> None:
    """What needs no policy works without one."""
    ended = run(penstock, *arguments)
    assert ended.returncode == 0
    assert ended.stdout.strip()


@pytest.mark.limit(60)
def test_demo(penstock: Path) -> None:
    """The demonstration runs by itself, ends when it is asked to, and leaves nothing behind."""
    began = time.monotonic()
    ended = run(penstock, "demo", "--seconds", "6", seconds=50)
    assert ended.returncode == 0, ended.stderr
    assert time.monotonic() - began < 40
    for word in ("limit", "queue", "in time", "refused", "p99"):
        assert word in ended.stdout, f"nothing is said about {word}"
