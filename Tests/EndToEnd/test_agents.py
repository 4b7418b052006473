"""Agents that say what a backend may be sent, asked over TCP and HTTP."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field

import pytest

from conftest import StartGateway
from processes import Gateway, eventually, request
from sockets import read_head, scripted_backend


@dataclass
class Backend:
    """One that answers with its name, and knows how many requests it had at once."""

    name: bytes
    seconds: float = 0.0
    now: int = 0
    most: int = 0
    address: str = ""
    lock: threading.Lock = field(default_factory=threading.Lock)

    def serve(self, connection: socket.socket) -> None:
        """All requests of a connection."""
        while read_head(connection):
            with self.lock:
                self.now += 1
                self.most = max(self.most, self.now)
            time.sleep(self.seconds)
            with self.lock:
                self.now -= 1
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n" + self.name)


@dataclass
class Agent:
    """One that says what the test sets: in pieces, and never the end where that is not `closes`."""

    pieces: list[bytes] = field(default_factory=list)
    closes: bool = True
    asked: int = 0
    open: int = 0
    most: int = 0
    head: bytes = b""
    speaks_http: bool = False

    def say(self, line: bytes) -> None:
        """From the next question on."""
        self.pieces = [line]

    def serve(self, connection: socket.socket) -> None:
        """One question."""
        self.asked += 1
        self.open += 1
        self.most = max(self.most, self.open)
        try:
            if self.speaks_http:
                self.head = read_head(connection)
            for piece in self.pieces:
                connection.sendall(piece)
                time.sleep(0.02)
            if not self.closes:
                connection.recv(1)
        finally:
            self.open -= 1


@dataclass
class Fleet:
    """Two backends and the agent at the first one's host."""

    backends: list[Backend]
    agent: Agent
    port: int

    def policy(self, signals: str | None = None) -> str:
        """A pool of them."""
        return f"""\
version: 1
listen: 127.0.0.1:0
admin: 127.0.0.1:0
threads: 2
pools:
  all:
    backends: {[backend.address for backend in self.backends]}
    limit: {{algorithm: fixed, limit: 8}}
    signals: {signals or f"{{agent: 'tcp://:{self.port}', every: 100ms}}"}
routes: [{{path: /*, pool: all}}]
"""


@pytest.fixture
def fleet() -> Iterator[Fleet]:
    """The second backend's host has no agent."""
    with ExitStack() as stack:
        backends = [Backend(b"a"), Backend(b"b")]
        for backend, host in zip(backends, ["127.0.0.1", "127.0.0.2"], strict=True):
            backend.address = stack.enter_context(scripted_backend(backend.serve, host))
        agent = Agent()
        url = stack.enter_context(scripted_backend(agent.serve))
        yield Fleet(backends, agent, int(url.rsplit(":", 1)[1]))


def answers(through: Gateway, count: int = 20) -> set[bytes]:
    """Who answers."""
    return {request(through.url).body for _ in range(count)}


def polls(through: Gateway, fleet: Fleet, result: str, index: int = 0) -> float:
    """Questions about one of them that ended so."""
    return through.metric(
        "penstock_backend_agent_polls_total", backend=fleet.backends[index].address, result=result
    )


def heard(through: Gateway, index: int = 0) -> list[tuple[str, str, object]]:
    """What is said of one of them."""
    signals = through.status()["pools"][0]["backends"][index]["signals"]
    return [(signal["source"], signal["state"], signal["limit"]) for signal in signals]


def test_it_is_asked_at_each_backends_host(gateway: StartGateway, fleet: Fleet) -> None:
    """What is not said stays, over silence and nonsense; only the agent takes back what it said."""
    agent = fleet.agent
    agent.say(b"drain\n")
    through = gateway(fleet.policy())
    eventually(lambda: answers(through) == {b"b"}, "the first is drained")
    assert heard(through) == [("agent", "drain", None)]
    assert heard(through, 1) == []
    assert polls(through, fleet, "failed", 1) >= 1
    label = fleet.backends[0].address
    assert through.metric("penstock_backend_signal", backend=label, state="drain", source="agent") == 1
    assert through.told("backend signal")[0]["source"] == "agent"
    # In pieces, with a carriage return, and in HAProxy's own spelling.
    agent.pieces = [b"READY max", b"conn:3\r", b"\nx" * 100]
    eventually(lambda: heard(through) == [("agent", "limited", 3)], "it has less")
    for pieces in [[b"drainn\n"], [b"x" * 9000], [b"drain, please\n"], [b"\x00\xff\n"]]:
        before = polls(through, fleet, "unreadable")
        agent.pieces = pieces
        eventually(lambda: polls(through, fleet, "unreadable") > before + 1, f"{pieces} is counted")
        assert heard(through) == [("agent", "limited", 3)]
    # Nothing, and nothing new.
    for pieces, result in [([], "failed"), ([b"\n"], "answered")]:
        before = polls(through, fleet, result)
        agent.pieces = pieces
        eventually(lambda: polls(through, fleet, result) > before + 1, f"{result} is counted")
        assert heard(through) == [("agent", "limited", 3)]
    agent.say(b"up ready 100% maxconn:0")
    eventually(lambda: heard(through) == [], "nothing is held against it")
    assert answers(through) == {b"a", b"b"}


def test_one_that_never_ends_is_asked_once_at_a_time(gateway: StartGateway, fleet: Fleet) -> None:
    """Its line counts as soon as it is there, and without one it is given up."""
    fleet.agent.closes = False
    fleet.agent.say(b"drain\n")
    through = gateway(fleet.policy())
    eventually(lambda: answers(through) == {b"b"}, "the line counts")
    fleet.agent.pieces = [b"ready"]
    before = fleet.agent.asked
    eventually(lambda: polls(through, fleet, "failed") >= 2, "it is given up", 6)
    assert fleet.agent.most <= 2
    assert fleet.agent.asked <= before + 5
    assert heard(through) == [("agent", "drain", None)]


def test_over_http_and_a_reload(gateway: StartGateway, fleet: Fleet) -> None:
    """The body's first line counts, of an answer that is good; a policy without an agent forgets it."""
    agent = fleet.agent
    agent.speaks_http = True
    http = f"{{agent: 'http://127.0.0.1:{fleet.port}/agent?x=1', every: 100ms}}"
    agent.say(b"HTTP/1.1 500 X\r\nConnection: close\r\n\r\nmaint\n")
    through = gateway(fleet.policy(http))
    eventually(lambda: polls(through, fleet, "failed") >= 2, "a failure says nothing")
    assert answers(through) == {b"a", b"b"}
    assert agent.head.startswith(b"GET /agent?x=1 HTTP/1.1\r\n")
    agent.say(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n50%\ndrain\n")
    # With a host of its own it is asked about both.
    eventually(lambda: heard(through) == heard(through, 1) == [("agent", "limited", None)], "half is left")
    agent.say(b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n" + b"drain\n" * 1000)
    before = polls(through, fleet, "failed")
    eventually(lambda: polls(through, fleet, "failed") > before + 2, "too much is nothing")
    assert heard(through) == [("agent", "limited", None)]
    through.reload(fleet.policy("{}"))
    eventually(lambda: heard(through) == heard(through, 1) == [], "it is forgotten")
    asked = agent.asked
    assert answers(through) == {b"a", b"b"}
    assert agent.asked <= asked + 1


@pytest.mark.timed
def test_nothing_is_lost_and_bounds_hold(gateway: StartGateway, fleet: Fleet) -> None:
    """While the agent drains a backend, bounds it and opens it again under load."""
    first = fleet.backends[0]
    for backend in fleet.backends:
        backend.seconds = 0.005
    through = gateway(fleet.policy())
    ending = threading.Event()
    statuses: list[int] = []

    def ask() -> None:
        while not ending.is_set():
            statuses.append(request(through.url).status)

    threads = [threading.Thread(target=ask) for _ in range(12)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(3):
            fleet.agent.say(b"ready maxconn:2")
            eventually(lambda: heard(through) == [("agent", "limited", 2)], "it is bounded")
            time.sleep(0.05)
            first.most = 0
            time.sleep(0.15)
            assert 1 <= first.most <= 2
            fleet.agent.say(b"drain")
            eventually(lambda: heard(through) == [("agent", "drain", 2)], "it is drained")
            time.sleep(0.05)
            first.most = 0
            time.sleep(0.1)
            assert first.most == 0
            fleet.agent.say(b"ready maxconn:0")
            eventually(lambda: first.most > 2, "it has its part again")
    finally:
        ending.set()
        for thread in threads:
            thread.join()
    assert len(statuses) > 200
    assert set(statuses) == {200}


@pytest.mark.parametrize(
    ("signals", "said"),
    [
        ("{agent: 9777}", "signals.agent"),
        ("{agent: 'tcp://host'}", "has no port"),
        ("{agent: 'tcp://:9777/x'}", "has a path"),
        ("{agent: 'https://:9777/x'}", "write one such as tcp://:9777"),
        ("{agent: 'tcp://a b:9777'}", "signals.agent"),
        ("{agent: 'http://:0/'}", "is not a port"),
        ("{agent: 'tcp://:9777', every: 10ms}", "signals.every"),
        ("{every: 1s}", "nobody is asked"),
        ("{agent_port: 9777}", "write agent: tcp://:PORT"),
    ],
)
def test_what_is_no_agent(gateway: StartGateway, fleet: Fleet, signals: str, said: str) -> None:
    """It is said where, and what would be right."""
    with pytest.raises(AssertionError, match=said):
        gateway(fleet.policy(signals))
