"""What backends say of themselves in the fields of their responses, and what they are sent then."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field

import pytest

from conftest import StartGateway
from processes import Gateway, eventually, request
from sockets import read_head, scripted_backend


@dataclass
class Backend:
    """One that answers with its name and the fields that the test sets."""

    name: str
    fields: bytes = b""
    status: int = 200
    health: bytes = b""
    requests: int = 0
    checks: int = 0
    open: set[int] = field(default_factory=set)
    address: str = ""

    def serve(self, connection: socket.socket) -> None:
        """All requests of a connection."""
        self.open.add(id(connection))
        try:
            while head := read_head(connection):
                is_check = head.startswith(b"GET /health")
                if is_check:
                    self.checks += 1
                else:
                    self.requests += 1
                connection.sendall(
                    b"HTTP/1.1 %d X\r\nContent-Length: 1\r\n%s\r\n%s"
                    % (self.status, self.health if is_check else self.fields, self.name.encode())
                )
        finally:
            self.open.discard(id(connection))


@pytest.fixture
def backends() -> Iterator[list[Backend]]:
    """Two of them."""
    with ExitStack() as stack:
        made = [Backend("a"), Backend("b")]
        for backend in made:
            backend.address = stack.enter_context(scripted_backend(backend.serve))
        yield made


def policy(backends: list[Backend], more: str = "") -> str:
    """A pool of them."""
    return f"""\
version: 1
listen: 127.0.0.1:0
admin: 127.0.0.1:0
threads: 2
pools:
  all:
    backends: {[backend.address for backend in backends]}
    limit: {{algorithm: fixed, limit: 8}}
    queue: {{max_wait: 1s}}
    {more}
routes: [{{path: /*, pool: all}}]
"""


def answers(through: Gateway, count: int = 30) -> list[bytes]:
    """Who answers."""
    return [request(through.url).body for _ in range(count)]


def backend(through: Gateway, index: int) -> dict[str, object]:
    """What the status says of one."""
    found = through.status()["pools"][0]["backends"][index]
    assert isinstance(found, dict)
    return found


def test_one_that_drains_itself_gets_nothing(gateway: StartGateway, backends: list[Backend]) -> None:
    """For as long as it said, and its clients see nothing of that."""
    first, _ = backends
    through = gateway(policy(backends))
    assert set(answers(through)) == {b"a", b"b"}
    first.fields = b"Penstock-Signal: state=drain, ttl=2\r\nX-Envoy-Degraded: 1\r\nX-Mine: 1\r\n"
    before = first.requests
    replies = [request(through.url) for _ in range(60)]
    assert first.requests == before + 1
    told = next(reply for reply in replies if reply.body == b"a")
    names = {name.lower() for name in told.headers}
    assert "x-mine" in names
    assert not names & {"penstock-signal", "x-envoy-degraded"}
    assert backend(through, 0)["usable"] is False
    label = first.address
    assert through.metric("penstock_backend_signal", backend=label, state="drain", source="field") == 1
    assert through.metric("penstock_backend_signal", backend=label, state="maint", source="field") == 0
    assert through.told("backend signal")
    first.fields = b""
    eventually(lambda: b"a" in answers(through, 10), "it is over", 8)
    assert through.metric("penstock_backend_signal", backend=label, state="drain", source="field") == 0


def test_failures_say_it_too(gateway: StartGateway, backends: list[Backend]) -> None:
    """A response that goes to no client, since another backend answers, is heeded."""
    first, _ = backends
    first.status = 503
    first.fields = b"Penstock-Signal: state=down\r\n"
    through = gateway(policy(backends))
    assert {request(through.url).status for _ in range(30)} == {200}
    assert first.requests == 1


def test_a_limit_holds(gateway: StartGateway, backends: list[Backend]) -> None:
    """And what is more than the limit changes nothing."""
    first, second = backends
    first.fields = b"Penstock-Signal: limit=3\r\n"
    second.fields = b"Penstock-Signal: limit=300\r\n"
    through = gateway(policy(backends))
    answers(through)
    assert backend(through, 0)["limit"] == 3
    assert backend(through, 1)["limit"] == 8
    signals = backend(through, 0)["signals"]
    assert isinstance(signals, list)
    assert signals[0]["source"] == "field"
    assert signals[0]["state"] == "limited"
    assert signals[0]["limit"] == 3
    assert 0 < signals[0]["ends_in_seconds"] <= 10


def test_what_cannot_be_read_is_counted(gateway: StartGateway, backends: list[Backend]) -> None:
    """And changes nothing, for it and for others."""
    first, _ = backends
    first.fields = b'Penstock-Signal: state="drain\r\n'
    through = gateway(policy(backends))
    assert set(answers(through)) == {b"a", b"b"}
    assert (
        through.metric("penstock_backend_signals_unreadable_total", backend=first.address)
        == first.requests
    )


def test_all_drained_is_told(gateway: StartGateway, backends: list[Backend]) -> None:
    """Where no backend takes anything, requests are refused at once."""
    for each in backends:
        each.fields = b"Penstock-Signal: state=drain, ttl=60\r\n"
    through = gateway(policy(backends))
    eventually(lambda: request(through.url).status == 503, "both are drained")
    reply = request(through.url)
    assert reply.headers["x-penstock-reason"] == "no_backend"
    assert int(reply.headers["retry-after"]) >= 1


@pytest.mark.timed
def test_checks_say_it(gateway: StartGateway, backends: list[Backend]) -> None:
    """Without a client's request; one under maintenance is asked nothing, and connections are closed."""
    first, _ = backends
    first.health = b"Penstock-Signal: state=maint, ttl=4\r\n"
    through = gateway(
        policy(backends, "health: {path: /health, interval: 1s, timeout: 3s, fall: 2, rise: 2}")
    )
    eventually(lambda: backend(through, 0)["usable"] is False, "the check says it", 8)
    checks = first.checks
    assert set(answers(through)) == {b"b"}
    eventually(lambda: not first.open, "its connections are closed")
    assert first.checks == checks
    first.health = b""
    eventually(lambda: b"a" in answers(through, 10), "it is over", 10)
