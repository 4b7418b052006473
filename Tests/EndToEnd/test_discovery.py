"""Backends that are looked up: sets of them that change while requests run."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from conftest import StartGateway
from fleet import STORM_LIMIT, Backend, answers, long_storm, replace, running_backends, settles, storm
from processes import eventually, request
from sockets import RawClient

pytestmark = pytest.mark.timed


@pytest.fixture
def backends() -> Iterator[list[Backend]]:
    """Four of them."""
    with running_backends("abcd") as made:
        yield made


def listing(backends: list[Backend], **labels: str) -> str:
    """They as a file of Prometheus' has them."""
    targets = [backend.address.removeprefix("http://") for backend in backends]
    return json.dumps([{"targets": targets, "labels": labels}])


def policy(file: Path, extra: str = "") -> str:
    """One pool of the backends in a file."""
    return f"""\
version: 1
listen: 127.0.0.1:0
admin: 127.0.0.1:0
pools:
  all:
    backends: {{file: {file}}}
{extra}
routes: [{{path: /*, pool: all}}]
"""


def test_follows_a_file(gateway: StartGateway, backends: list[Backend], tmp_path: Path) -> None:
    """Who leaves gets nothing new, ends what it has and loses its idle connections; nobody else notices."""
    file = tmp_path / "backends.json"
    replace(file, listing(backends[:2]))
    through = gateway(policy(file))
    assert answers(through) == {b"a", b"b"}
    first, second, third, _ = backends
    streams = [RawClient(through.url) for _ in range(4)]
    for stream in streams:
        stream.send(b"GET /stream HTTP/1.1\r\nHost: x\r\n\r\n")
        stream.read_until(b".")
    eventually(lambda: answers(through) == {b"a", b"b"}, "both have idle connections besides")
    replace(file, listing([second, third]))
    settles(through, [second, third])
    eventually(lambda: first.idle_closed, "idle connections are closed")
    before = first.requests
    # Half of the streams are the second one's, so that most others go to the third.
    assert b"c" in answers(through) <= {b"b", b"c"}
    assert first.requests == before
    for backend in backends:
        backend.ended.set()
    for stream in streams:
        stream.read_until(b"end.\r\n0\r\n\r\n")
        stream.close()
    line = eventually(lambda: through.logged("backends changed"), "the log's line")[-1]
    assert line["added"] == [third.address] and line["removed"] == [first.address]
    assert through.metric("penstock_discovery_backends", pool="all", source="file") == 2
    assert through.metric("penstock_discovery_changes_total", pool="all") == 1
    good = through.metric("penstock_discovery_good_timestamp_seconds", pool="all")
    assert abs(good - time.time()) < 60
    discovery = through.status()["pools"][0]["discovery"]
    assert discovery["source"] == "file" and discovery["backends"] == 2


@pytest.mark.parametrize(
    "text", ["", "[]", "[{", '[{"targets": []}]', '[{"targets": ["a:0"]}]', None], ids=str
)
def test_keeps_what_it_knows(
    gateway: StartGateway, backends: list[Backend], tmp_path: Path, text: str | None
) -> None:
    """A file that is empty, broken or gone changes nothing, says why, and is followed again afterwards."""
    file = tmp_path / "backends.json"
    replace(file, listing(backends[:1]))
    through = gateway(policy(file))
    if text is None:
        file.unlink()
    else:
        replace(file, text)
    eventually(lambda: through.metric("penstock_discovery_errors_total", pool="all") >= 1, "it is counted")
    assert answers(through) == {b"a"}
    eventually(
        lambda: any(
            "backends not learnt, those that are known stay" in line and str(file) in line for line in through.errors
        ),
        "the log says why",
    )
    # A reload finds nothing either, and takes nothing away.
    through.reload(policy(file, "    limit: 7"))
    eventually(lambda: through.logged("policy reloaded"), "the reload")
    assert answers(through) == {b"a"}
    replace(file, listing(backends[1:2]))
    settles(through, backends[1:2])
    assert answers(through) == {b"b"}


def test_waits_for_the_first(gateway: StartGateway, backends: list[Backend], tmp_path: Path) -> None:
    """A gateway starts without the file, or its folder, and requests wait where they wait for models."""
    file = tmp_path / "later" / "backends.yaml"
    through = gateway(policy(file))
    assert request(through.url).status == 503
    through.reload(policy(file, "    queue: {cold_wait: 20s}"))
    eventually(lambda: through.logged("policy reloaded"), "the reload")
    waiting = RawClient(through.url)
    waiting.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    eventually(lambda: through.metric("penstock_queue_requests", pool="all") == 1, "it waits")
    file.parent.mkdir()
    file.write_text(f"- targets: ['{backends[0].address}']\n")
    # Nobody can be told of a folder that is not there: it is looked for every five seconds.
    waiting.read_until(b"\r\n\r\na")
    waiting.close()


def test_is_no_way_round(gateway: StartGateway, backends: list[Backend], tmp_path: Path) -> None:
    """A file that sends requests to the gateway itself is a fault like any other."""
    file = tmp_path / "backends.json"
    replace(file, listing(backends[:1]))
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    through = gateway(policy(file).replace("listen: 127.0.0.1:0", f"listen: 127.0.0.1:{port}"))
    replace(file, f"- targets: ['localhost:{port}']")
    eventually(lambda: through.metric("penstock_discovery_errors_total", pool="all") >= 1, "it is counted")
    eventually(lambda: "is where this gateway listens itself" in "".join(through.errors), "the log says why")
    assert answers(through) == {b"a"}


def test_follows_a_volume(gateway: StartGateway, backends: list[Backend], tmp_path: Path) -> None:
    """Kubernetes changes a ConfigMap's files by renaming the link through which all of them lead."""

    def swap(version: str, text: str) -> None:
        folder = tmp_path / version
        folder.mkdir()
        (folder / "backends.json").write_text(text)
        draft = tmp_path / "..data_tmp"
        draft.symlink_to(version)
        draft.rename(tmp_path / "..data")

    swap("..1", listing(backends[:1]))
    file = tmp_path / "backends.json"
    file.symlink_to("..data/backends.json")
    through = gateway(policy(file))
    settles(through, backends[:1])
    swap("..2", listing(backends[1:3]))
    settles(through, backends[1:3])


def test_another_instance_is_another_backend(
    gateway: StartGateway, backends: list[Backend], tmp_path: Path
) -> None:
    """What was learnt of the one before is not the new one's, and what returns has it again."""
    file = tmp_path / "backends.json"
    only = backends[:1]
    replace(file, listing(only, instance="one"))
    through = gateway(policy(file, "    limit: {algorithm: aimd, initial: 9, max: 9, timeout: 1ms}"))
    # Whatever takes longer than a millisecond lowers the limit.
    stream = RawClient(through.url)
    stream.send(b"GET /stream HTTP/1.1\r\nHost: x\r\n\r\n")
    stream.read_until(b".")
    only[0].ended.set()
    stream.read_until(b"end.")
    stream.close()

    def limit() -> int:
        return int(through.status()["pools"][0]["backends"][0]["limit"])

    eventually(lambda: limit() < 9, "the limit falls")
    learnt = limit()
    replace(file, listing(only, instance="two"))
    eventually(lambda: limit() == 9, "another one begins anew")
    replace(file, listing(only, instance="one"))
    eventually(lambda: limit() == learnt, "the first one is back")


def rewrites(file: Path, backends: list[Backend]) -> Callable[[int], None]:
    """Other backends in the file each time; now and then it is broken."""
    # One stays, so that there is always somebody.
    sets = [backends[:2], backends[1:], [backends[1]], backends]

    def change(step: int) -> None:
        broken = step % 10 == 0
        replace(file, "[{" if broken else listing(sets[step % 4], instance=str(step // 50)))

    return change


def test_loses_nothing_in_a_storm(gateway: StartGateway, backends: list[Backend], tmp_path: Path) -> None:
    """A hundred changes a second."""
    file = tmp_path / "backends.json"
    replace(file, listing(backends))
    through = gateway(policy(file, STORM_LIMIT))
    asked, failed = storm(through, backends, rewrites(file, backends), 2, 60)
    assert failed == 0 and asked > 100
    replace(file, listing(backends))
    settles(through, backends)
    # They are gathered: far fewer changes than renames.
    assert 2 < through.metric("penstock_discovery_changes_total", pool="all") < 40
    through.wait_until_idle()


@pytest.mark.long
@pytest.mark.limit(400)
def test_loses_nothing_in_a_long_storm(
    gateway: StartGateway, backends: list[Backend], tmp_path: Path
) -> None:
    """For minutes, with 500 streams; memory stays flat and no descriptor is left."""
    file = tmp_path / "backends.json"
    replace(file, listing(backends))
    through = gateway(policy(file, STORM_LIMIT))
    long_storm(through, backends, rewrites(file, backends))
