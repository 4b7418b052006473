"""What the access log says of a request besides what its head and its answer show."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import Any

from conftest import StartGateway
from processes import eventually, post_json, request
from sockets import closed_address, read_head, scripted_backend

BODY = b'{"usage":{"prompt_tokens":5,"completion_tokens":3}}'
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (len(BODY), BODY)


def answering(connection: socket.socket) -> None:
    """Answers whatever it is asked."""
    while read_head(connection):
        connection.sendall(ANSWER)


def policy(log: Path, dead: str, good: str) -> str:
    """A pool of two backends, one of which is dead, and a pool that is full, whose fallback it is."""
    return f"""\
version: 1
listen: 127.0.0.1:0
admin: 127.0.0.1:0
log: {{access: {{to: {log}}}}}
pools:
  full:
    backends: ["{dead}"]
    limit: 1
  chat:
    backends: ["{dead}", "{good}"]
    limit: 8
    tenant: {{header: x-tenant, named: [{{name: acme}}]}}
    priority: {{header: x-class, classes: [paid, free], default: free}}
routes:
  - {{path: /v1/full, pool: full, models: ["*"], fallback: {{pool: chat, model: small, max_wait: 0s}}}}
  - {{path: /*, pool: chat, models: ["*"]}}
"""


def test_line_says_whose_and_what(gateway: StartGateway, tmp_path: Path) -> None:
    """Tenant, class, model, tokens, the fallback, and every backend that was tried."""
    log = tmp_path / "access.log"

    def lines(count: int) -> list[dict[str, Any]]:
        def read() -> list[dict[str, Any]] | None:
            found = [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []
            return found if len(found) >= count else None

        return eventually(read, f"{count} lines")

    dead = closed_address()
    with scripted_backend(answering) as good:
        through = gateway(policy(log, dead, good))
        body = json.dumps({"model": "large", "n": 1}).encode()
        for tenant in ("acme", "somebody", "somebody"):
            fields = {"X-Tenant": tenant, "X-Class": "paid", "Content-Type": "application/json"}
            assert request(through.url, "/v1/chat", "POST", body, fields).status == 200
        # Each thread writes its own lines: which of two requests' lines comes first is not said.
        first, second, third = sorted(lines(3), key=lambda line: "tenant" not in line)
        assert (first["tenant"], first["class"], first["model"]) == ("acme", "paid", "large")
        assert (first["input_tokens"], first["output_tokens"]) == (5, 3)
        assert "fallback" not in first and "tenant_hash" not in first
        assert all(line["backend"] == good for line in (first, second, third))
        assert "tenant" not in second and "somebody" not in log.read_text()
        assert len(second["tenant_hash"]) == 16 and second["tenant_hash"] == third["tenant_hash"]
        # Which backend is the first is left to chance.
        count = 3
        while not any("former_backends" in line for line in lines(count)):
            assert post_json(through.url, "/v1/chat", {"model": "large"}).status == 200
            count += 1
        (line, *_) = (line for line in lines(count) if "former_backends" in line)
        assert (line["former_backends"], line["backend"], line["attempts"]) == ([dead], good, 2)
        # The full pool's backend refuses connections: once it is ejected, the fallback serves.
        eventually(lambda: post_json(through.url, "/v1/full", {"model": "large"}).status == 200, "the fallback")
        assert post_json(through.url, "/v1/full", {"model": "large"}).status == 200
        last = next(line for line in lines(count + 2) if line["status"] == 200 and line.get("fallback"))
        assert (last["pool"], last["model"], last["class"]) == ("chat", "small", "free")
        assert "tenant" not in last and "tenant_hash" not in last
