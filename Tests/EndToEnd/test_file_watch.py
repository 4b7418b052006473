"""Policies that are read again when their files change, and the time in which a gateway says that it leaves."""

from __future__ import annotations

import signal
import time
from pathlib import Path

from processes import Gateway, Process, eventually, listening_line, one_pool, request
from sockets import RawClient, closed_address


def policy(limit: int, extra: str = "") -> str:
    """A policy that watches its files."""
    return one_pool(closed_address(), limit=limit).replace("admin:", f"reload: {{watch: true}}\n{extra}admin:", 1)


def limit_of(through: Gateway) -> int:
    """The limit in force."""
    return int(through.status()["pools"][0]["limit"])


def at(penstock: Path, path: Path) -> Gateway:
    """A gateway whose policy lies there and is left alone."""

    class Placed(Gateway):
        def __init__(self) -> None:
            self.policy_file = path
            Process.__init__(self, [str(penstock), "serve", "--policy", str(path)])
            self._addresses = self.wait_for_line(listening_line, "line `listening`")

    return Placed()


def reloads(through: Gateway) -> int:
    """How often a policy was put in force."""
    return len(through.logged("policy reloaded"))


def test_each_way_to_change_a_file(penstock: Path, tmp_path: Path) -> None:
    """A link that is swapped, a rename, a write in place, a folder that is replaced: once each, within about a second."""
    volume = tmp_path / "volume"

    def swap(version: str, text: str) -> None:
        (volume / version).mkdir()
        (volume / version / "policy.yaml").write_text(text)
        (volume / "..data_tmp").symlink_to(version)
        (volume / "..data_tmp").rename(volume / "..data")

    volume.mkdir()
    swap("..1", policy(1))
    (volume / "policy.yaml").symlink_to("..data/policy.yaml")
    through = at(penstock, volume / "policy.yaml")
    try:
        time.sleep(0.7)
        expected = 0

        def changed(limit: int, seconds: float = 1.5) -> None:
            nonlocal expected
            expected += 1
            eventually(lambda: limit_of(through) == limit, f"the limit of {limit}", seconds)
            time.sleep(0.8)
            assert reloads(through) == expected

        swap("..2", policy(2))
        changed(2)
        file = volume / "policy.yaml"
        (volume / "next").write_text(policy(3))
        (volume / "next").rename(file)
        changed(3)
        file.write_text(policy(4))
        changed(4)
        # The same once more is no change.
        file.write_text(file.read_text())
        (volume / "other").write_text("x")
        time.sleep(1.2)
        assert reloads(through) == expected
        volume.rename(tmp_path / "former")
        volume.mkdir()
        file.write_text(policy(5))
        changed(5, 8)
        # And it is watched again.
        file.write_text(policy(6))
        changed(6)
        # What is no good is told once.
        file.write_text("version: 1\n")
        eventually(lambda: any("policy invalid" in line for line in through.errors), "the fault")
        count = len(through.errors)
        time.sleep(1.2)
        assert len(through.errors) == count and limit_of(through) == 6
    finally:
        through.stop()


def test_files_that_it_names(penstock: Path, tmp_path: Path) -> None:
    """Keys that are added are good a moment later."""
    keys = tmp_path / "penstock.keys"
    keys.write_text("acme sha256:" + "0" * 64 + "\n")
    path = tmp_path / "policy.yaml"
    path.write_text(policy(1, "tenant: {keys: penstock.keys}\n"))
    through = at(penstock, path)
    try:
        assert request(through.url).status == 401
        digest = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
        keys.write_text(keys.read_text() + f"zeta sha256:{digest}\n")

        def is_known() -> bool:
            return request(through.url, headers={"x-api-key": "test"}).status != 401

        eventually(is_known, "the key", 3)
        eventually(lambda: reloads(through) == 1, "the log's line")
    finally:
        through.stop()


def test_nothing_is_watched_by_default(penstock: Path, tmp_path: Path) -> None:
    """Without the key a changed file waits for SIGHUP."""
    path = tmp_path / "policy.yaml"
    path.write_text(policy(1).replace("reload: {watch: true}\n", ""))
    through = at(penstock, path)
    try:
        path.write_text(policy(2))
        time.sleep(1.2)
        assert limit_of(through) == 1
    finally:
        through.stop()


def test_leaves_before_it_drains(penstock: Path, tmp_path: Path) -> None:
    """With a delay, SIGTERM has balancers told first; connections are accepted on, and then no more."""
    path = tmp_path / "policy.yaml"
    path.write_text(policy(1, "server: {drain_delay: 1s, health_paths: [/health]}\n"))
    through = at(penstock, path)
    try:
        assert request(through.admin_url, "/readyz").status == 200 == request(through.url, "/health").status
        began = time.monotonic()
        through.signal(signal.SIGTERM)
        eventually(lambda: request(through.admin_url, "/readyz").status == 503, "it is not ready", 1)
        assert request(through.url, "/health").status == 503
        assert through.status()["state"] == "draining"
        with RawClient(through.url) as client:
            client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            assert b" 502 " in client.read_until(b"\r\n")
        through.wait(10)
        assert 0.9 < time.monotonic() - began < 6
    finally:
        through.stop()


def test_a_second_signal_ends_the_delay(penstock: Path, tmp_path: Path) -> None:
    """Who cannot wait says so again."""
    path = tmp_path / "policy.yaml"
    path.write_text(policy(1, "server: {drain_delay: 60s}\n"))
    through = at(penstock, path)
    through.signal(signal.SIGTERM)
    eventually(lambda: through.logged("leaving, draining later"), "it leaves")
    through.signal(signal.SIGTERM)
    through.wait(10)
