"""Active checks: what backends are asked, and what becomes of one whose checks fail."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import pytest

from conftest import StartGateway
from processes import Gateway, eventually, request
from sockets import closed_address, read_head, scripted_backend

pytestmark = pytest.mark.timed


@dataclass
class Backend:
    """One that answers requests with its name, and checks with a status that the test sets."""

    name: str
    status: int = 200
    is_silent: bool = False
    ended: threading.Event = field(default_factory=threading.Event)
    checks: list[bytes] = field(default_factory=list)
    requests: int = 0
    address: str = ""

    def serve(self, connection: socket.socket) -> None:
        """All requests of a connection."""
        while head := read_head(connection):
            if not head.startswith(b"GET /health"):
                self.requests += 1
                connection.sendall(
                    b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n" + self.name.encode()
                )
                continue
            self.checks.append(head)
            if self.is_silent:
                self.ended.wait(20)
                return
            connection.sendall(b"HTTP/1.1 %d X\r\nContent-Length: 0\r\n\r\n" % self.status)


@pytest.fixture
def backends() -> Iterator[list[Backend]]:
    """Two of them."""
    with ExitStack() as stack:
        made = [Backend("a"), Backend("b")]
        for backend in made:
            backend.address = stack.enter_context(scripted_backend(backend.serve))
        yield made
        for backend in made:
            backend.ended.set()


def policy(addresses: list[str], health: str) -> str:
    """A pool of them with checks."""
    return f"""\
version: 1
listen: 127.0.0.1:0
admin: 127.0.0.1:0
pools:
  all:
    backends: {addresses}
    health: {health}
routes: [{{path: /*, pool: all}}]
"""


FAST = "{path: /health?quick=1, interval: 1s, timeout: 3s, fall: 2, rise: 2}"


def answers(through: Gateway, count: int = 12) -> set[bytes]:
    """Who answers."""
    return {request(through.url).body for _ in range(count)}


def usable(through: Gateway, index: int) -> bool:
    """What the status says."""
    return bool(through.status()["pools"][0]["backends"][index]["usable"])


def test_one_that_fails_its_checks_gets_nothing(gateway: StartGateway, backends: list[Backend]) -> None:
    """And gets its part again once they pass."""
    first, second = backends
    through = gateway(policy([first.address, second.address], FAST))
    assert answers(through) == {b"a", b"b"}
    eventually(lambda: first.checks and second.checks, "both are checked")
    assert first.checks[0].startswith(b"GET /health?quick=1 HTTP/1.1\r\n")
    assert f"Host: {urlsplit(first.address).netloc}\r\n".encode() in first.checks[0]
    first.status = 503
    eventually(lambda: not usable(through, 0), "the checks count", 8)
    before = first.requests
    assert answers(through, 40) == {b"b"}
    assert first.requests == before
    label = first.address
    assert through.metric("penstock_backend_checks_failing", backend=label) == 1
    assert through.metric("penstock_backend_suspected", backend=label, cause="check") == 1
    assert through.metric("penstock_backend_checks_total", backend=label, result="failed") >= 2
    assert through.metric("penstock_backend_checks_total", backend=second.address, result="failed") == 0
    assert through.told("backend suspected")
    first.status = 204
    eventually(lambda: usable(through, 0), "it comes back", 8)
    eventually(lambda: b"a" in answers(through), "it is sent requests")


def test_checks_follow_the_policy(gateway: StartGateway, backends: list[Backend]) -> None:
    """A reload begins them, and ends them with what they said."""
    first, second = backends
    first.status = 500
    addresses = [first.address, second.address]
    through = gateway(policy(addresses, "{path: /health, interval: 1h}").replace("    health:", "    # health:"))
    assert answers(through) == {b"a", b"b"}
    assert not first.checks
    through.reload(policy(addresses, FAST))
    eventually(lambda: not usable(through, 0), "the checks count", 8)
    assert answers(through, 40) == {b"b"}
    through.reload(policy(addresses, FAST).replace("    health:", "    # health:"))
    eventually(lambda: usable(through, 0), "what they said holds no more")
    eventually(lambda: b"a" in answers(through), "it is sent requests")
    checks = len(first.checks)
    assert answers(through, 40)
    assert len(first.checks) == checks


def test_one_that_is_not_there_and_one_alone(gateway: StartGateway, backends: list[Backend]) -> None:
    """A refused connection fails a check; who is alone is sent requests all the same."""
    alone = backends[0]
    alone.status = 503
    through = gateway(policy([alone.address], FAST))
    label = alone.address
    eventually(lambda: through.metric("penstock_backend_checks_failing", backend=label) == 1, "it fails", 8)
    assert answers(through) == {b"a"}
    gone = closed_address()
    through.reload(policy([alone.address, gone], FAST))
    eventually(
        lambda: through.metric("penstock_backend_checks_failing", backend=gone) == 1, "it fails", 8
    )
    assert answers(through) == {b"a"}


def test_a_busy_backend_may_answer_late(gateway: StartGateway, backends: list[Backend]) -> None:
    """A time-out does not count while responses come."""
    first, second = backends
    first.is_silent = True
    through = gateway(policy([first.address, second.address], FAST.replace("fall: 2", "fall: 1")))
    label = first.address

    def ignored() -> bool:
        assert answers(through, 4) <= {b"a", b"b"}
        return through.metric("penstock_backend_checks_total", backend=label, result="ignored") >= 1

    eventually(ignored, "a time-out is ignored", 10)
    assert usable(through, 0)
    # Nobody asks for anything any more.
    eventually(lambda: not usable(through, 0), "a time-out counts", 12)


@pytest.mark.parametrize(
    ("health", "said"),
    [
        ("{}", "health.path"),
        ("{path: health}", "health.path"),
        ("{path: '/a b'}", "health.path"),
        ("{path: /health, timeout: 1s}", "health.timeout"),
        ("{path: /health, interval: 10ms}", "health.interval"),
        ("{path: /health, fall: 0}", "health.fall"),
        ("{path: /health, unhealthy_threshold: 2}", "fall"),
    ],
)
def test_what_is_no_check(gateway: StartGateway, health: str, said: str) -> None:
    """It is said where, and what would be right."""
    with pytest.raises(AssertionError, match=said):
        gateway(policy(["http://127.0.0.1:1"], health))
