"""What `penstock check` tells besides faults: a request's way, what backends say, and all of it in other forms."""

from __future__ import annotations

import json
import os
import pty
import re
import socket
import struct
import subprocess
import termios
from collections.abc import Iterator
from fcntl import ioctl
from pathlib import Path

import pytest

from conftest import StartGateway
from processes import request
from sockets import closed_address, read_head, scripted_backend

POLICY = """\
version: 1
listen: 127.0.0.1:0
admin: off
models: {aliases: {gpt: llama-70b}}
pools:
  chat:
    backends: [http://127.0.0.1:1, http://127.0.0.1:2]
    limit: 7
    priority: {header: x-priority, classes: [high, low], default: low}
    tenant:
      header: x-tenant
      default: {requests_per_minute: 60, highest_class: low}
      named:
        - {name: acme, highest_class: high, networks: [10.1.0.0/16]}
        - {name: small, requests_per_minute: 5}
  other: {backends: [http://127.0.0.1:3]}
routes:
  - {path: /v1/chat/completions, methods: [POST], models: ["llama-*"], pool: chat, fallback: {pool: other, model: tiny}}
  - {path: /v1/*, hosts: [b.example], pool: other}
"""


def check(penstock: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """`penstock check`."""
    command = [str(penstock), "check", *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)


@pytest.fixture
def policy(tmp_path: Path) -> Path:
    """A file with `POLICY`."""
    file = tmp_path / "policy.yaml"
    file.write_text(POLICY)
    return file


def explained(penstock: Path, policy: Path, words: str) -> dict[str, str]:
    """What is told of a request."""
    ended = check(penstock, "--explain", words, "--format", "json", str(policy))
    assert ended.returncode == 0, ended.stderr
    return json.loads(ended.stdout)["files"][0]["explanation"]


CHAT = "POST /v1/chat/completions"


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        (
            f"{CHAT} model=gpt x-tenant:acme x-priority:high",
            {
                "route": "routes[0] (/v1/chat/completions, methods POST, models llama-*)",
                "model": "llama-70b", "pool": "chat", "tenant": "acme (named)", "class": "high",
                "quota": "weight 1.0, 60 requests a minute", "limit": "{algorithm: fixed, limit: 7}",
                "backends": "http://127.0.0.1:1, http://127.0.0.1:2",
                "fallback": "pool other where the wait would be over 1.0 seconds, as model tiny",
                "outcome": "a backend is asked",
            },
        ),
        (f"{CHAT} model=llama-8b from=10.1.2.3", {"tenant": "acme (named)", "class": "low"}),
        (
            f"{CHAT} model=llama-8b x-tenant:small x-priority:high",
            {"class": "low", "quota": "weight 1.0, 5 requests a minute"},
        ),
        (
            f"{CHAT} model=llama-8b x-tenant:else",
            {"tenant": "one that is not named, with the terms of `default`"},
        ),
        (f"{CHAT} model=other", {"outcome": "refused with 404, reason model_unknown"}),
        (CHAT, {"outcome": "refused with 400, reason model_missing"}),
        ("GET /v1/models", {"outcome": "answered by the gateway with 200"}),
        ("GET /v1/files host=b.example", {"pool": "other", "fallback": "none"}),
        ("GET /v1/files", {"route": "none", "outcome": "refused with 404, reason no_route"}),
        ("GET /v1/../files", {"outcome": "refused with 400, reason path_ambiguous"}),
        ("GE(T /", {"outcome": "refused with 400, reason bad_request"}),
    ],
)  # fmt: skip
def test_explains_a_request(penstock: Path, policy: Path, words: str, wanted: dict[str, str]) -> None:
    """Route, model, pool, tenant, class, quota, backends and fallback, as they would be."""
    told = explained(penstock, policy, words)
    assert {name: told[name] for name in wanted} == wanted


@pytest.mark.parametrize(
    ("rule", "more", "wanted"),
    [
        ("{by: header, header: X-Session-Id}", "X-SESSION-ID:7", "by x-session-id, which the request has"),
        (
            "{by: header, header: x-session-id, scope: tenant}", "x-session:7",
            "by x-session-id, which the request has not: it goes where there is most room; for each tenant by itself",
        ),
        ("{by: prefix}", "", "by what prompts begin with"),
        ("{by: off}", "x-session-id:7", None),
    ],
)  # fmt: skip
def test_explains_affinity(penstock: Path, policy: Path, rule: str, more: str, wanted: str | None) -> None:
    """By what a request's prompt is known, where its pool looks for that."""
    alone = "other: {backends: [http://127.0.0.1:3]"
    policy.write_text(POLICY.replace(alone, f"{alone}, affinity: {rule}"))
    assert explained(penstock, policy, f"GET /v1/files host=b.example {more}").get("affinity") == wanted
    assert "affinity" not in explained(penstock, policy, f"{CHAT} model=llama-8b")


def test_explains_keys(penstock: Path, policy: Path) -> None:
    """A key is taken or refused, and never shown."""
    made = subprocess.run([str(penstock), "key", "new", "acme"], capture_output=True, text=True, check=True)
    (key,) = re.findall(r"\S{40,}", made.stderr)
    policy.with_name("who.keys").write_text(made.stdout)
    policy.write_text(POLICY.replace("header: x-tenant", "keys: who.keys"))
    ended = check(penstock, "--explain", f"{CHAT} model=llama-8b key={key}", str(policy))
    assert re.search(r"^tenant +acme \(named\)$", ended.stdout, re.MULTILINE)
    assert key not in ended.stdout + ended.stderr
    for words in (f"{CHAT} model=llama-8b", CHAT):
        assert explained(penstock, policy, words)["outcome"] == "refused with 401, reason key_missing"
    told = explained(penstock, policy, f"{CHAT} model=llama-8b key=wrong")
    assert told["outcome"] == "refused with 401, reason key_unknown"


def test_explanation_is_what_happens(gateway: StartGateway, penstock: Path) -> None:
    """What is told of refusals is what a gateway answers under the same policy."""
    through = gateway(POLICY)
    for method, path in (("GET", "/v1/files"), ("GET", "/v1/a%2Fb"), ("POST", "/v1/chat/completions")):
        body = b"{}" if method == "POST" else None
        answer = request(through.url, path, method, body, {"Content-Type": "application/json"})
        told = explained(penstock, through.policy_file, f"{method} {path}")["outcome"]
        reason = answer.headers["x-penstock-reason"]
        assert told == f"refused with {answer.status}, reason {reason}"


@pytest.mark.parametrize("words", ["", "GET", "GET nothing", "GET / key", "GET / from=here", "GET / what=1"])
def test_words_that_say_nothing(penstock: Path, policy: Path, words: str) -> None:
    """A request that is not understood is a fault of the command line."""
    ended = check(penstock, "--explain", words, str(policy))
    assert ended.returncode == 64 and "--explain: " in ended.stderr


def answering(connection: socket.socket) -> None:
    """An answer that is no success, and one all the same."""
    if read_head(connection).startswith(b"HEAD / HTTP/1.1\r\n"):
        connection.sendall(b"HTTP/1.1 405 Method Not Allowed\r\nContent-Length: 0\r\n\r\n")


def nonsense(connection: socket.socket) -> None:
    """No HTTP."""
    read_head(connection)
    connection.sendall(b"220 mail ready\r\n")


@pytest.fixture
def addresses() -> Iterator[dict[str, str]]:
    """Backends of several kinds."""
    with (
        scripted_backend(answering) as well,
        scripted_backend(nonsense) as odd,
        scripted_backend(lambda connection: None) as mute,
        scripted_backend(lambda connection: connection.sendall(b"no TLS at all\r\n")) as plain,
    ):
        yield {
            "HTTP 405 Method Not Allowed to HEAD /": well,
            "refused: nobody listens there": closed_address(),
            "its name has no address (DNS)": "http://no-such-name.invalid:80",
            "TLS: the handshake failed": plain.replace("http:", "https:"),
            "connected, but what answers is no HTTP/1.1": odd,
            "connected, but closed without a response": mute,
            "the socket's file is not there": "http+unix:///nowhere/socket",
        }


def test_asks_the_backends(penstock: Path, tmp_path: Path, addresses: dict[str, str]) -> None:
    """Each is dialled; who does not answer is a fault with its place, whatever its status is."""
    file = tmp_path / "policy.yaml"
    lines = "".join(f'      - "{address}"\n' for address in addresses.values())
    file.write_text(
        f"listen: 127.0.0.1:0\nadmin: off\npools:\n  chat:\n    backends:\n{lines}"
        "routes: [{path: /*, pool: chat}]\n"
    )
    ended = check(penstock, "--connect", str(file))
    assert ended.returncode == 1
    told = ended.stdout.splitlines()
    for index, (text, address) in enumerate(addresses.items()):
        assert told[index].startswith(f"{file}: pools.chat.backends[{index}]: {address}: {text}")
        fault = f"{file}:{6 + index}:9: error: pools.chat.backends[{index}]: {address} does not answer: {text}"
        assert (fault in ended.stderr) == (index > 0)
    with scripted_backend(answering) as well:
        file.write_text(
            f"listen: 127.0.0.1:0\nadmin: off\npools: {{chat: {{backends: ['{well}']}}}}\n"
            "routes: [{path: /*, pool: chat}]\n"
        )
        assert check(penstock, "--connect", str(file)).returncode == 0


def test_formats(penstock: Path, tmp_path: Path) -> None:
    """JSON has every fault by its parts; GitHub's form has them as commands, escaped."""
    good, bad = tmp_path / "good.yaml", tmp_path / "bad,1.yaml"
    good.write_text(POLICY)
    bad.write_text(POLICY.replace("limit: 7", "limit: '100%'").replace("admin: off", "admn: off"))
    ended = check(penstock, "--format", "json", str(good), str(bad))
    assert ended.returncode == 1 and ended.stderr == ""
    first, second = json.loads(ended.stdout)["files"]
    assert first == {"file": str(good), "valid": True, "faults": [], "omitted_faults": 0}
    assert not second["valid"]
    assert [(fault["line"], fault["column"], fault["path"]) for fault in second["faults"]] == [
        (3, 1, "admn"), (8, 12, "pools.chat.limit"),
    ]  # fmt: skip
    assert "did you mean `admin`?" in second["faults"][0]["remedy"]
    assert {fault["file"] for fault in second["faults"]} == {str(bad)}
    keys = tmp_path / "keys.yaml"
    keys.write_text(POLICY.replace("header: x-tenant", "keys: none.keys"))
    ended = check(penstock, "--format", "json", str(keys))
    (fault,) = json.loads(ended.stdout)["files"][0]["faults"]
    assert fault["file"] == str(tmp_path / "none.keys")
    ended = check(penstock, "--format", "github", str(good), str(bad))
    assert ended.returncode == 1 and ended.stderr == ""
    lines = ended.stdout.splitlines()
    assert lines[0] == f"{good}: valid" and len(lines) == 3
    name = str(bad).replace(",", "%2C")
    assert lines[1].startswith(f"::error file={name},line=3,col=1,title=admn::admn: is not known; ")
    assert "100%25" in lines[2] and "100%`" not in lines[2]


def test_help_shows_a_fault_as_it_is_told(penstock: Path, tmp_path: Path) -> None:
    """The example is what the command says."""
    policy = tmp_path / "policy.yaml"
    policy.write_text(
        "listen: 127.0.0.1:0\nadmin: off\npools:\n  chat:\n    backends: ['http://127.0.0.1:1']\n    queue:\n"
        "      max_wait: 2\nroutes: [{path: /*, pool: chat}]\n"
    )
    told = check(penstock, str(policy)).stderr.strip().removeprefix(f"{tmp_path}/")
    shown = check(penstock, "--help").stdout
    assert told in " ".join(shown.split()), told


@pytest.mark.parametrize(
    ("listen", "more", "told"),
    [
        ('["unix:{0}/a.sock", "unix:{0}/folder/../a.sock"]', "", "listen[1]: is the same socket as listen[0]"),
        ('["unix:{0}/a.sock", "unix:{0}/link/a.sock"]', "", "listen[1]: is the same socket as listen[0]"),
        ('"unix:{0}/a.sock"', 'admin: "unix:{0}/link/a.sock"', "listen: is the same socket as admin"),
        ('"unix:{0}/a.sock"', "log: {{access: {0}/a.sock}}", "log.access.to: {0}/a.sock is the socket of listen"),
        ("127.0.0.1:0", "admin: unix:{0}/b.sock\nlog: {{to: {0}/link/b.sock}}", "b.sock is the socket of admin"),
        ("127.0.0.1:0", "log: {{access: {0}/link/policy.yaml}}", "policy.yaml is this policy's file"),
        ("127.0.0.1:0", "log: {{access: {0}/folder/link/../policy.yaml}}", "policy.yaml is this policy's file"),
        ("127.0.0.1:0", "log: {{to: {0}/folder/hard.yaml}}", "hard.yaml is this policy's file"),
        ('"unix:{0}/a.sock"', "log: {{to: {0}/folder/nowhere}}", "nowhere is the socket of listen"),
    ],
    ids=range(9),
)
def test_two_uses_of_a_file(penstock: Path, tmp_path: Path, listen: str, more: str, told: str) -> None:
    """Both `check` and `serve` say so, and leave the folder as it was."""
    (tmp_path / "link").symlink_to(tmp_path)
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "link").symlink_to(folder)
    (folder / "nowhere").symlink_to("link/further")
    (folder / "further").symlink_to("../a.sock")
    policy = tmp_path / "policy.yaml"
    admin = "" if "admin" in more else "admin: off\n"
    policy.write_text(
        f"listen: {listen.format(tmp_path)}\n{admin}{more.format(tmp_path)}\n"
        "pools: {chat: {backends: ['http://127.0.0.1:1']}}\nroutes: [{path: /*, pool: chat}]\n"
    )
    (folder / "hard.yaml").hardlink_to(policy)
    before = policy.read_text()
    for command in (["check"], ["serve", "--policy"]):
        ended = subprocess.run(
            [str(penstock), *command, str(policy)], capture_output=True, text=True, timeout=30, check=False
        )
        assert ended.returncode == 1 and told.format(tmp_path) in ended.stderr, ended.stderr
        assert ended.stderr.count(" error: ") == 1
    assert {entry.name for entry in tmp_path.iterdir()} == {"link", "folder", "policy.yaml"}
    assert policy.read_text() == before


def test_a_path_behind_a_link_is_another_file(penstock: Path, tmp_path: Path) -> None:
    """`link/..` is the folder above that where the link leads, and not the one with the link."""
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "a" / "b")
    policy = tmp_path / "policy.yaml"
    policy.write_text(
        f"listen: ['unix:{tmp_path}/s', 'unix:{tmp_path}/link/../s']\nadmin: off\n"
        f"log: {{to: {tmp_path}/link/../policy.yaml}}\n"
        "pools: {chat: {backends: ['http://127.0.0.1:1']}}\nroutes: [{path: /*, pool: chat}]\n"
    )
    for more in ([], ["--policy-only"]):
        assert check(penstock, *more, str(policy)).returncode == 0


@pytest.mark.parametrize("command", ["simulate", "compare"])
def test_scenarios_are_called_that(penstock: Path, tmp_path: Path, command: str) -> None:
    """A scenario that is not there is no policy."""
    missing = tmp_path / "missing.yaml"
    ended = subprocess.run([str(penstock), command, str(missing)], capture_output=True, text=True, check=False)
    assert ended.returncode == 2
    assert ended.stderr.startswith(f"{missing}:1:1: error: scenario: cannot be read")


@pytest.mark.parametrize("columns", [40, 60])
def test_demo_breaks_lines_between_words(penstock: Path, columns: int) -> None:
    """The last text of a demo on a narrow terminal."""
    control, terminal = pty.openpty()
    ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    environment = {**os.environ, "TERM": "xterm", "NO_COLOR": "1"}
    child = subprocess.Popen(
        [str(penstock), "demo", "--seconds", "1"], stdout=terminal, stdin=terminal, env=environment
    )
    os.close(terminal)
    shown = b""
    try:
        while data := os.read(control, 65536):
            shown += data
    except OSError:
        pass  # The terminal has no other end any more.
    os.close(control)
    assert child.wait(20) == 0
    text = shown.decode().rpartition("\x1b[?25h")[2].replace("\r", "")
    lines = [line for line in text.splitlines() if line]
    assert all(len(line) <= columns for line in lines) and len(lines) > 5
    assert lines[0].startswith("Without: ")
    assert "The same backends, the same arrivals: " in re.sub(r"\n +", " ", text)
