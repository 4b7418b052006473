"""What operators say of backends through the admin listener."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from conftest import StartGateway
from processes import Answer, Gateway, eventually, request
from sockets import read_head, scripted_backend

TOKEN = "0123456789abcdef" * 4


def serve(name: bytes) -> Callable[[socket.socket], None]:
    """A backend that answers with its name."""

    def answer(connection: socket.socket) -> None:
        while read_head(connection):
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n" + name)

    return answer


@pytest.fixture
def backends() -> Iterator[list[str]]:
    """Two of them."""
    with ExitStack() as stack:
        yield [stack.enter_context(scripted_backend(serve(name))) for name in (b"a", b"b")]


def policy(backends: list[str], token: Path | None) -> str:
    """A pool of them."""
    return f"""\
version: 1
listen: 127.0.0.1:0
admin: 127.0.0.1:0
{f"admin_token_file: {token}" if token else ""}
threads: 2
pools:
  all:
    backends: {backends}
    limit: {{algorithm: fixed, limit: 8}}
routes: [{{path: /*, pool: all}}]
"""


@pytest.fixture
def token(tmp_path: Path) -> Path:
    """A file with it."""
    path = tmp_path / "admin.token"
    path.write_text(TOKEN + "\n")
    path.chmod(0o640)
    return path


def place(backend: str) -> str:
    """Where it is said."""
    return f"/backends/all/{urlsplit(backend).netloc}"


def put(through: Gateway, path: str, line: bytes, token: str | None = TOKEN) -> Answer:
    """Says it."""
    fields = {"Authorization": f"Bearer {token}"} if token else {}
    return request(through.admin_url, path, "PUT", line, fields)


def reload(through: Gateway, text: str) -> None:
    """Puts a policy in force."""
    before = len(through.logged("policy reloaded"))
    through.reload(text)
    eventually(lambda: len(through.logged("policy reloaded")) > before, "the reload")


def answers(through: Gateway, count: int = 30) -> set[bytes]:
    """Who answers."""
    return {request(through.url).body for _ in range(count)}


def test_one_is_drained_and_comes_back(gateway: StartGateway, backends: list[str], token: Path) -> None:
    """At once, by either name, and a reload keeps what was said."""
    through = gateway(policy(backends, token))
    assert answers(through) == {b"a", b"b"}
    reply = put(through, place(backends[0]), b"drain\n")
    assert reply.status == 200
    shown = json.loads(reply.body)
    assert shown["pool"] == "all"
    assert shown["url"] == backends[0]
    assert shown["usable"] is False
    assert [(signal["source"], signal["state"]) for signal in shown["signals"]] == [("push", "drain")]
    assert answers(through) == {b"b"}
    assert through.metric("penstock_backend_signal", backend=backends[0], state="drain", source="push") == 1
    # What is not said stays.
    assert put(through, f"/backends/all/{backends[0]}", b"maxconn:3 50%").status == 200
    assert answers(through) == {b"b"}
    reload(through, policy(backends, token).replace("threads: 2", "threads: 2\nlog: {level: info}"))
    assert answers(through) == {b"b"}
    assert put(through, place(backends[0]), b"ready").status == 200
    assert answers(through) == {b"a", b"b"}
    shown = json.loads(request(through.admin_url, place(backends[0])).body)
    assert shown["limit"] == 1
    assert shown["signals"][0]["state"] == "limited"
    assert shown["signals"][0]["limit"] == 3
    assert shown["signals"][0]["ends_in_seconds"] is None


def test_all_drained_is_told(gateway: StartGateway, backends: list[str], token: Path) -> None:
    """As where there is no backend."""
    through = gateway(policy(backends, token))
    for backend in backends:
        assert put(through, place(backend), b"down#moving").status == 200
    reply = request(through.url)
    assert reply.status == 503
    assert reply.headers["x-penstock-reason"] == "no_backend"


def test_nothing_is_changed_without_the_token(gateway: StartGateway, backends: list[str], token: Path) -> None:
    """Nor where the policy has none."""
    through = gateway(policy(backends, token))
    for wrong in [None, "", TOKEN[:-1], TOKEN + "0", TOKEN.upper(), "x" * 64]:
        reply = put(through, place(backends[0]), b"drain", wrong)
        assert reply.status == 401, wrong
        assert reply.headers["www-authenticate"] == "Bearer"
    assert answers(through) == {b"a", b"b"}
    assert TOKEN not in through.written()
    # It is read again at a reload.
    token.write_text("another-token-of-some-length")
    reload(through, policy(backends, token))
    assert put(through, place(backends[0]), b"drain").status == 401
    assert put(through, place(backends[0]), b"drain", "another-token-of-some-length").status == 200
    reload(through, policy(backends, None))
    reply = put(through, place(backends[0]), b"ready")
    assert reply.status == 403
    assert b"admin_token_file" in reply.body
    assert request(through.admin_url, place(backends[0])).status == 200


def test_what_is_wrong_is_told(gateway: StartGateway, backends: list[str], token: Path) -> None:
    """And changes nothing."""
    through = gateway(policy(backends, token))
    reply = put(through, place(backends[0]), b"drainn")
    assert reply.status == 400
    assert b'"drainn" is not known' in reply.body
    assert put(through, place(backends[0]), b"").status == 400
    assert put(through, place(backends[0]), b"drain" + b" " * 5000).status == 413
    for path in ["/backends/", "/backends/all", "/backends/all/", "/backends/other/x"]:
        assert put(through, path, b"drain").status == 404, path
        assert request(through.admin_url, path).status == 404, path
    assert request(through.admin_url, place(backends[0]), "DELETE").status == 405
    assert request(through.admin_url, "/status", "PUT", b"drain").status == 405
    assert answers(through) == {b"a", b"b"}


def test_a_body_in_chunks_and_another_request(
    gateway: StartGateway, backends: list[str], token: Path
) -> None:
    """On one connection."""
    through = gateway(policy(backends, token))
    netloc = urlsplit(through.admin_url)
    head = f"PUT {place(backends[0])} HTTP/1.1\r\nHost: localhost\r\nAuthorization: bearer {TOKEN}\r\n"
    with socket.create_connection((netloc.hostname, netloc.port), 10) as wire:
        wire.sendall(f"{head}Transfer-Encoding: chunked\r\n\r\n2\r\ndr\r\n3\r\nain\r\n".encode())
        wire.sendall(b"0\r\n\r\nGET /healthz HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
        told = b""
        while more := wire.recv(65536):
            told += more
    assert told.count(b"HTTP/1.1 200 OK\r\n") == 2
    assert told.endswith(b"ok\n")
    assert answers(through) == {b"b"}


def test_a_file_without_a_token_is_a_fault(gateway: StartGateway, backends: list[str], tmp_path: Path) -> None:
    """Of the policy, before anything listens."""
    short = tmp_path / "short.token"
    short.write_text("secret")
    short.chmod(0o600)
    with pytest.raises(AssertionError, match="admin token: is not one word") as failure:
        gateway(policy(backends, short))
    assert "secret" not in str(failure.value).replace(str(short), "")
    short.write_text(TOKEN)
    short.chmod(0o604)
    fault = r"short\.token:1:1: error: admin token: cannot be used: everybody may read it \(mode 0604\); take that away with"
    with pytest.raises(AssertionError, match=fault) as failure:
        gateway(policy(backends, short))
    assert TOKEN not in str(failure.value)


def test_the_log_says_who_is_held_back(gateway: StartGateway, backends: list[str], token: Path) -> None:
    """Who reads why a request was refused reads there who keeps the backends from it."""
    loud = policy(backends, token).replace("threads: 2\n", "threads: 2\nlog: {level: debug}\n")
    through = gateway(loud)
    for backend in backends:
        assert put(through, place(backend), b"drain").status == 200
    assert request(through.url).status == 503
    (line, *_) = eventually(lambda: through.logged("refused"), "the line")
    held = line["held_back"].split(", ")
    assert sorted(held) == sorted(f"{backend} drain (push)" for backend in backends)
    assert put(through, place(backends[0]), b"ready").status == 200
    assert request(through.url).status == 200
