"""curl in front of the gateway: methods, framings, versions and sockets as a strict client sees them."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import socket
import subprocess
from pathlib import Path

import pytest

from conftest import StartGateway, StartServer
from processes import eventually, one_pool
from sockets import RawClient, chat_bytes

UPLOAD_BYTES = 2_000_000

pytestmark = pytest.mark.skipif(not shutil.which("curl"), reason="curl is not installed")


def curl(*arguments: str, seconds: float = 20) -> subprocess.CompletedProcess[bytes]:
    """Runs curl, which must succeed; `-w` output comes after the body."""
    command = ["curl", "--silent", "--show-error", "--max-time", str(seconds), *arguments]
    ended = subprocess.run(command, capture_output=True, timeout=seconds + 5, check=False)
    assert ended.returncode == 0, ended.stderr.decode()
    return ended


@pytest.fixture
def upload(tmp_path: Path) -> Path:
    """Two million random bytes in a file."""
    path = tmp_path / "upload"
    path.write_bytes(os.urandom(UPLOAD_BYTES))
    return path


def assert_arrived(body: bytes, upload: Path) -> dict[str, str]:
    """Checks what the backend says it received, and returns the fields it received with it."""
    received = json.loads(body)
    assert received["bytes"] == UPLOAD_BYTES
    assert received["sha256"] == hashlib.sha256(upload.read_bytes()).hexdigest()
    return received["headers"]


def test_head(server: StartServer, gateway: StartGateway) -> None:
    """A HEAD has the fields of its GET and no body, and the connection stays usable."""
    backend = server("--no-model")
    through = gateway(one_pool(backend.url))
    models = f"{through.url}/v1/models"
    whole = curl(models).stdout
    ended = curl("--head", "-w", "%{http_code} %{num_connects}\n", models, "--next", "-s", models)
    assert f"content-length: {len(whole)}" in ended.stdout.decode().lower()
    assert ended.stdout.endswith(whole)
    assert b"200 1\n" in ended.stdout


def test_keep_alive(server: StartServer, gateway: StartGateway) -> None:
    """Ten requests use one connection."""
    backend = server("--no-model")
    through = gateway(one_pool(backend.url))
    models = f"{through.url}/v1/models?[1-10]"
    ended = curl("-o", "/dev/null", "-w", "%{http_code} %{num_connects}\n", models)
    assert ended.stdout.decode().splitlines() == ["200 1"] + ["200 0"] * 9


def test_upload_with_length(server: StartServer, gateway: StartGateway, upload: Path) -> None:
    """A body with a Content-Length keeps it."""
    backend = server("--no-model")
    through = gateway(one_pool(backend.url))
    ended = curl("-H", "Expect:", "--data-binary", f"@{upload}", f"{through.url}/upload")
    headers = assert_arrived(ended.stdout, upload)
    assert headers["content-length"] == str(UPLOAD_BYTES)


def test_chunked_upload(server: StartServer, gateway: StartGateway, upload: Path) -> None:
    """A chunked body arrives whole."""
    backend = server("--no-model")
    through = gateway(one_pool(backend.url))
    ended = curl(
        *("-H", "Expect:", "-H", "Transfer-Encoding: chunked"),
        *("--data-binary", f"@{upload}", f"{through.url}/upload"),
    )
    headers = assert_arrived(ended.stdout, upload)
    assert headers["transfer-encoding"] == "chunked"
    assert "content-length" not in headers


def test_expect_continue(server: StartServer, gateway: StartGateway, upload: Path) -> None:
    """curl asks before it sends two megabytes, and is told to go on at once."""
    backend = server("--no-model")
    through = gateway(one_pool(backend.url))
    ended = curl(
        *("--verbose", "-H", "Expect: 100-continue", "--expect100-timeout", "10"),
        *("--data-binary", f"@{upload}", "-w", "\n%{time_total}", f"{through.url}/upload"),
    )
    body, _, seconds = ended.stdout.rpartition(b"\n")
    assert_arrived(body, upload)
    assert b"100 Continue" in ended.stderr
    assert float(seconds) < 5, "curl waited for its own time-out"


def test_refused_upload_never_travels(
    server: StartServer, gateway: StartGateway, upload: Path
) -> None:
    """With the limit taken and no queue, the 503 comes before a byte of the body was sent."""
    backend = server("--no-model")
    through = gateway(one_pool(backend.url, max_requests=0))
    with RawClient(through.url) as running:
        running.send(chat_bytes(600, 0.05))
        running.read_until(b"data: ")
        ended = curl(
            *("-H", "Expect: 100-continue", "--expect100-timeout", "10", "-D", "-"),
            *("-o", "/dev/null", "-w", "%{http_code} %{size_upload} %{time_total}"),
            *("--data-binary", f"@{upload}", f"{through.url}/upload"),
        )
        head, _, written = ended.stdout.decode().rpartition("\n")
        status, sent, seconds = written.split()
        assert (status, sent) == ("503", "0")
        assert float(seconds) < 2
        assert "x-penstock-reason: queue_full" in head.lower()
        assert "retry-after: " in head.lower() and "retry-after-ms: " in head.lower()


def test_http_1_0(server: StartServer, gateway: StartGateway) -> None:
    """An HTTP/1.0 client gets no chunks and sees the end by the connection's."""
    backend = server("--no-model")
    through = gateway(one_pool(backend.url))
    models = curl("--http1.0", f"{through.url}/v1/models").stdout
    assert json.loads(models)["object"] == "list"
    chat = json.dumps({"messages": [{"role": "user", "content": "a b c"}], "stream": True})
    ended = curl("--http1.0", "-i", "--data", chat, f"{through.url}/v1/chat/completions")
    head, _, body = ended.stdout.partition(b"\r\n\r\n")
    assert b"transfer-encoding" not in head.lower()
    assert body.startswith(b"data: ") and body.endswith(b"data: [DONE]\n\n")


def test_unix_listener_and_backend(
    server: StartServer, gateway: StartGateway, tmp_path: Path, upload: Path
) -> None:
    """Unix sockets on both sides."""
    front, back = tmp_path / "front.sock", tmp_path / "back.sock"
    backend_url = f"http+unix://{back}"
    # The backend's statistics are behind its unix socket too: nothing here asks for them.
    server("--no-model", "--unix", str(back))
    gateway(one_pool(backend_url, listen=f"unix:{front}"))
    ended = curl("--unix-socket", str(front), "--data-binary", f"@{upload}", "http://any/upload")
    assert_arrived(ended.stdout, upload)


@pytest.mark.skipif(not socket.has_ipv6, reason="no IPv6")
def test_two_listeners(server: StartServer, gateway: StartGateway) -> None:
    """Several addresses, one of them IPv6."""
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError as error:
        pytest.skip(f"no IPv6 loopback: {error}")
    backend = server("--no-model")
    through = gateway(one_pool(backend.url, listen="['127.0.0.1:0', '[::1]:0']"))
    assert len(through.urls) == 2
    for url in through.urls:
        ended = curl("--globoff", f"{url}/v1/models")
        assert json.loads(ended.stdout)["object"] == "list"


def test_fields_of_a_proxy(server: StartServer, gateway: StartGateway) -> None:
    """Fields of one hop end here; those that tell of the way are added."""
    backend = server("--no-model")
    trusting = "forwarding: {trusted_proxies: [127.0.0.0/8]}\n"
    through = gateway(one_pool(backend.url) + trusting)
    ended = curl(
        *("-H", "Connection: keep-alive, X-Private", "-H", "X-Private: 1", "-H", "X-Public: 2"),
        *("-H", "X-Forwarded-For: 192.0.2.7", "-H", "traceparent: 00-0-0-01"),
        *("-H", "Keep-Alive: timeout=5", "--data", "x", f"{through.url}/upload"),
    )
    headers = json.loads(ended.stdout)["headers"]
    assert "x-private" not in headers and "keep-alive" not in headers
    assert headers["x-public"] == "2"
    assert headers["traceparent"] == "00-0-0-01"
    assert headers["x-forwarded-for"] == "192.0.2.7, 127.0.0.1"
    assert headers["x-forwarded-proto"] == "http"
    assert headers["x-request-id"]
    assert "penstock" in headers["via"]


def test_pipelined_requests(server: StartServer, gateway: StartGateway) -> None:
    """Requests sent without waiting are answered in their order, one after the other."""
    backend = server("--no-model")
    through = gateway(one_pool(backend.url))
    with RawClient(through.url) as client:
        client.send(chat_bytes(3, 0.02) + b"GET /v1/models HTTP/1.1\r\nHost: g\r\n\r\n" + chat_bytes(1, 0))
        first = client.read_until(b"0\r\n\r\n")
        second = client.read_until(b'"owned_by": "tests"}]}')
        third = client.read_until(b"0\r\n\r\n")
    assert b"w2" in first and b"[DONE]" in first
    assert b"HTTP/1.1 200 OK" in second
    assert b"w0" in third and b"[DONE]" in third
    through.wait_until_idle()
    eventually(lambda: backend.stats()["held"] == 0, "backend idle")
    assert backend.stats()["aborted"] == 0
