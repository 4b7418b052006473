"""A backend that fails gives the client an answer that cannot be mistaken for a good one."""

from __future__ import annotations

import http.client
import socket
import threading
import time

import httpx2
import openai
import pytest
from openai import OpenAI

from conftest import StartGateway, StartServer
from processes import eventually, one_pool, request
from sockets import (
    RawClient,
    chat_bytes,
    closed_address,
    read_head,
    scripted_backend,
    unanswering_address,
)

STREAM = {
    "model": "all-MiniLM-L6-v2",
    "messages": [{"role": "user", "content": "word " * 200}],
    "stream": True,
    "extra_body": {"token_delay": 0.05},
}


def test_killed_in_a_stream(server: StartServer, gateway: StartGateway) -> None:
    """The chunked answer is cut without its last chunk, and the official client raises."""
    backend = server("--no-model")
    through = gateway(one_pool(backend.url))
    with OpenAI(base_url=f"{through.url}/v1", api_key="unused", max_retries=0) as client:
        stream = iter(client.chat.completions.create(**STREAM))
        next(stream)
        backend.kill()
        with pytest.raises((openai.APIError, httpx2.RemoteProtocolError)):
            for _ in stream:
                pass
    through.wait_until_idle()


def test_cut_stream_ends_with_an_error(server: StartServer, gateway: StartGateway) -> None:
    """On the wire: the stream's last event is an error, and `[DONE]` was not sent."""
    backend = server("--no-model")
    through = gateway(one_pool(backend.url))
    with RawClient(through.url) as client:
        client.send(chat_bytes(200, 0.05))
        client.read_until(b"data: ")
        backend.kill()
        rest = client.read_until(b"\r\n0\r\n\r\n")
    assert b"[DONE]" not in rest
    assert b'data: {"error":' in rest
    through.wait_until_idle()


def test_short_body_is_cut(gateway: StartGateway) -> None:
    """A body that ends before its Content-Length reaches the client as just that."""

    def script(connection: socket.socket) -> None:
        read_head(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this")

    with scripted_backend(script) as address:
        through = gateway(one_pool(address))
        with pytest.raises(http.client.IncompleteRead) as raised:
            request(through.url)
        assert raised.value.partial == b"only this"
        through.wait_until_idle()


@pytest.mark.parametrize(
    ("sent", "reason"),
    [
        (b"", "upstream_closed"),
        (b"HTTP/1.1 200 OK\r\nContent-Le", "upstream_closed"),
        (b"SSH-2.0-OpenSSH_9.2\r\n\r\n", "upstream_invalid"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n", "upstream_invalid"),
        (b"HTTP/1.1 200 OK\r\nBad Name : x\r\nContent-Length: 0\r\n\r\n", "upstream_invalid"),
    ],
    ids=["nothing", "half-a-head", "not-http", "bad-length", "bad-field"],
)
def test_broken_before_the_head(gateway: StartGateway, sent: bytes, reason: str) -> None:
    """Before an answer's head is complete the client gets a 502 that says why."""

    def script(connection: socket.socket) -> None:
        read_head(connection)
        connection.sendall(sent)

    with scripted_backend(script) as address:
        through = gateway(one_pool(address))
        answer = request(through.url, method="POST", body=b"{}")
        assert answer.status == 502
        assert answer.headers["x-penstock-reason"] == reason
        through.wait_until_idle()


def test_nobody_listens(gateway: StartGateway) -> None:
    """A refused connection is a 502 with its reason; a backend known to refuse is a 503 to come back for."""
    through = gateway(one_pool(closed_address()))
    first = request(through.url)
    assert first.status == 502
    assert first.headers["x-penstock-reason"] == "connect_failed"
    # At most the queue's 2 s: by then the backend is tried again, or the client is told when to come back.
    second = request(through.url)
    if second.status == 503:
        assert second.headers["x-penstock-reason"] in ("no_backend", "queue_timeout")
        assert 1 <= int(second.headers["retry-after"]) <= 60
    else:
        assert second.status == 502
        assert second.headers["x-penstock-reason"] == "connect_failed"
    through.wait_until_idle()


def test_another_backend_takes_over(server: StartServer, gateway: StartGateway) -> None:
    """With one backend of two gone, no client notices."""
    backend = server("--no-model")
    through = gateway(one_pool(closed_address(), backend.url, limit=4))
    for _ in range(20):
        assert request(through.url, "/v1/models").status == 200
    through.wait_until_idle()


def test_backend_comes_back(server: StartServer, gateway: StartGateway) -> None:
    """A restarted backend is used again, soon and without help."""
    backend = server("--no-model")
    port = backend.url.rpartition(":")[2]
    through = gateway(one_pool(backend.url))
    assert request(through.url, "/v1/models").status == 200
    backend.kill()
    assert request(through.url, "/v1/models").status in (502, 503)
    server("--no-model", "--port", port)
    deadline = time.monotonic() + 10
    while (answer := request(through.url, "/v1/models")).status != 200:
        assert answer.status in (502, 503)
        assert time.monotonic() < deadline, "a backend that is back was not used for 10 s"
        time.sleep(0.1)


@pytest.mark.parametrize(("method", "pause"), [("GET", 0.0), ("POST", 0.02)])
def test_closes_after_each_answer(gateway: StartGateway, method: str, pause: float) -> None:
    """A backend that ends kept connections without a word costs no request that may be sent again.

    A POST may not, once a byte of it is on its way; so those come when the close has been seen.
    """

    def script(connection: socket.socket) -> None:
        read_head(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    with scripted_backend(script) as address:
        through = gateway(one_pool(address))
        for _ in range(100):
            assert request(through.url, method=method).body == b"ok"
            time.sleep(pause)
        through.wait_until_idle()


def test_connecting_takes_too_long(gateway: StartGateway) -> None:
    """A backend that does not answer the handshake costs the connect time-out and no more."""
    with unanswering_address() as address:
        through = gateway(
            one_pool(address).replace("    limit:", "    timeouts: {connect: 300ms}\n    limit:")
        )
        began = time.monotonic()
        answer = request(through.url)
        assert answer.status == 504
        assert answer.headers["x-penstock-reason"] == "connect_timeout"
        assert time.monotonic() - began < 3
        through.wait_until_idle()


def test_first_byte_takes_too_long(server: StartServer, gateway: StartGateway) -> None:
    """A backend that accepts and never answers is a 504, and its slot comes back."""
    backend = server("--no-model")
    through = gateway(
        one_pool(backend.url).replace("    limit:", "    timeouts: {first_byte: 300ms}\n    limit:")
    )
    with RawClient(through.url) as client:
        client.send(chat_bytes(1, 20, stream=False))
        head = client.read_until(b"\r\n\r\n").lower()
    assert head.startswith(b"http/1.1 504 ")
    assert b"x-penstock-reason: first_byte_timeout" in head
    through.wait_until_idle()
    assert backend.stats()["aborted"] == 1


def test_a_silent_backend_holds_nobody_else_up(server: StartServer, gateway: StartGateway) -> None:
    """One that takes a request and says nothing keeps its own place; whoever comes then goes to the other one at once."""
    backend = server("--no-model", "--concurrency", "100")
    ended = threading.Event()

    def silent(connection: socket.socket) -> None:
        read_head(connection)
        ended.wait(60)

    with scripted_backend(silent) as address:
        through = gateway(one_pool(address, backend.url, limit=1, max_requests=100, max_wait="30s"))
        holders: list[RawClient] = []

        def held() -> bool:
            holders.append(RawClient(through.url))
            holders[-1].send(b"GET /v1/models HTTP/1.1\r\nHost: g\r\n\r\n")
            return through.metric("penstock_inflight", backend=address) == 1

        eventually(held, "a request at the silent backend", 20)
        for _ in range(20):
            answer = request(through.url, "/v1/models", timeout=20)
            assert answer.status == 200
            assert int(answer.headers["x-penstock-queue-ms"]) < 10_000
        assert through.metric("penstock_inflight", backend=address) == 1
        for holder in holders:
            holder.close()
        through.wait_until_idle()
        ended.set()
