"""Routes that share their requests among pools: shares, what sticks together, and what a full pool means."""

from __future__ import annotations

import json
import socket
import subprocess
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from conftest import StartGateway
from processes import Answer, Gateway, eventually, request
from sockets import RawClient, read_head, scripted_backend
from test_push import serve

pytestmark = pytest.mark.timed

COUNT = 1000


@pytest.fixture
def backends() -> Iterator[list[str]]:
    """Two that answer with their names."""
    with ExitStack() as stack:
        yield [stack.enter_context(scripted_backend(serve(name))) for name in (b"a", b"b")]


def policy(backends: list[str], route: str, stable: str = "", canary: str = "") -> str:
    """A pool for each, and a route to both."""
    return f"""\
version: 1
listen: 127.0.0.1:0
admin: 127.0.0.1:0
log: {{access: stdout}}
tenant: {{header: X-Who, named: [{{name: acme}}]}}
pools:
  stable:
    backends: [{backends[0]}]
    {stable}
  canary:
    backends: [{backends[1]}]
    {canary}
routes:
  - path: /*
    {route}
"""


def split(stable: float, canary: float, more: str = "") -> str:
    """A route's keys."""
    shares = f"[{{pool: stable, share: {stable}}}, {{pool: canary, share: {canary}}}]"
    return f"split: {shares}\n    {more}"


def ask(through: Gateway, **fields: str) -> Answer:
    """One request, with these fields."""
    return request(through.url, headers={name.replace("_", "-"): text for name, text in fields.items()})


def is_share(count: int, share: float, of: int = COUNT) -> bool:
    """Whether so many are what that share comes to, within five standard deviations."""
    return abs(count - of * share) <= 5 * (of * share * (1 - share)) ** 0.5


def test_shares_of_requests(gateway: StartGateway, backends: list[str], penstock: Path) -> None:
    """By their ids, which are said so that every run is the same; the negative control is another share."""
    through = gateway(policy(backends, split(90, 10)))
    found = Counter(ask(through, X_Request_ID=f"run-{number}").body for number in range(COUNT))
    assert is_share(found[b"b"], 0.1)
    assert not is_share(found[b"b"], 0.3)
    assert found[b"a"] + found[b"b"] == COUNT
    assert through.metric("penstock_splits_total", pool="canary") == found[b"b"]
    assert through.metric("penstock_splits_total", pool="stable") == found[b"a"]
    assert through.metric("penstock_spills_total", pool="canary") == 0
    assert through.status()["splits"] == [
        {
            "path": "/*",
            "sticky": "none",
            "spill": False,
            "pools": [{"pool": "stable", "share": 0.9}, {"pool": "canary", "share": 0.1}],
        }
    ]
    # Those without an id get one, and are shared as well.
    more = Counter(ask(through).body for _ in range(200))
    assert is_share(more[b"b"], 0.1, 200)
    words = [str(penstock), "check", "--explain", "GET / x-request-id:run-1", str(through.policy_file)]
    told = subprocess.run(words, capture_output=True, text=True, timeout=20, check=True).stdout
    assert "stable 90.0 %, canary 10.0 %; sticky: none; what is refused stays refused" in told
    pool = {b"a": "stable", b"b": "canary"}[ask(through, X_Request_ID="run-1").body]
    assert [line.split()[1] for line in told.splitlines() if line.startswith("pool")] == [pool]
    lines = [json.loads(line) for line in through.output if '"pool"' in line]
    assert {line["pool"] for line in lines} == {"stable", "canary"}


def test_tenants_stay_together(gateway: StartGateway, backends: list[str]) -> None:
    """At every gateway, named or not; a larger share moves nobody out; and by another header it is the header."""
    gateways = [gateway(policy(backends, split(80, 20, "sticky: tenant"))) for _ in range(2)]
    tenants = ["acme", *(f"tenant-{number}" for number in range(150))]
    homes = {}
    for tenant in tenants:
        found = {ask(through, X_Who=tenant).body for through in gateways for _ in range(2)}
        assert len(found) == 1, tenant
        homes[tenant] = found.pop()
    assert is_share(Counter(homes.values())[b"b"], 0.2, len(homes))
    through = gateways[0]
    through.reload(policy(backends, split(50, 50, "sticky: tenant")))
    eventually(lambda: through.status()["splits"][0]["pools"][1]["share"] == 0.5, "the reload")
    later = {tenant: ask(through, X_Who=tenant).body for tenant in tenants}
    assert all(later[tenant] == b"b" for tenant in tenants if homes[tenant] == b"b")
    assert is_share(Counter(later.values())[b"b"], 0.5, len(later))
    # The negative control: without a tenant they go by chance.
    assert {ask(through).body for _ in range(40)} == {b"a", b"b"}
    through.reload(policy(backends, split(50, 50, "sticky: {header: X-User}")))
    eventually(lambda: through.status()["splits"][0]["sticky"] == "header x-user", "the reload")
    users = [{ask(through, X_User=f"user-{user}", X_Who="acme").body for _ in range(4)} for user in range(40)]
    assert {len(found) for found in users} == {1}
    assert set.union(*users) == {b"a", b"b"}


def stuck(until: threading.Event) -> Callable[[socket.socket], None]:
    """A backend that answers late."""

    def answer(connection: socket.socket) -> None:
        while read_head(connection):
            until.wait(30)
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nc")

    return answer


@pytest.mark.parametrize("spills", [False, True])
def test_a_full_pool(gateway: StartGateway, backends: list[str], spills: bool) -> None:
    """What it refuses stays refused, unless the route says that it spills over; it is logged and counted."""
    ended = threading.Event()
    full = "limit: {algorithm: fixed, limit: 1}\n    queue: {max_requests: 0}"
    with scripted_backend(stuck(ended)) as slow:
        route = split(0.01, 1000000, "spill: true" if spills else "spill: false")
        through = gateway(policy([backends[0], slow], route, canary=full))
        with RawClient(through.url) as first:
            first.send(b"GET /first HTTP/1.1\r\nHost: x\r\n\r\n")
            eventually(lambda: through.metric("penstock_inflight", pool="canary") == 1, "it is full")
            answers = [request(through.url) for _ in range(20)]
            if spills:
                assert {answer.body for answer in answers} == {b"a"}
            else:
                assert {answer.status for answer in answers} == {503}
                assert {answer.headers["x-penstock-reason"] for answer in answers} == {"queue_full"}
            assert through.metric("penstock_spills_total", pool="canary") == (20 if spills else 0)
            ended.set()
            first.read_until(b"c")

        def logged() -> list[dict[str, object]]:
            lines = [json.loads(line) for line in through.output if '"pool"' in line]
            return lines if len(lines) == 1 + len(answers) else []

        lines = eventually(logged, "a line for each request")
        assert [line.get("spilled", False) for line in lines if line["pool"] == "stable"] == [True] * (
            20 if spills else 0
        )


def test_spills_before_it_falls_back(gateway: StartGateway) -> None:
    """A full pool, the other one as long as it has room, and only then the fallback."""
    ended = threading.Event()
    full = "limit: {algorithm: fixed, limit: 1}\n    queue: {max_requests: 0}"
    with ExitStack() as stack:
        slow = [stack.enter_context(scripted_backend(stuck(ended))) for _ in range(2)]
        last = stack.enter_context(scripted_backend(serve(b"f")))
        route = split(1000000, 0.01, "spill: true\n    fallback: {pool: last}")
        text = policy(slow, route, stable=full, canary=full)
        through = gateway(text.replace("routes:", f"  last:\n    backends: [{last}]\nroutes:"))
        clients = [stack.enter_context(RawClient(through.url)) for _ in range(2)]
        for client, pool in zip(clients, ("stable", "canary"), strict=True):
            client.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            eventually(lambda pool=pool: through.metric("penstock_inflight", pool=pool) == 1, pool)
        answer = request(through.url)
        assert (answer.body, answer.headers["x-penstock-fallback"]) == (b"f", "last")
        assert through.metric("penstock_spills_total", pool="stable") == 2
        assert through.metric("penstock_fallbacks_total", pool="canary") == 1
        ended.set()
        for client in clients:
            client.read_until(b"c")
