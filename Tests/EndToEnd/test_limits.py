"""At its own limits the gateway pauses and says no; it neither crashes nor forgets anybody."""

from __future__ import annotations

import resource
import selectors
import time

from conftest import StartGateway, StartServer
from processes import eventually, one_pool, request
from sockets import RawClient, chat_bytes

MODELS = b"GET /v1/models HTTP/1.1\r\nHost: gateway\r\n\r\n"


def test_connection_cap(server: StartServer, gateway: StartGateway) -> None:
    """Clients above the cap wait in the kernel's backlog and come in as others leave."""
    backend = server("--no-model")
    through = gateway(one_pool(backend.url, limit=30, extra="server: {max_connections: 10}\n"))
    clients = [RawClient(through.url) for _ in range(30)]
    for client in clients:
        client.send(MODELS)
    eventually(lambda: through.metric("penstock_client_connections") == 10, "the cap reached")
    time.sleep(0.2)
    assert through.metric("penstock_client_connections") == 10
    # With several threads nobody knows whose turn it is.
    with selectors.DefaultSelector() as selector:
        for client in clients:
            selector.register(client.socket, selectors.EVENT_READ, client)
        while selector.get_map():
            ready = selector.select(10)
            assert ready, f"{len(selector.get_map())} clients are left in the backlog"
            for key, _ in ready:
                selector.unregister(key.fileobj)
                key.data.read_until(b"200 OK")
                key.data.close()
    through.wait_until_idle()


def test_descriptors_run_out(server: StartServer, gateway: StartGateway) -> None:
    """Without descriptors accepting pauses; what runs goes on, and afterwards all are served."""
    backend = server("--no-model", "--concurrency", "100")
    through = gateway(one_pool(backend.url, limit=100))
    soft, hard = resource.prlimit(through.pid, resource.RLIMIT_NOFILE)
    with RawClient(through.url) as running:
        running.send(chat_bytes(100, 0.03))
        running.read_until(b"data: ")
        scarce = through.open_descriptors() + 4
        resource.prlimit(through.pid, resource.RLIMIT_NOFILE, (scarce, hard))
        clients = [RawClient(through.url) for _ in range(20)]
        for client in clients:
            client.send(MODELS)
        time.sleep(0.5)
        assert through.returncode is None
        resource.prlimit(through.pid, resource.RLIMIT_NOFILE, (soft, hard))
        heads = []
        for client in clients:
            heads.append(client.read_until(b"\r\n\r\n"))
            client.close()
        # Those who got in while none were left for the backend's connection were told so; it is not the
        # backend's fault, so the others are served.
        refused = [head for head in heads if b" 200 " not in head]
        assert all(b" 503 " in head and b"reason: exhausted" in head.lower() for head in refused), refused
        assert len(refused) <= 4
        assert b"[DONE]" in running.read_until(b"0\r\n\r\n")
    through.wait_until_idle()
    assert request(through.url, "/v1/models").status == 200


def test_large_heads_and_bodies(server: StartServer, gateway: StartGateway) -> None:
    """What is above the policy's bounds is refused with the status for it, and the connection closed."""
    backend = server("--no-model")
    bounds = "server: {max_head_size: 4KiB, max_body_size: 10000B}\n"
    through = gateway(one_pool(backend.url, extra=bounds))
    assert request(through.url, "/upload", "POST", b"x" * 10_000).status == 200
    large = request(through.url, "/upload", "POST", b"x" * 10_001)
    assert (large.status, large.headers["x-penstock-reason"]) == (413, "body_too_large")
    head = request(through.url, "/v1/models", headers={"X-Long": "x" * 5_000})
    assert (head.status, head.headers["x-penstock-reason"]) == (431, "head_too_large")
    with RawClient(through.url) as client:
        client.send(
            b"POST /upload HTTP/1.1\r\nHost: g\r\nTransfer-Encoding: chunked\r\n\r\n"
            + b"1388\r\n" + b"x" * 5_000 + b"\r\n1389\r\n" + b"x" * 5_001 + b"\r\n0\r\n\r\n"
        )
        refusal = client.read_until(b"\r\n\r\n")
        assert b" 413 " in refusal.partition(b"\r\n")[0]
        client.read_until(b"}\n")
        # The rest of that body is not taken for a request: what comes next is answered or closed on.
        client.send(MODELS)
        client.finish()
        following, _ = client.read_to_end()
        assert following.partition(b"\r\n")[0] in (b"", b"HTTP/1.1 200 OK")
    through.wait_until_idle()


def test_slow_head_is_given_up(server: StartServer, gateway: StartGateway) -> None:
    """A client that never finishes its head costs a connection for the time-out and no longer."""
    backend = server("--no-model")
    through = gateway(one_pool(backend.url, extra="server: {timeouts: {head: 300ms}}\n"))
    with RawClient(through.url) as client:
        began = time.monotonic()
        client.send(b"GET /v1/models HTTP/1.1\r\nHost: gate")
        answer, _ = client.read_to_end()
        assert 0.25 < time.monotonic() - began < 2
    assert b" 408 " in answer.partition(b"\r\n")[0]
    assert b"client_timeout" in answer
