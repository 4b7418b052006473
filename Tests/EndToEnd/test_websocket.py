"""WebSockets through the gateway, with a real client and a real server."""

from __future__ import annotations

import hashlib
import os
import signal
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from websockets.exceptions import ConnectionClosed, ConnectionClosedError, InvalidStatus
from websockets.sync.client import ClientConnection, connect
from websockets.sync.server import Server, ServerConnection, serve

from conftest import StartGateway
from processes import Gateway, eventually, one_pool


def echo(connection: ServerConnection) -> None:
    """Sends back what comes, text as text and bytes as bytes."""
    for message in connection:
        connection.send(message)


@pytest.fixture
def echo_server() -> Iterator[str]:
    """A WebSocket server that echoes; gives its address as a backend."""
    server: Server = serve(echo, "127.0.0.1", 0, max_size=1 << 24)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.socket.getsockname()[1]}"
    server.shutdown()
    thread.join(5)


def policy(backend: str, limit: int = 4, more: str = "") -> str:
    """One pool that allows WebSockets; `more` stands in it too."""
    allowed = f"    websocket: allow\n{more}    limit: {{algorithm"
    return one_pool(backend, limit=limit, max_requests=0).replace("    limit: {algorithm", allowed)


def opened(through: Gateway) -> ClientConnection:
    """A client's WebSocket through the gateway."""
    return connect(through.url.replace("http", "ws") + "/chat", max_size=1 << 24, proxy=None)


def test_messages_both_ways(echo_server: str, gateway: StartGateway) -> None:
    """Texts, bytes, pings and large compressed messages arrive; the closing handshake is the peers' own."""
    through = gateway(policy(echo_server))
    with opened(through) as client:
        for message in ("hello", "", b"\0\r\n\xff", "x" * 70_000):
            client.send(message)
            assert client.recv(timeout=10) == message
        assert client.ping().wait(10)
        large = os.urandom(4 << 20)
        client.send(large)
        got = client.recv(timeout=30)
        assert isinstance(got, bytes)
        assert hashlib.sha256(got).digest() == hashlib.sha256(large).digest()
        assert through.metric("penstock_inflight") == 1
        assert through.metric("penstock_tunnels_open") == 1
    assert client.close_code == 1000
    eventually(lambda: through.metric("penstock_inflight") == 0, "the permit is back")
    assert through.metric("penstock_tunnels_open") == 0
    assert through.metric("penstock_tunnels_opened_total") == 1


def test_many_at_once(echo_server: str, gateway: StartGateway) -> None:
    """Tunnels do not mix; the limit counts them."""
    through = gateway(policy(echo_server, limit=20))

    def talk(number: int) -> None:
        with opened(through) as client:
            for count in range(50):
                client.send(f"{number}-{count}")
                assert client.recv(timeout=20) == f"{number}-{count}"

    with ThreadPoolExecutor(20) as pool:
        list(pool.map(talk, range(20)))
    eventually(lambda: through.metric("penstock_inflight") == 0, "all permits are back")
    assert through.metric("penstock_tunnels_opened_total") == 20


def test_refused_by_default(echo_server: str, gateway: StartGateway) -> None:
    """Without `websocket: allow` the handshake is answered with 403 and the backend never asked."""
    through = gateway(one_pool(echo_server))
    with pytest.raises(InvalidStatus) as refused:
        opened(through)
    assert refused.value.response.status_code == 403
    assert refused.value.response.headers["X-Penstock-Reason"] == "upgrade_refused"
    assert through.metric("penstock_upstream_connections_opened_total") == 0


def test_over_the_limit(echo_server: str, gateway: StartGateway) -> None:
    """A tunnel takes a slot while something passes through it, and none while it is quiet."""
    through = gateway(policy(echo_server, limit=1))
    with opened(through), opened(through) as client:
        client.send("busy")
        assert client.recv(timeout=10) == "busy"
        with pytest.raises(InvalidStatus) as refused:
            opened(through)
        assert refused.value.response.status_code == 503
        eventually(lambda: through.metric("penstock_inflight_held_by_client") == 2, "both are quiet")
        opened(through).close()
    eventually(lambda: through.metric("penstock_inflight") == 0, "the permit is back")
    with opened(through) as client:
        client.send("again")
        assert client.recv(timeout=10) == "again"


def test_idle_tunnels_end(echo_server: str, gateway: StartGateway) -> None:
    """A tunnel in which nothing moves is cut after `tunnel_idle`; one in which something moves is not."""
    through = gateway(policy(echo_server, more="    timeouts: {tunnel_idle: 1s}\n"))
    with opened(through) as client:
        for _ in range(4):
            time.sleep(0.5)
            client.send("still here")
            assert client.recv(timeout=10) == "still here"
        began = time.monotonic()
        with pytest.raises(ConnectionClosed):
            client.recv(timeout=10)
        assert 0.5 < time.monotonic() - began < 8
    assert through.metric("penstock_requests_total", reason="tunnel_idle_timeout") == 1


def test_drain(echo_server: str, gateway: StartGateway) -> None:
    """SIGTERM leaves tunnels open for `drain_timeout`, then the gateway ends."""
    through = gateway(policy(echo_server) + "server: {drain_timeout: 2s}\n")
    with opened(through) as client:
        through.signal(signal.SIGTERM)
        client.send("during the drain")
        assert client.recv(timeout=10) == "during the drain"
        with pytest.raises(ConnectionClosedError):
            client.recv(timeout=20)
    assert through.wait(20) == 0
