"""Limits that are kept over a restart: where they are written, what a gateway begins with, and files that are no use."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path

import pytest

from conftest import StartGateway
from engines import default_policy, running_engines
from load import Stream, push
from processes import Gateway, eventually, request

PLACES = 16
CAPACITY = PLACES / 0.02


def policy(urls: list[str], state: Path) -> str:
    """The defaults, and a file for limits."""
    return default_policy(urls, extra=f"state: {state}\n")


def end(through: Gateway) -> float:
    """Ends a gateway as an operator would; how long that took."""
    begin = time.monotonic()
    through.signal(signal.SIGTERM)
    assert through.wait(10) == 0
    return time.monotonic() - begin


@pytest.mark.timed
@pytest.mark.limit(60)
def test_a_restart_begins_from_what_was_found(gateway: StartGateway, tmp_path: Path) -> None:
    """The second gateway begins at a quarter of what the first one found, or at 4, and has it within moments."""
    state = tmp_path / "state.json"
    with running_engines("--places", str(PLACES), "--milliseconds", "20") as engines:
        first = gateway(policy(engines.urls, state))
        assert first.metric("penstock_limit") == 4
        push(first.url, Stream(2 * CAPACITY), 5, 1)
        end(first)
        (entry,) = json.loads(state.read_text())
        assert entry["pool"] == "chat" and entry["backend"] == engines.urls[0]
        assert PLACES * 0.7 <= entry["limit"] <= PLACES * 2, entry
        assert abs(entry["found_at"] - time.time()) < 60
        # As if it had been a larger machine's: what is begun with shows.
        entry["limit"] = 64
        state.write_text(json.dumps([entry]))
        second = gateway(policy(engines.urls, state))
        assert second.metric("penstock_limit") == 16
        assert not second.logged("limits not read")
        # It takes a long way to be found wrong, and is.
        push(second.url, Stream(2 * CAPACITY), 5, 2)
        assert second.metric("penstock_limit") <= PLACES * 2
        # Who has learnt nothing yet leaves what is known.
        end(second)
        before = json.loads(state.read_text())
        assert before[0]["limit"] <= PLACES * 2
        third = gateway(policy(engines.urls, state))
        end(third)
        assert json.loads(state.read_text()) == before


@pytest.mark.parametrize("text", ["{", '[{"pool": "chat"}]', "\0", "[" * 100_000], ids=["cut", "other", "binary", "deep"])
def test_a_file_that_is_no_use_costs_nothing(text: str, gateway: StartGateway, tmp_path: Path) -> None:
    """It is told, and the limits are found anew."""
    state = tmp_path / "state.json"
    state.write_text(text)
    with running_engines("--places", "4", "--milliseconds", "5") as engines:
        through = gateway(policy(engines.urls, state))
        told = eventually(lambda: through.logged("limits not read"), "line of the log")
        assert str(state) in told[0]["fault"]
        assert request(through.url, "/").status == 200
        assert through.metric("penstock_limit") == 4
        end(through)


@pytest.mark.limit(60)
def test_a_file_that_cannot_be_written(gateway: StartGateway, tmp_path: Path) -> None:
    """Nothing fails but the writing, which is told at the end; another path comes with a reload."""
    with running_engines("--places", str(PLACES), "--milliseconds", "20") as engines:
        through = gateway(policy(engines.urls, tmp_path / "nowhere" / "state.json"))
        push(through.url, Stream(2 * CAPACITY), 3, 1)
        end(through)
        (told,) = through.told("limits not kept")
        assert "nowhere" in told["fault"]
        through = gateway(policy(engines.urls, tmp_path / "nowhere" / "state.json"))
        push(through.url, Stream(2 * CAPACITY), 3, 1)
        through.reload(policy(engines.urls, tmp_path / "state.json"))
        eventually(lambda: through.metric("penstock_policy_reloads_total") == 1, "reload")
        end(through)
        assert json.loads((tmp_path / "state.json").read_text())
        assert not through.logged("limits not kept")


@pytest.mark.limit(60)
def test_a_path_that_blocks_holds_nobody_up(gateway: StartGateway, tmp_path: Path) -> None:
    """Nobody reads or writes the other end of a FIFO: the start takes two seconds more, and so does the end."""
    state = tmp_path / "state.json"
    os.mkfifo(state)
    with running_engines("--places", str(PLACES), "--milliseconds", "20") as engines:
        through = gateway(policy(engines.urls, state))
        eventually(lambda: through.logged("limits not read"), "line of the log")
        push(through.url, Stream(2 * CAPACITY), 3, 1)
        assert request(through.url, "/").status == 200
        assert end(through) < 5
