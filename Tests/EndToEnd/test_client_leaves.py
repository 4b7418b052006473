"""A client that leaves gives its slot back at once, in every phase and in every way."""

from __future__ import annotations

import random
import time
from collections.abc import Callable

import pytest

from conftest import StartGateway, StartServer
from processes import Gateway, eventually, one_pool, post_json
from sockets import RawClient, chat_bytes, unanswering_address

# Long enough that a slot cannot come free by itself within a test.
FOREVER = 30.0
AT_ONCE = 2.0

WAYS: dict[str, Callable[[RawClient], None]] = {
    "fin": RawClient.finish,
    "close": RawClient.close,
    "reset": RawClient.reset,
}


def short_chat(through: Gateway) -> None:
    """A request that needs a free slot, and fails if none is to be had soon."""
    messages = [{"role": "user", "content": "still there"}]
    value = {"messages": messages, "token_delay": 0}
    answer = post_json(through.url, "/v1/chat/completions", value, timeout=AT_ONCE)
    assert answer.status == 200


@pytest.mark.parametrize("leave", WAYS.values(), ids=WAYS)
def test_while_streaming(
    server: StartServer, gateway: StartGateway, leave: Callable[[RawClient], None]
) -> None:
    """The backend's connection is closed, so that an engine stops generating."""
    backend = server("--no-model")
    through = gateway(one_pool(backend.url, cancel="stops"))
    with RawClient(through.url) as client:
        client.send(chat_bytes(600, FOREVER / 600))
        client.read_until(b"data: ")
        assert through.metric("penstock_inflight") == 1
        leave(client)
        through.wait_until_idle(AT_ONCE)
        eventually(lambda: backend.stats()["aborted"] == 1, "abort seen by the backend", AT_ONCE)
    short_chat(through)


@pytest.mark.parametrize("leave", WAYS.values(), ids=WAYS)
def test_while_waiting_for_the_answer(
    server: StartServer, gateway: StartGateway, leave: Callable[[RawClient], None]
) -> None:
    """The same before the answer's first byte, where there is nothing to fail to write."""
    backend = server("--no-model")
    through = gateway(one_pool(backend.url, cancel="stops"))
    with RawClient(through.url) as client:
        client.send(chat_bytes(1, FOREVER, stream=False))
        eventually(lambda: backend.stats()["held"] == 1, "request at the backend")
        leave(client)
        through.wait_until_idle(AT_ONCE)
        eventually(lambda: backend.stats()["aborted"] == 1, "abort seen by the backend", AT_ONCE)
    short_chat(through)


@pytest.mark.parametrize("leave", WAYS.values(), ids=WAYS)
def test_while_queued(
    server: StartServer, gateway: StartGateway, leave: Callable[[RawClient], None]
) -> None:
    """The request leaves the queue and never travels; its neighbours are not touched."""
    backend = server("--no-model")
    through = gateway(one_pool(backend.url, max_wait=f"{FOREVER:g}s", cancel="stops"))
    with RawClient(through.url) as running, RawClient(through.url) as client:
        running.send(chat_bytes(600, FOREVER / 600))
        running.read_until(b"data: ")
        client.send(chat_bytes(1, 0))
        eventually(lambda: through.metric("penstock_queue_requests") == 1, "one in the queue")
        with RawClient(through.url) as neighbour:
            neighbour.send(chat_bytes(1, 0))
            eventually(lambda: through.metric("penstock_queue_requests") == 2, "two in the queue")
            leave(client)
            eventually(
                lambda: through.metric("penstock_queue_requests") == 1, "one of them gone", AT_ONCE
            )
            assert backend.stats()["received"] == 1
            running.close()
            neighbour.read_until(b"[DONE]")
    through.wait_until_idle()
    assert backend.stats()["received"] == 2


@pytest.mark.parametrize("leave", WAYS.values(), ids=WAYS)
def test_while_dialling(gateway: StartGateway, leave: Callable[[RawClient], None]) -> None:
    """A connection attempt that hangs is given up with its client."""
    with unanswering_address() as address:
        through = gateway(one_pool(address))
        with RawClient(through.url) as client:
            client.send(b"GET / HTTP/1.1\r\nHost: gateway\r\n\r\n")
            eventually(lambda: through.metric("penstock_inflight") == 1, "request admitted")
            leave(client)
            through.wait_until_idle(AT_ONCE)


@pytest.mark.parametrize("leave", WAYS.values(), ids=WAYS)
def test_while_uploading(
    server: StartServer, gateway: StartGateway, leave: Callable[[RawClient], None]
) -> None:
    """An upload that breaks off in its middle frees the slot too."""
    backend = server("--no-model")
    through = gateway(one_pool(backend.url, cancel="stops"))
    with RawClient(through.url) as client:
        client.send(b"POST /upload HTTP/1.1\r\nHost: gateway\r\nContent-Length: 2000000\r\n\r\nhalf")
        eventually(lambda: through.metric("penstock_inflight") == 1, "upload admitted")
        leave(client)
        through.wait_until_idle(AT_ONCE)
    short_chat(through)


@pytest.mark.limit(90)
def test_many_leaving_clients_leak_nothing(server: StartServer, gateway: StartGateway) -> None:
    """Hundreds of clients leave at random moments: every slot, descriptor and counter comes back."""
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    choose = random.Random(seed)
    backend = server("--no-model", "--concurrency", "4")
    through = gateway(one_pool(backend.url, limit=4, max_requests=16, cancel="stops"))
    short_chat(through)
    for _ in range(30):
        clients = [RawClient(through.url) for _ in range(20)]
        for client in clients:
            client.send(chat_bytes(20, 0.001, stream=choose.random() < 0.5))
        for client in choose.sample(clients, len(clients)):
            time.sleep(choose.random() * 0.004)
            choose.choice(list(WAYS.values()))(client)
        for client in clients:
            client.close()
    through.wait_until_idle()
    eventually(lambda: backend.stats()["held"] == 0, "the backend idle too")
    short_chat(through)
    # Besides its own few, the gateway keeps idle backend connections for a moment.
    eventually(lambda: through.open_descriptors() < 40, "descriptors closed", 10)
    stats = backend.stats()
    assert stats["received"] == stats["finished"] + stats["aborted"]
    assert stats["max_computing"] <= 4
