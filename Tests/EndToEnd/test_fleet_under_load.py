"""Backends that hold back, come and go while a thousand requests a second are served: none may be lost for it."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack, contextmanager
from multiprocessing import get_context
from pathlib import Path
from urllib.parse import quote, urlsplit

import pytest

from conftest import StartGateway
from engines import Engines, running_engines
from fleet import replace
from load import Outcome, Stream, push
from processes import Gateway, eventually, request
from sockets import scripted_backend
from test_push import TOKEN, place, put

# Minutes of load each: not for every run.
pytestmark = [pytest.mark.long, pytest.mark.limit(300)]

RATE = 1_000.0
# How long a backend's answers take to come from all of what was in flight before it said something, and a margin.
EFFECT_SECONDS = 0.05
SERVICE_SECONDS = 0.04
PERIOD_SECONDS = 0.2


@contextmanager
def offered(through: Gateway, rate: float, seconds: float) -> Iterator[list[Outcome]]:
    """Requests for so long, from a process of their own; the list is filled when the block ends."""
    found: list[Outcome] = []
    with ProcessPoolExecutor(1, get_context("spawn")) as clients:
        under_way = clients.submit(push, through.url, Stream(rate), seconds, 1)
        yield found
        found.extend(under_way.result().outcomes)


class Agent:
    """Answers each question with what the test last said."""

    def __init__(self) -> None:
        self.line = b"ready\n"
        self.url = ""

    def serve(self, connection: object) -> None:
        """One question."""
        connection.sendall(self.line)  # type: ignore[attr-defined]


Say = Callable[[str], None]


def pushes(through: Gateway, engines: Engines) -> Say:
    """By the admin listener."""

    def say(line: str) -> None:
        assert put(through, place(engines.urls[0]), line.encode()).status == 200

    return say


def in_fields(engines: Engines) -> Say:
    """By the answers themselves; one that is drained is heard again through its checks."""
    words = {
        "maxconn:4": "limit=4, ttl=60", "drain": "state=drain, ttl=60", "ready maxconn:0": "state=ready",
    }

    def say(line: str) -> None:
        request(engines.control, f"/says/0/{quote(words[line])}", "PUT")

    return say


def by_agent(agent: Agent) -> Say:
    """By an agent, which is asked each fifth of a second."""

    def say(line: str) -> None:
        agent.line = line.encode() + b"\n"

    return say


@pytest.mark.parametrize("way", ["push", "field", "agent"])
def test_whoever_holds_back_loses_nothing(gateway: StartGateway, tmp_path: Path, way: str) -> None:
    """One of four drains, comes back with four at once, and comes back whole, time and again: at once each time."""
    token = tmp_path / "admin.token"
    token.write_text(TOKEN)
    token.chmod(0o600)
    agent = Agent()
    with ExitStack() as stack:
        engines = stack.enter_context(
            running_engines("--engines", "4", "--places", "16", "--milliseconds", str(SERVICE_SECONDS * 1000))
        )
        agent.url = stack.enter_context(scripted_backend(agent.serve))
        signals = f"signals: {{agent: 'tcp://127.0.0.1:{urlsplit(agent.url).port}', every: 200ms}}"
        # One that has drained itself is heard again through its checks, which take a place of the engine as well.
        told = {"push": "", "field": "health: {path: /health, interval: 1s}", "agent": signals}[way]
        checks = 1 if way == "field" else 0
        through = gateway(
            f"""\
version: 1
listen: 127.0.0.1:0
admin: 127.0.0.1:0
admin_token_file: {token}
log: {{access: {{to: off}}}}
pools:
  all:
    backends: {engines.urls}
    limit: {{algorithm: fixed, limit: 16}}
    {told}
routes: [{{path: /*, pool: all}}]
"""
        )
        say = {"push": pushes(through, engines), "field": in_fields(engines), "agent": by_agent(agent)}[way]
        # What an agent says counts for each backend that is asked about, here all: it speaks of the first alone by being
        # asked at its host, and otherwise holds all four back.
        engines_held = 4 if way == "agent" else 1
        rate = RATE / 4 if way == "agent" else RATE
        delay = EFFECT_SECONDS + SERVICE_SECONDS * 1.2 + (PERIOD_SECONDS if way == "agent" else 0)

        def most() -> int:
            return max(int(request(engines.control, f"/most/{index}").json()) for index in range(engines_held))

        with offered(through, rate, 34.0 if way != "agent" else 40.0) as outcomes:
            time.sleep(1)
            for _ in range(12 if way != "agent" else 8):
                say("maxconn:4")
                time.sleep(delay)
                most()
                time.sleep(0.5)
                assert most() <= 4 + checks
                if way != "agent":
                    say("drain")
                    time.sleep(delay)
                    most()
                    time.sleep(0.5)
                    assert most() <= checks
                say("ready maxconn:0")
                eventually(lambda: most() > 4 or way == "agent", "it has its part again")
                time.sleep(0.3)
    assert len(outcomes) > 0.9 * rate * 34
    assert {outcome.status for outcome in outcomes} == {200}


@pytest.mark.parametrize("way", ["drained first", "at once"])
def test_a_rolling_restart(gateway: StartGateway, tmp_path: Path, way: str) -> None:
    """Eight engines are replaced one after the other, each by a process at another port."""
    options = ("--places", "8", "--milliseconds", "80")
    file = tmp_path / "backends.json"
    with ExitStack() as stack:
        running = [Engines(*options) for _ in range(8)]
        for engine in running:
            stack.callback(engine.stop)

        def tell() -> None:
            targets = [engine.urls[0].removeprefix("http://") for engine in running]
            replace(file, json.dumps([{"targets": targets}]))

        tell()
        through = gateway(
            f"""\
version: 1
listen: 127.0.0.1:0
admin: 127.0.0.1:0
log: {{access: {{to: off}}}}
pools:
  chat: {{backends: {{file: {file}}}}}
routes: [{{path: /*, pool: chat}}]
"""
        )
        aborted = 0
        with offered(through, 300, 45) as outcomes:
            time.sleep(5)
            for _ in range(8):
                old = running.pop(0)
                if way == "drained first":
                    tell()
                    gone = urlsplit(old.urls[0]).netloc
                    eventually(lambda: gone not in json.dumps(through.status()["pools"]), "it is gone")
                    eventually(lambda: old.stats()["engines"][0]["running"] == 0, "what it had has ended")
                else:
                    aborted += old.stats()["engines"][0]["running"]
                stopping = threading.Thread(target=old.stop)
                stopping.start()
                started = Engines(*options)
                stack.callback(started.stop)
                stopping.join()
                running.append(started)
                tell()
                time.sleep(1.5)
    failed = [outcome.status for outcome in outcomes if outcome.status != 200]
    assert len(outcomes) > 10_000
    if way == "drained first":
        assert failed == []
    else:
        # A request that an engine had begun is tried elsewhere once, as far as the budget goes.
        assert len(failed) <= aborted
