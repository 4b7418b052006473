"""Policies of several files and with values from the environment: what is served, watched, told and handed on."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from conftest import StartGateway
from processes import Gateway, eventually, request
from sockets import read_head, scripted_backend


@pytest.fixture
def backends() -> Iterator[dict[str, str]]:
    """Two backends that say who they are."""

    def answering(name: str, connection: socket.socket) -> None:
        while read_head(connection):
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n" + name.encode())

    with ExitStack() as stack:
        yield {
            name: stack.enter_context(scripted_backend(lambda one, name=name: answering(name, one)))  # type: ignore[misc]
            for name in ("a", "b")
        }


def main(backend: str, more: str = "") -> str:
    """A policy that includes `pools.d` and serves `/own` itself."""
    return f"""\
listen: 127.0.0.1:0
admin: 127.0.0.1:0
reload: {{watch: true}}
log: {{access: {{to: off}}}}
include: [pools.d/*.yaml]
pools: {{own: {{backends: ["{backend}"], limit: 64}}}}
routes: [{{path: /own, pool: own}}]
{more}"""


def part(name: str, backend: str) -> str:
    """A pool and its route."""
    return f'pools:\n  {name}: {{backends: ["{backend}"], limit: 64}}\nroutes:\n- {{path: /{name}, pool: {name}}}\n'


def put(path: Path, text: str) -> None:
    """Replaces a file as editors and deployments do."""
    path.parent.mkdir(exist_ok=True)
    draft = path.with_name("." + path.name + ".new")
    draft.write_text(text)
    draft.rename(path)


def status_of(through: Gateway, path: str) -> tuple[int, bytes]:
    """The status and the body of an answer."""
    reply = request(through.url, path)
    return reply.status, reply.body


def digest(through: Gateway) -> str:
    """SHA-256 over all files, as `cat` and `sha256sum` say it."""
    folder = through.policy_file.parent
    files = [through.policy_file, *sorted((folder / "pools.d").glob("[!.]*.yaml"))]
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()


def test_files_come_change_and_go(gateway: StartGateway, backends: dict[str, str]) -> None:
    """Each within a moment, and the status page and the log say of which files the policy is."""
    through = gateway(main(backends["a"]))
    folder = through.policy_file.parent / "pools.d"
    assert status_of(through, "/own") == (200, b"a") and status_of(through, "/chat")[0] == 404
    # Not even the folder was there.
    put(folder / "chat.yaml", part("chat", backends["a"]))
    eventually(lambda: status_of(through, "/chat") == (200, b"a"), "the new pool", 10)
    line = through.told("policy reloaded")[-1]
    assert line["sha256"] == digest(through)
    assert line["included"] == [str(folder / "chat.yaml")] and "pools.chat" in line["changed"]
    policy = through.status()["policy"]
    assert policy["sha256"] == digest(through) and policy["file"] == str(through.policy_file)
    assert policy["included"] == [str(folder / "chat.yaml")] and policy["included_files"] == 1
    put(folder / "chat.yaml", part("chat", backends["b"]))
    eventually(lambda: status_of(through, "/chat") == (200, b"b"), "the other backend", 3)
    put(folder / "more.yaml", part("more", backends["a"]))
    eventually(lambda: status_of(through, "/more") == (200, b"a"), "one more pool", 3)
    (folder / "chat.yaml").unlink()
    eventually(lambda: status_of(through, "/chat")[0] == 404, "the pool's end", 3)
    assert len(through.told("policy reloaded", 4)) == 4
    # What others leave there, and the same once more, is no change.
    (folder / "notes.txt").write_text("x")
    (folder / ".more.yaml.swp").write_text("x")
    put(folder / "more.yaml", part("more", backends["a"]))
    time.sleep(1.2)
    assert len(through.logged("policy reloaded")) == 4
    # What is no good is told once, by its file, and changes nothing.
    put(folder / "zzz.yaml", part("more", backends["b"]))
    eventually(lambda: not through.status()["policy"]["last_reload_successful"], "the fault", 3)
    wanted = f"{folder}/zzz.yaml:2:3: error: pools.more: is given twice, first in {folder}/more.yaml:2:3; keep one"
    assert wanted in through.status()["policy"]["error"]
    assert status_of(through, "/more") == (200, b"a")
    time.sleep(1.2)
    assert through.metric("penstock_policy_reload_failures_total") == 1
    (folder / "zzz.yaml").unlink()
    eventually(lambda: through.status()["policy"]["last_reload_successful"], "that it is well again", 3)
    assert through.status()["policy"]["sha256"] == digest(through)


def test_sighup_reads_all_files(gateway: StartGateway, backends: dict[str, str]) -> None:
    """Without watching nothing changes by itself; a folder swapped as Kubernetes does is read whole."""
    text = main(backends["a"]).replace("reload: {watch: true}\n", "").replace("pools.d", "volume")
    through = gateway(text)
    volume = through.policy_file.parent / "volume"
    for version, name in (("..1", "a"), ("..2", "b")):
        (volume / version).mkdir(parents=True)
        (volume / version / "chat.yaml").write_text(part("chat", backends[name]))
        (volume / "..data_tmp").symlink_to(version)
        (volume / "..data_tmp").rename(volume / "..data")
        if name == "a":
            (volume / "chat.yaml").symlink_to("..data/chat.yaml")
            time.sleep(0.8)
            assert status_of(through, "/chat")[0] == 404
        through.signal(signal.SIGHUP)
        eventually(lambda: status_of(through, "/chat") == (200, name.encode()), f"backend {name}", 3)


def test_another_process_reads_them_too(gateway: StartGateway, backends: dict[str, str]) -> None:
    """With the environment that the first one had."""
    through = gateway(
        main("${PENSTOCK_TEST_BACKEND}"), environment={**os.environ, "PENSTOCK_TEST_BACKEND": backends["b"]}
    )
    put(through.policy_file.parent / "pools.d" / "chat.yaml", part("chat", "${PENSTOCK_TEST_BACKEND}"))
    through.signal(signal.SIGUSR2)
    (line,) = eventually(lambda: through.logged("upgraded, draining"), "the next process", 20)
    try:
        eventually(lambda: through.returncode is not None, "the end of the first one", 10)
        for path in ("/own", "/chat"):
            assert status_of(through, path) == (200, b"b")
    finally:
        os.kill(int(line["pid"]), signal.SIGKILL)


def test_storms_of_renames_lose_nothing(gateway: StartGateway, backends: dict[str, str]) -> None:
    """Files that are replaced, made, renamed and taken away without end, by the watch and by SIGHUP, under load."""
    through = gateway(main(backends["a"]))
    folder = through.policy_file.parent / "pools.d"
    put(folder / "chat.yaml", part("chat", backends["a"]))
    eventually(lambda: status_of(through, "/chat")[0] == 200, "the pool", 10)
    ending = threading.Event()
    lost: list[str] = []
    served = [0, 0]

    def ask(index: int, path: str) -> None:
        while not ending.is_set():
            try:
                status, _ = status_of(through, path)
            except OSError as error:
                lost.append(f"{path}: {error}")
                continue
            if status != 200:
                lost.append(f"{path}: {status}")
            served[index] += 1

    threads = [threading.Thread(target=ask, args=pair) for pair in ((0, "/own"), (1, "/chat"))]
    for thread in threads:
        thread.start()
    before = through.metric("penstock_policy_reloads_total")
    until = time.monotonic() + 3
    turn = 0
    while time.monotonic() < until:
        turn += 1
        put(folder / "chat.yaml", part("chat", backends["ab"[turn % 2]]))
        put(folder / "come.yaml", part("come", backends["a"]))
        (folder / "come.yaml").rename(folder / "gone.yaml")
        (folder / "gone.yaml").unlink()
        if turn % 20 == 0:
            through.signal(signal.SIGHUP)
        time.sleep(0.005)
    ending.set()
    for thread in threads:
        thread.join(10)
    assert turn > 100 and min(served) > 50, (turn, served)
    assert not lost, lost[:5]
    assert through.metric("penstock_policy_reloads_total") > before + 2
    through.wait_until_idle()
    eventually(lambda: through.status()["policy"]["sha256"] == digest(through), "what is there in the end", 5)


def check(penstock: Path, *arguments: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """What `penstock check` says."""
    return subprocess.run(
        [penstock, "check", *arguments], capture_output=True, text=True, timeout=30, env={**os.environ, **environment}
    )


def test_check_knows_all_of_it(penstock: Path, tmp_path: Path, backends: dict[str, str]) -> None:
    """Faults and explanations of what stands in other files; values of variables are in no fault."""
    policy = tmp_path / "policy.yaml"
    policy.write_text(main("${OWN}").replace("log: {", "log: {level: \"${LEVEL:-info}\", "))
    put(tmp_path / "pools.d" / "chat.yaml", part("chat", backends["b"]))
    done = check(penstock, policy, OWN=backends["a"])
    assert done.stdout == f"{policy}: valid, with 1 included file\n" and done.returncode == 0, done
    report = json.loads(check(penstock, "--format", "json", policy, OWN=backends["a"]).stdout)
    assert report["files"][0]["included"] == [str(tmp_path / "pools.d" / "chat.yaml")]
    done = check(penstock, "--explain", "GET /chat", policy, OWN=backends["a"])
    assert f"routes[1] (/chat) in {tmp_path}/pools.d/chat.yaml:4\n" in done.stdout and backends["b"] in done.stdout
    dump = check(penstock, "--dump", policy, OWN=backends["a"]).stdout
    assert "include" not in dump and backends["a"] in dump and "chat:" in dump
    done = check(penstock, policy)
    assert done.returncode == 1 and "error: pools.own.backends[0]: the variable OWN is not set; " in done.stderr
    secret = "hunter2-hunter2-hunter2"
    done = check(penstock, policy, OWN=backends["a"], LEVEL=secret)
    assert done.returncode == 1 and "hunter2" not in done.stderr + done.stdout and "${LEVEL}" in done.stderr
    # Nothing is written into what is included.
    policy.write_text(policy.read_text().replace("access: {to: off}", "access: {to: " + str(tmp_path) + "/pools.d/chat.yaml}"))
    done = check(penstock, policy, OWN=backends["a"])
    assert "log.access.to" in done.stderr and "is a file of include; name another file" in done.stderr, done


def test_the_simulator_takes_included_pools(penstock: Path, tmp_path: Path, backends: dict[str, str]) -> None:
    """By the name that the pool has there."""
    policy = tmp_path / "policy.yaml"
    policy.write_text(main(backends["a"]))
    put(tmp_path / "pools.d" / "chat.yaml", part("chat", backends["b"]))
    scenario = tmp_path / "scenario.yaml"
    scenario.write_text(
        "name: short\nduration: 20s\nwarm_up: 5s\nseeds: 1\nbackends:\n  - {base: 20ms, per_request: 500us, batch: 256}\n"
        "clients:\n  - {name: chat, load: 0.1, units: 20}\nexpect:\n  - {measure: rejected_share, at_most: 0.5}\n"
    )
    for name, code in (("chat", 0), ("other", 2)):
        done = subprocess.run(
            [penstock, "simulate", scenario, "--policy", policy, "--pool", name],
            capture_output=True, text=True, timeout=30,
        )  # fmt: skip
        assert done.returncode == code, done
