"""What becomes of memory when a burst of long prompts is over."""

from __future__ import annotations

import socket
import time
from contextlib import ExitStack
from urllib.parse import urlsplit

import pytest

from conftest import StartGateway
from processes import eventually

PROMPTS = 500
BODY = b'{"model":"x","messages":[{"role":"user","content":"' + b"x" * 200_000 + b'"}]}'


@pytest.mark.timed
@pytest.mark.limit(120)
def test_memory_of_a_burst_goes_back(gateway: StartGateway) -> None:
    """Five hundred prompts of 200 kB wait for an engine that says nothing, and their clients leave: their memory is the system's again."""
    with socket.create_server(("127.0.0.1", 0), backlog=10) as engine:
        through = gateway(
            f"""\
version: 1
listen: 127.0.0.1:0
admin: 127.0.0.1:0
threads: 2
pools:
  chat:
    backends: ["http://127.0.0.1:{engine.getsockname()[1]}"]
    limit: 1
    queue: {{max_requests: 1000, max_wait: 60s, max_bytes: 1GiB}}
routes: [{{path: /*, models: [x], pool: chat}}]
"""
        )
        time.sleep(11)
        before = through.resident_bytes()
        address = urlsplit(through.url)
        head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: g\r\nContent-Length: {len(BODY)}\r\n\r\n".encode()
        with ExitStack() as clients:
            for _ in range(PROMPTS):
                client = socket.create_connection((address.hostname, address.port), timeout=5)
                clients.enter_context(client)
                client.sendall(head + BODY)
            eventually(lambda: through.status()["pools"][0]["queue"]["requests"] == PROMPTS - 1, "they wait", 10)
            held = through.resident_bytes() - before
            # Each has a piece of 256 KiB, of which it has written its own 200.
            assert 80 << 20 < held < 150 << 20
        eventually(lambda: through.status()["pools"][0]["queue"]["requests"] == 0, "they have left", 10)
        eventually(lambda: through.resident_bytes() - before < 24 << 20, "it is given back", 35)
        print(f"{held >> 20} MiB held, {(through.resident_bytes() - before) >> 20} MiB left")
