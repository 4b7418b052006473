"""Requests go to the backend that knows the beginning of their prompt already."""

from __future__ import annotations

import json
import re
import socket
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any

import pytest

from conftest import StartGateway
from processes import Gateway, eventually, request
from sockets import read_head, scripted_backend

pytestmark = pytest.mark.timed

NAMES = "abcd"


class Engine:
    """Answers with its name, and reports what it had in its cache: the messages that it was sent before."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.seconds = 0.0
        self.seconds_a_token = 0.0
        self.writing_seconds = 0.0
        self.reports = True
        self.known: set[str] = set()
        self.lock = threading.Lock()
        self.address = ""

    def serve(self, connection: socket.socket) -> None:
        """All requests of a connection."""
        while data := read_head(connection):
            head, _, body = data.partition(b"\r\n\r\n")
            length = int(re.search(rb"(?i)content-length: *(\d+)", head)[1])  # type: ignore[index]
            while len(body) < length:
                body += connection.recv(65_536)
            time.sleep(self.seconds)
            answer = json.dumps(self.answer(json.loads(body))).encode()
            head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(answer)
            if self.writing_seconds:
                # The first byte comes when the prompt has been read, as in streams.
                connection.sendall(head + answer[:1])
                time.sleep(self.writing_seconds)
                connection.sendall(answer[1:])
            else:
                connection.sendall(head + answer)

    def answer(self, request: dict[str, Any]) -> dict[str, Any]:
        """What vLLM says with --enable-prompt-tokens-details, four characters a token."""
        texts = [message["content"] for message in request["messages"]]
        cached = total = 0
        with self.lock:
            for end in range(1, len(texts) + 1):
                beginning = "\0".join(texts[:end])
                total = len(beginning) // 4
                if beginning in self.known:
                    cached = total
                self.known.add(beginning)
        time.sleep(self.seconds_a_token * (total - cached))
        usage: dict[str, Any] = {"prompt_tokens": total, "completion_tokens": 1, "total_tokens": total + 1}
        if self.reports:
            usage["prompt_tokens_details"] = {"cached_tokens": cached}
        return {
            "object": "chat.completion",
            "model": self.name,
            "choices": [{"index": 0, "message": {"role": "assistant", "content": "Yes."}}],
            "usage": usage,
        }


@pytest.fixture
def engines() -> Iterator[list[Engine]]:
    """Four of them."""
    found = [Engine(name) for name in NAMES]
    with ExitStack() as stack:
        for one in found:
            one.address = stack.enter_context(scripted_backend(one.serve))
        yield found


def policy(engines: list[Engine], affinity: str, more: str = "limit: 8") -> str:
    """A pool of these."""
    backends = ", ".join(one.address for one in engines)
    return f"""\
listen: 127.0.0.1:0
admin: 127.0.0.1:0
pools:
  chat:
    backends: [{backends}]
    affinity: {affinity}
    {more}
routes: [{{path: /*, pool: chat}}]
"""


def ask(through: Gateway, messages: list[dict[str, str]], **fields: str) -> dict[str, Any]:
    """The answer to one request."""
    headers = {name.replace("_", "-"): text for name, text in fields.items()}
    body = json.dumps({"model": "m", "messages": messages}).encode()
    answer = request(through.url, "/v1/chat/completions", "POST", body, headers | {"Content-Type": "application/json"})
    assert answer.status == 200, answer
    return dict(json.loads(answer.body))


def converse(through: Gateway, name: str, turns: int) -> list[tuple[str, int]]:
    """Who answers at each turn of a conversation, and how many tokens were in its cache."""
    messages = [{"role": "system", "content": f"You are {name}. " + "Be kind and brief. " * 20}]
    found = []
    for turn in range(turns):
        messages.append({"role": "user", "content": f"{name} asks a question number {turn}. " + "Why? " * 30})
        answer = ask(through, messages)
        cached = answer["usage"].get("prompt_tokens_details", {}).get("cached_tokens", 0)
        found.append((str(answer["model"]), int(cached)))
        messages.append({"role": "assistant", "content": "Yes."})
    return found


def test_conversations_stay(gateway: StartGateway, engines: list[Engine]) -> None:
    """Each at its backend, all backends have some, and what is predicted is what is there."""
    for one in engines:
        one.seconds_a_token = 0.001
        one.writing_seconds = 0.05
    through = gateway(policy(engines, "{by: prefix}"))
    with ThreadPoolExecutor(6) as pool:
        found = list(pool.map(lambda number: converse(through, f"number {number}", 6), range(24)))
    moved = sum(1 for turns in found for one, two in zip(turns, turns[1:]) if one[0] != two[0])
    assert moved <= 0.05 * 24 * 5, found
    assert all(cached > 0 for turns in found for _, cached in turns[1:] if moved == 0)
    assert len({turns[0][0] for turns in found}) == len(NAMES)

    # The negative control: without affinity they wander.
    other = gateway(policy(engines, "{by: off}"))
    with ThreadPoolExecutor(6) as pool:
        found = list(pool.map(lambda number: converse(other, f"other {number}", 6), range(24)))
    assert sum(1 for turns in found for one, two in zip(turns, turns[1:]) if one[0] != two[0]) > 12


def test_a_header_says_it(gateway: StartGateway, engines: list[Engine]) -> None:
    """Requests with the same value go together, also at another gateway; those without it go anywhere."""
    rule = "{by: header, header: X-Session-Id}"
    gateways = [gateway(policy(engines, rule)) for _ in range(2)]
    question = [{"role": "user", "content": "Hello"}]
    homes: Counter[str] = Counter()
    for session in range(40):
        found = {
            ask(through, question, X_Session_Id=f"session {session}")["model"] for through in gateways for _ in range(3)
        }
        assert len(found) == 1, session
        homes[found.pop()] += 1
    assert set(homes) == set(NAMES) and max(homes.values()) < 25
    # Without the field the same prompt has no home: under load it is everywhere.
    for one in engines:
        one.seconds = 0.05
    with ThreadPoolExecutor(16) as pool:
        found = set(pool.map(lambda _: str(ask(gateways[0], question)["model"]), range(64)))
    assert found == set(NAMES)


def test_tenants_are_kept_apart(gateway: StartGateway, engines: list[Engine]) -> None:
    """With `scope: tenant` one tenant's prompts say nothing of another's, although they are the same."""
    text = "The same long instructions for everybody. " * 40
    homes: dict[str, set[str]] = {}
    for scope in ("pool", "tenant"):
        through = gateway(
            policy(engines, f"{{by: prefix, scope: {scope}}}", "limit: 8\n    tenant: {header: X-Who}")
        )
        homes[scope] = {
            str(ask(through, [{"role": "system", "content": text}], X_Who=f"tenant-{number}")["model"])
            for number in range(16)
        }
    assert len(homes["pool"]) == 1 and len(homes["tenant"]) > 1


def test_a_hot_prompt_spreads(gateway: StartGateway, engines: list[Engine]) -> None:
    """A prompt that all requests begin with does not wait at one backend while others are idle."""
    for one in engines:
        one.seconds = 0.05
    through = gateway(policy(engines, "{by: prefix}", "limit: 2\n    queue: {max_wait: 5s}"))
    text = [{"role": "system", "content": "Hot. " * 400}, {"role": "user", "content": "?"}]
    with ThreadPoolExecutor(16) as pool:
        found = Counter(pool.map(lambda _: str(ask(through, text)["model"]), range(160)))
    assert set(found) == set(NAMES) and min(found.values()) > 20, found


def test_a_backend_that_starts_again_is_a_new_one(gateway: StartGateway, engines: list[Engine]) -> None:
    """What it reports three times in a row ends what was remembered of it."""
    through = gateway(policy(engines, "{by: prefix}"))
    text = "Once upon a time. " * 200
    homes = {}
    for number in range(12):
        messages = [{"role": "system", "content": f"{number}. {text}"}]
        homes[number] = {str(ask(through, messages)["model"]) for _ in range(3)}
    assert all(len(found) == 1 for found in homes.values())
    for one in engines:
        one.known.clear()
    for number in range(12):
        messages = [{"role": "system", "content": f"{number}. {text}"}]
        for _ in range(4):
            assert ask(through, messages)["model"] in NAMES
    # Ties are broken by name, so that all find their homes again.
    again = {}
    for number in range(12):
        again[number] = {str(ask(through, [{"role": "system", "content": f"{number}. {text}"}])["model"])}
    assert again == homes


def test_what_cannot_be_read_is_served(gateway: StartGateway, engines: list[Engine]) -> None:
    """Affinity never refuses anything."""
    through = gateway(policy(engines, "{by: prefix, entries: 64}"))
    for content in ("", "x" * 300_000, "\\u0041" * 100):
        assert ask(through, [{"role": "user", "content": content}])["model"] in NAMES
    for number in range(300):
        assert ask(through, [{"role": "user", "content": f"{number} " * 10}])["model"] in NAMES
    eventually(lambda: through.status()["pools"][0]["in_flight"] == 0, "all have been served")


def told(through: Gateway, name: str, label: str) -> dict[str, float]:
    """A metric's samples by one of its labels."""
    return {one.labels[label]: one.value for one in through.metrics() if one.name == name}


def test_what_is_told_of_it(gateway: StartGateway, engines: list[Engine]) -> None:
    """Metrics and the status page have what was expected of caches and what they reported."""
    through = gateway(policy(engines, "{by: prefix, capacity: 50000}"))
    converse(through, "first", 6)
    through.wait_until_idle()
    tokens = told(through, "penstock_prefix_tokens_total", "kind")
    assert tokens["prompt"] == tokens["answered"] > tokens["predicted"] > 0.5 * tokens["prompt"]
    assert tokens["reported"] == pytest.approx(tokens["predicted"], abs=0.1 * tokens["prompt"])
    starts = told(through, "penstock_affinity_starts_total", "choice")
    assert starts == {"home": 5, "other": 0, "new": 1, "forced": 0}
    caches = told(through, "penstock_affinity_cache_tokens", "backend")
    assert caches == {one.address: 50_000 for one in engines}
    assert through.metric("penstock_affinity_passes_count", pool="chat") == 0
    entries = through.metric("penstock_affinity_index_entries", pool="chat")
    assert 6 <= entries < through.metric("penstock_affinity_index_capacity", pool="chat") == 65_536

    (shown,) = through.status()["pools"]
    assert shown["affinity"] == {
        "tokens": tokens, "starts": starts, "passes": {"requests": 0, "sum": 0, "most": 0},
        "index": {"entries": entries, "capacity": 65_536},
    }
    assert {one["cache_tokens"] for one in shown["backends"]} == {50_000}

    # Engines that say nothing of their caches are no reason to doubt them.
    for one in engines:
        one.reports = False
    converse(through, "second", 4)
    through.wait_until_idle()
    more = told(through, "penstock_prefix_tokens_total", "kind")
    assert more["predicted"] > tokens["predicted"] and more["reported"] == tokens["reported"]
    assert more["answered"] == tokens["answered"] < more["prompt"]


def test_waiting_is_told(gateway: StartGateway, engines: list[Engine]) -> None:
    """Each request that waited counts once, with those that were started before it."""
    for one in engines:
        one.seconds_a_token = 0.0002
    through = gateway(policy(engines, "{by: prefix}", "limit: 4\n    queue: {max_wait: 10s}"))
    with ThreadPoolExecutor(40) as pool:
        list(pool.map(lambda number: converse(through, f"number {number}", 4), range(40)))
    through.wait_until_idle()
    (shown,) = through.status()["pools"]
    passes = shown["affinity"]["passes"]
    assert sum(shown["affinity"]["starts"].values()) == 160
    assert 0 < passes["requests"] < 160 and 0 < passes["most"] <= passes["sum"]
    assert through.metric("penstock_affinity_passes_count") == passes["requests"]
    assert through.metric("penstock_affinity_passes_sum") == passes["sum"]
    assert through.metric("penstock_affinity_passes_bucket", le="+Inf") == passes["requests"]
    assert through.metric("penstock_affinity_passes_bucket", le="0.0") < passes["requests"]


def test_nothing_is_told_without_it(gateway: StartGateway, engines: list[Engine]) -> None:
    """Pages are as they were; a reload shows what affinity has to show, and takes it away again."""
    through = gateway(policy(engines, "{by: off}"))

    def names() -> set[str]:
        return {one.name for one in through.metrics() if "affinity" in one.name or "prefix" in one.name}

    converse(through, "first", 2)
    assert not names()
    (shown,) = through.status()["pools"]
    assert "affinity" not in shown and "cache_tokens" not in shown["backends"][0]
    through.reload(policy(engines, "{by: prefix}"))
    eventually(lambda: len(names()) == 8, "the metrics of affinity")
    converse(through, "second", 2)
    assert told(through, "penstock_affinity_starts_total", "choice")["new"] == 1
    through.reload(policy(engines, "{by: off}"))
    eventually(lambda: not names(), "no metrics of affinity any more")
