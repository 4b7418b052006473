"""Hosted APIs behind a pool of one's own: their path, their name and their key, and that nobody else's goes there."""

from __future__ import annotations

import json
import socket
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from authority import Authority
from conftest import StartGateway
from processes import eventually, request
from sockets import RawClient, read_head, scripted_backend

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nETag: \"a\"\r\nX-Internal: 1\r\n\r\nok"


@dataclass
class Provider:
    """A hosted API: what it was asked, by which names in the handshake, and what it answers."""

    url: str = ""
    heads: list[str] = field(default_factory=list)
    names: list[str | None] = field(default_factory=list)

    @property
    def last(self) -> str:
        """The request that came last."""
        return self.heads[-1]


@contextmanager
def provider(directory: Path) -> Iterator[Provider]:
    """One that is called `localhost`, with the certificate of that name."""
    found = Provider()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(directory / "localhost.pem", directory / "localhost.key")
    context.sni_callback = lambda _, name, __: found.names.append(name)

    def serve(connection: socket.socket) -> None:
        with context.wrap_socket(connection, server_side=True) as secure:
            while head := read_head(secure):
                found.heads.append(head.decode())
                secure.sendall(OK)

    with scripted_backend(serve) as url:
        found.url = url.replace("http://127.0.0.1", "https://localhost")
        yield found


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    """An authority, with a certificate for `localhost`."""
    made = Authority(tmp_path)
    made.issue("localhost", "DNS:localhost")
    return made


def policy(home: str, hosted: Provider, authority: Authority, key: Path, log: Path) -> str:
    """One place at home, and the hosted API for what finds none."""
    return f"""\
version: 1
listen: 127.0.0.1:0
admin: 127.0.0.1:0
log: {{level: debug, access: {{to: {log}}}}}
pools:
  home: {{backends: ["{home}"], limit: 1, queue: {{max_requests: 0}}}}
  hosted:
    backends: ["{hosted.url}/openai/v1"]
    strip_prefix: /v1
    host: backend
    tls: {{ca_file: {authority.file}}}
    request: {{set_fields: {{Authorization: {{file: {key}, prefix: "Bearer "}}}}}}
    response: {{remove_fields: [X-Internal]}}
routes:
  - {{path: /hosted/*, pool: hosted, strip_prefix: /hosted}}
  - {{path: /team/*, pool: home, strip_prefix: /team, fallback: {{pool: hosted}}}}
"""


def written(path: Path, text: str, mode: int = 0o600) -> Path:
    """A file with that text and mode."""
    path.write_text(text)
    path.chmod(mode)
    return path


def test_fallback_with_its_own_key(gateway: StartGateway, tmp_path: Path, authority: Authority) -> None:
    """What finds no room at home goes outside by the hosted API's path, name and key, and the secret is told nowhere."""
    key = written(tmp_path / "hosted.key", "sk-first\n")
    log = tmp_path / "access.log"

    def holding(connection: socket.socket) -> None:
        read_head(connection)
        connection.recv(1)

    with scripted_backend(holding) as home, provider(tmp_path) as hosted:
        text = policy(home, hosted, authority, key, log)
        through = gateway(text)
        with RawClient(through.url) as first:
            first.send(b"GET /team/v1/x HTTP/1.1\r\nHost: gateway\r\n\r\n")
            eventually(lambda: through.metric("penstock_inflight", pool="home") == 1, "the place taken")
            mine = {"Authorization": "Bearer sk-client", "x-api-key": "sk-client", "If-None-Match": '"b"'}
            answer = request(through.url, "/team/v1/chat/completions?a=b", "POST", b"{}", mine)
            assert (answer.status, answer.body) == (200, b"ok")
            assert answer.headers["x-penstock-fallback"] == "hosted"
            assert answer.headers["etag"] == '"a"' and "x-internal" not in answer.headers
            port = hosted.url.rsplit(":")[-1]
            assert hosted.last.startswith("POST /openai/v1/chat/completions?a=b HTTP/1.1\r\n")
            assert f"\r\nHost: localhost:{port}\r\n" in hosted.last and hosted.names == ["localhost"]
            assert hosted.last.count("Authorization") == 1 and "Authorization: Bearer sk-first\r\n" in hosted.last
            assert "sk-client" not in hosted.last and '"b"' in hosted.last

            # Another key, read with the policy.
            written(key, "sk-second")
            through.reload(text)
            reload = through.told("policy reloaded")[0]
            assert "pools.hosted.request.set_fields.Authorization" in json.dumps(reload)
            request(through.url, "/team/v1/x")
            assert "Bearer sk-second\r\n" in hosted.last

            # One that everybody may read changes nothing.
            written(key, "sk-third", 0o644)
            through.reload(text)
            eventually(lambda: "mode 0644" in "\n".join(through.errors), "the fault in the log")
            request(through.url, "/team/v1/x")
            assert "Bearer sk-second\r\n" in hosted.last
        pages = [request(through.admin_url, path).body.decode() for path in ("/status", "/metrics", "/")]
        eventually(lambda: log.read_text().count("\n") >= 3, "the access log")
        everything = "\n".join([*pages, *through.errors, log.read_text()])
        assert not any(secret in everything for secret in ("sk-first", "sk-second", "sk-third", "sk-client"))
        # The log has the path that came.
        paths = {json.loads(line)["path"] for line in log.read_text().splitlines()}
        assert "/team/v1/chat/completions" in paths and not any(path.startswith("/openai") for path in paths)


def test_check(penstock: Path, tmp_path: Path, authority: Authority) -> None:
    """`check` tells what is asked for and which fields are set, and never what a secret says."""
    key = written(tmp_path / "hosted.key", "sk-secret")
    file = tmp_path / "policy.yaml"
    hosted = Provider("https://localhost:8443")
    file.write_text(policy("http://127.0.0.1:1", hosted, authority, key, tmp_path / "access.log"))

    def check(*options: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [penstock, "check", *options, file], capture_output=True, text=True, timeout=20, check=False
        )

    explained = check("--explain", "POST /hosted/v1/chat/completions key=sk-client")
    assert explained.returncode == 0, explained.stderr
    facts = dict(line.split(maxsplit=1) for line in explained.stdout.splitlines())
    assert facts["target"] == "/openai/v1/chat/completions"
    assert facts["request"] == f"the pool sets Authorization (from {key})"
    assert facts["keys"] == "those of clients stay here"
    dumped = check("--dump")
    assert dumped.returncode == 0 and str(key) in dumped.stdout
    assert "sk-" not in explained.stdout + dumped.stdout

    key.chmod(0o604)
    refused = check()
    assert refused.returncode == 1 and "sk-secret" not in refused.stderr
    assert "policy.yaml:12:" in refused.stderr and "mode 0604" in refused.stderr and "chmod o-rwx" in refused.stderr
    key.unlink()
    assert "No such file" in check().stderr
    assert check("--policy-only").returncode == 0


def test_a_name_that_is_not_the_certificates(gateway: StartGateway, tmp_path: Path, authority: Authority) -> None:
    """The key does not go to whoever answers at the address."""
    authority.issue("other", "DNS:other.example")
    for kind in ("pem", "key"):
        (tmp_path / f"other.{kind}").replace(tmp_path / f"localhost.{kind}")
    key = written(tmp_path / "hosted.key", "sk-first")
    with provider(tmp_path) as hosted:
        through = gateway(policy("http://127.0.0.1:1", hosted, authority, key, tmp_path / "access.log"))
        answer = request(through.url, "/hosted/v1/x")
        assert answer.status == 502 and answer.headers["x-penstock-reason"] == "tls_failed"
        assert hosted.heads == []
