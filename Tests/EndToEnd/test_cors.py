"""What a page of another origin gets to see, from preflight to refusal."""

from __future__ import annotations

import socket

import pytest

from conftest import StartGateway
from processes import eventually, one_pool, request
from sockets import RawClient, read_head, scripted_backend

PAGE = "https://app.example.com"
ASKS = {
    "Origin": PAGE,
    "Access-Control-Request-Method": "POST",
    "Access-Control-Request-Headers": "authorization, content-type",
}


def answering(connection: socket.socket) -> None:
    """A backend with its own idea of who may read."""
    while read_head(connection):
        connection.sendall(
            b"HTTP/1.1 200 OK\r\nAccess-Control-Allow-Origin: *\r\nAccess-Control-Expose-Headers: X-Mine\r\n"
            b"Content-Length: 2\r\n\r\nok"
        )


def policy(*backends: str, pool: str = "", **more: object) -> str:
    """A policy whose route is for pages of `PAGE`."""
    text = one_pool(*backends, **more)  # type: ignore[arg-type]
    text = text.replace("cancel:", f"{pool}\n    cancel:") if pool else text
    return text.replace("pool: chat}]", f"pool: chat, cors: {{origins: ['{PAGE}']}}}}]")


def test_preflight_and_request(gateway: StartGateway) -> None:
    """The gateway answers what the browser asks first; the backend gets the request alone."""
    with scripted_backend(answering) as backend:
        through = gateway(policy(backend))
        asked = request(through.url, "/v1/chat/completions", "OPTIONS", headers=ASKS)
        assert (asked.status, asked.body) == (204, b"")
        assert asked.headers["access-control-allow-origin"] == PAGE
        assert asked.headers["access-control-allow-headers"] == "authorization, content-type"
        assert asked.headers["access-control-allow-methods"] == "GET, HEAD, POST"
        assert asked.headers["access-control-max-age"] == "600"
        assert "origin" in asked.headers["vary"].lower()
        assert through.metric("penstock_attempts_total") == 0
        answer = request(through.url, headers={"Origin": PAGE})
        assert answer.headers["access-control-allow-origin"] == PAGE
        assert "Retry-After" in answer.headers["access-control-expose-headers"]
        assert "X-Mine" not in answer.headers["access-control-expose-headers"]
        stranger = request(through.url, headers={"Origin": "https://evil.example.com"})
        assert stranger.status == 200 and "access-control-allow-origin" not in stranger.headers
        assert stranger.headers["vary"] == "Origin"


@pytest.mark.parametrize(
    ("status", "pool", "server", "path", "body"),
    [
        (401, "tenant: {keys: KEYS}", "", "/", b""),
        (413, "", "server: {max_body_size: 10B}", "/", b"x" * 11),
        (429, "tenant: {header: x-tenant, default: {requests_per_minute: 1}}", "", "/", b""),
        (400, "", "", "/a/../b", b""),
    ],
)
def test_refusals_can_be_read(
    gateway: StartGateway, tmp_path, status: int, pool: str, server: str, path: str, body: bytes
) -> None:
    """A page sees the status and the reason instead of a network error."""
    keys = tmp_path / "who.keys"
    keys.write_text("")
    with scripted_backend(answering) as backend:
        through = gateway(policy(backend, pool=pool.replace("KEYS", str(keys)), extra=server))
        answers = [request(through.url, path, "POST", body, {"Origin": PAGE}) for _ in range(2)]
        answer = answers[1]
        assert answer.status == status
        assert answer.headers["access-control-allow-origin"] == PAGE
        exposed = answer.headers["access-control-expose-headers"].lower().split(", ")
        readable = {"x-penstock-reason", "x-request-id", *({"retry-after"} if status == 429 else ())}
        assert readable <= answer.headers.keys() and readable <= set(exposed)
        assert answer.headers["vary"] == "Origin"


def test_overload_can_be_read(gateway: StartGateway) -> None:
    """So does the 503 of a full queue, with the time to come back."""

    def holding(connection: socket.socket) -> None:
        read_head(connection)
        connection.recv(1)

    with scripted_backend(holding) as backend:
        through = gateway(policy(backend, limit=1, max_requests=0))
        with RawClient(through.url) as first:
            first.send(b"GET / HTTP/1.1\r\nHost: gateway\r\n\r\n")
            eventually(lambda: through.metric("penstock_inflight") == 1, "the place taken")
            answer = request(through.url, headers={"Origin": PAGE})
        assert answer.status == 503 and "retry-after" in answer.headers
        assert answer.headers["access-control-allow-origin"] == PAGE
