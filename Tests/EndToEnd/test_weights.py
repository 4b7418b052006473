"""Weights of backends: shares of requests, and what a weight of 0 is."""

from __future__ import annotations

import json
import subprocess
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from conftest import StartGateway
from fleet import replace
from processes import Gateway, eventually, request
from sockets import scripted_backend
from test_push import serve

pytestmark = pytest.mark.timed

COUNT = 400


@pytest.fixture
def backends() -> Iterator[list[str]]:
    """Two that answer with their names."""
    with ExitStack() as stack:
        yield [stack.enter_context(scripted_backend(serve(name))) for name in (b"a", b"b")]


def policy(listing: str) -> str:
    """One pool."""
    return f"""\
version: 1
listen: 127.0.0.1:0
admin: 127.0.0.1:0
pools:
  all:
    backends: {listing}
    limit: {{algorithm: fixed, limit: 8}}
routes: [{{path: /*, pool: all}}]
"""


def weighed(backends: list[str], *weights: int) -> str:
    """They as a policy has them."""
    pairs = zip(backends, weights, strict=True)
    return json.dumps([{"url": url, "weight": weight} for url, weight in pairs])


def answers(through: Gateway, count: int = COUNT) -> Counter[bytes]:
    """Who answers, one request after the other."""
    return Counter(request(through.url).body for _ in range(count))


def is_share(count: int, share: float) -> bool:
    """Whether so many of COUNT are what that share comes to, within five standard deviations."""
    return abs(count - COUNT * share) <= 5 * (COUNT * share * (1 - share)) ** 0.5


def test_shares_follow_the_weights(
    gateway: StartGateway, backends: list[str], penstock: Path
) -> None:
    """Before a reload and after it; the negative control is equal weights."""
    through = gateway(policy(json.dumps(backends)))
    assert is_share(answers(through)[b"a"], 1 / 2)
    through.reload(policy(weighed(backends, 4, 1)))
    eventually(
        lambda: through.metric("penstock_backend_weight", backend=backends[0]) == 4, "the reload"
    )
    heavy = answers(through)[b"a"]
    assert is_share(heavy, 4 / 5)
    assert not is_share(heavy, 1 / 2)
    assert [one["weight"] for one in through.status()["pools"][0]["backends"]] == [4, 1]
    words = [str(penstock), "check", "--explain", "GET /", str(through.policy_file)]
    told = subprocess.run(words, capture_output=True, text=True, timeout=20, check=True).stdout
    assert f"{backends[0]} (weight 4), {backends[1]}\n" in told


def test_zero_gets_nothing_new_and_says_why(gateway: StartGateway, backends: list[str], penstock: Path) -> None:
    """In the status, the metrics, the log and an explanation; and a reload brings it back."""
    through = gateway(policy(weighed(backends, 0, 1)))
    assert answers(through, 30) == {b"b": 30}
    first, second = through.status()["pools"][0]["backends"]
    assert (first["usable"], second["usable"]) == (False, True)
    assert [(one["source"], one["state"]) for one in first["signals"]] == [("weight", "drain")]
    assert second["signals"] == []
    assert through.metric("penstock_backend_signal", backend=backends[0], state="drain", source="weight") == 1
    assert through.metric("penstock_backend_signal", backend=backends[1], state="drain", source="weight") == 0
    words = [str(penstock), "check", "--explain", "GET /", str(through.policy_file)]
    told = subprocess.run(words, capture_output=True, text=True, timeout=20, check=True).stdout
    assert f"{backends[0]} (weight 0, gets nothing new), {backends[1]}\n" in told
    through.reload(policy(weighed(backends, 1, 0)))
    eventually(lambda: answers(through, 10) == {b"a": 10}, "the other one")
    line = eventually(lambda: through.logged("backend signal"), "the log says it")[-1]
    assert line["source"] == "weight"
    through.reload(policy(weighed(backends, 0, 0)))
    eventually(lambda: request(through.url).status == 503, "nobody is left")
    assert request(through.url).headers["x-penstock-reason"] == "no_backend"


def test_files_say_weights(gateway: StartGateway, backends: list[str], tmp_path: Path) -> None:
    """And a change of them changes nothing else."""
    file = tmp_path / "backends.json"
    targets = [url.removeprefix("http://") for url in backends]

    def put(*weights: int) -> None:
        groups = [
            {"targets": [target], "labels": {"__weight__": str(weight)}}
            for target, weight in zip(targets, weights, strict=True)
        ]
        replace(file, json.dumps(groups))

    put(1, 0)
    through = gateway(policy(f"{{file: {file}}}"))
    assert answers(through, 20) == {b"a": 20}
    put(1, 3)
    eventually(lambda: through.metric("penstock_backend_weight", backend=backends[1]) == 3, "the file is read")
    assert is_share(answers(through)[b"b"], 3 / 4)
    line = through.told("backends changed")[-1]
    assert (line["added"], line["removed"], line["weighed"]) == ([], [], [backends[1]])
