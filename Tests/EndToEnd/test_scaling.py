"""How many backends a pool says it wants: on its own page, in /status and in /metrics."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from conftest import StartGateway
from processes import Gateway, eventually, one_pool, request
from sockets import RawClient, closed_address, read_head, scripted_backend

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\na"
SECONDS = 0.1


class Slow:
    """A backend whose answers take a tenth of a second, or until `go`."""

    def __init__(self) -> None:
        self.go = threading.Event()

    def __call__(self, connection: socket.socket) -> None:
        while head := read_head(connection):
            if head.startswith(b"GET /held"):
                self.go.wait(20)
            else:
                time.sleep(SECONDS)
            connection.sendall(ANSWER)


@pytest.fixture
def slow() -> Iterator[tuple[Slow, str]]:
    """One, and where it is."""
    serve = Slow()
    with scripted_backend(serve) as url:
        yield serve, url
        serve.go.set()


def scale(through: Gateway, pool: str = "chat") -> dict[str, Any]:
    """What the pool's page says, which has to come at once and to be short."""
    began = time.monotonic()
    answer = request(through.admin_url, f"/scale/{pool}")
    assert time.monotonic() - began < 1
    assert answer.status == 200 and len(answer.body) <= 100
    return answer.json()


@pytest.mark.parametrize("retries", [0, 1])
def test_refused_first_tries_are_demand(
    gateway: StartGateway, slow: tuple[Slow, str], retries: int
) -> None:
    """What is in flight is demand, and so are refused requests for as long as they would take, further tries left out."""
    serve, url = slow
    through = gateway(one_pool(url, limit=2, max_requests=0))
    assert scale(through) == {"pool": "chat", "wanted": 0, "demand": 0, "limit": 2, "usable": 1}
    for _ in range(5):
        assert request(through.url).status == 200
    with ExitStack() as stack:
        for _ in range(2):
            stack.enter_context(RawClient(through.url)).send(b"GET /held HTTP/1.1\r\nHost: h\r\n\r\n")
        eventually(lambda: scale(through)["demand"] == 2, "two in flight")
        held = scale(through)
        assert held["wanted"] == round(2 / (0.85 * 2), 2)
        assert through.status()["pools"][0]["wanted"] == pytest.approx(held["wanted"], abs=0.01)
        assert through.metric("penstock_wanted_backends", pool="chat") == pytest.approx(held["wanted"], abs=0.01)
        fields = {"x-stainless-retry-count": str(retries)}
        for _ in range(300):
            assert request(through.url, headers=fields).status == 503
        if retries:
            time.sleep(1.1)
            assert scale(through)["demand"] == 2
        else:
            # 300 in a step of a second count as 19 a second at first, of a tenth of a second each.
            eventually(lambda: scale(through)["demand"] > 2.5, "refusals count")
        serve.go.set()
    through.wait_until_idle()


def test_nobody_there_is_a_backend_wanted(gateway: StartGateway) -> None:
    """A pool without a backend that answers wants one as soon as somebody asks for it, and not before."""
    through = gateway(one_pool(closed_address()))
    assert scale(through)["wanted"] == 0
    for _ in range(3):
        assert request(through.url).status in (502, 503)
    # The first one finds out, the others are refused for want of a backend.
    eventually(lambda: request(through.url).status == 503 and scale(through)["wanted"] >= 1, "one is wanted", 10)


def test_pools_that_are_not_there(gateway: StartGateway) -> None:
    """Unknown pools are told as such, and nothing can be put there."""
    through = gateway(one_pool(closed_address()))
    for path in ("/scale", "/scale/", "/scale/other", "/scale/chat/", "/scale/%2e%2e"):
        assert request(through.admin_url, path).status == 404
    assert request(through.admin_url, "/scale/chat", "PUT", b"9").status == 405
    assert request(through.admin_url, "/scale/chat", "HEAD").body == b""
