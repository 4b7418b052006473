"""One client's address takes all connections that it can get, and the others are served all the same."""

from __future__ import annotations

import sys
import time

import pytest

from conftest import StartGateway
from processes import HERE, Process, eventually, one_pool, request
from sockets import RawClient, read_head, scripted_backend

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
GET = b"GET / HTTP/1.1\r\nHost: gateway\r\n\r\n"
MAX_CONNECTIONS = 100


def answering(connection) -> None:
    """Answers whatever it is asked."""
    while read_head(connection):
        connection.sendall(ANSWER)


@pytest.mark.parametrize(
    ("kind", "sources"),
    [*((kind, 1) for kind in ("silent", "idle", "busy", "head", "lingering", "body")), ("body", 5), ("idle", 5)],
)
def test_others_are_served(gateway: StartGateway, kind: str, sources: int) -> None:
    """From loopback, where no network has a bound: twice as many as there may be, and those that are ended come again."""
    server = f"server: {{max_connections: {MAX_CONNECTIONS}}}\n"
    with scripted_backend(answering) as backend:
        # All that are busy at once find room at the backend.
        through = gateway(one_pool(backend, limit=2 * MAX_CONNECTIONS, extra=server))
        good = [RawClient(through.url) for _ in range(5)]
        for client in good:
            client.send(GET)
            client.read_until(b"\r\n\r\nok")
        command = [sys.executable, str(HERE / "hoarder.py"), through.url, kind, str(2 * MAX_CONNECTIONS // sources)]
        hoarders = [Process([*command, f"127.0.0.{2 + source}"]) for source in range(sources)]
        try:
            eventually(
                lambda: through.metric("penstock_client_connections") >= MAX_CONNECTIONS - 5, "all taken", 10
            )
            time.sleep(2)
            longest = 0.0
            for _ in range(20):
                began = time.monotonic()
                assert request(through.url, timeout=15).status == 200
                longest = max(longest, time.monotonic() - began)
            print(f"{kind} from {sources}: {longest:.2f} s")
            assert longest < 6
            # Who came before and has few keeps what he has.
            for client in good:
                client.send(GET)
                client.read_until(b"\r\n\r\nok")
        finally:
            for hoarder in hoarders:
                hoarder.stop()
            for client in good:
                client.close()
        # Those that linger may end by themselves before anybody waits for long.
        assert kind == "lingering" or through.metric("penstock_client_connections_evicted_total") > 0


def test_where_all_come_from_one_address(gateway: StartGateway) -> None:
    """Behind a balancer nobody has more than his share: who rests longest makes room, and all are served."""
    with scripted_backend(answering) as backend:
        extra = "server: {max_connections: 20}\nforwarding: {trusted_proxies: [127.0.0.0/8]}\n"
        through = gateway(one_pool(backend, limit=50, extra=extra))
        clients = []
        for _ in range(60):
            client = RawClient(through.url, source="127.0.0.3")
            client.send(GET)
            client.read_until(b"\r\n\r\nok")
            clients.append(client)
        assert through.metric("penstock_client_connections") == 20
        for client in clients:
            client.close()
