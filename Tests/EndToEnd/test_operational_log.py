"""What the operational log tells of backends and drains, without anybody who asks for level debug."""

from __future__ import annotations

import signal
import socket
import threading
import time

import pytest

from conftest import StartGateway
from processes import eventually, one_pool, request
from sockets import RawClient, closed_address, read_head, scripted_backend, unanswering_address

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


def answering(connection: socket.socket) -> None:
    """Answers whatever it is asked."""
    while read_head(connection):
        connection.sendall(ANSWER)


def test_dial_that_is_refused_says_why(gateway: StartGateway) -> None:
    """A request that was tried elsewhere tells nobody; the log does, once for all of a minute."""
    dead = closed_address()
    with scripted_backend(answering) as good:
        through = gateway(one_pool(dead, good, limit=4))
        for _ in range(20):
            assert request(through.url).status == 200
    (line, *more) = eventually(lambda: through.logged("dial failed"), "the line")
    assert len(more) < through.threads
    assert line["level"] == "info"
    assert (line["pool"], line["backend"]) == ("chat", dead)
    assert (line["reason"], line["cause"], line["times"]) == ("connect_failed", "refused", "1")
    (line, *_) = eventually(lambda: through.logged("backend ejected"), "the line")
    assert (line["reason"], line["cause"]) == ("connect_failed", "refused")


@pytest.mark.parametrize(
    ("backend", "reason", "cause"),
    [
        ("http://no-such-name.invalid:80", "connect_failed", "name_unknown"),
        ("http+unix:///nowhere/socket", "connect_failed", "socket_missing"),
    ],
)
def test_dial_that_fails_says_why(gateway: StartGateway, backend: str, reason: str, cause: str) -> None:
    """An unknown name is told apart from a socket that is not there."""
    through = gateway(one_pool(f'"{backend}"'))
    request(through.url)
    (line, *_) = eventually(lambda: through.logged("dial failed"), "the line")
    assert (line["reason"], line["cause"]) == (reason, cause)


def test_dial_that_takes_too_long_says_why(gateway: StartGateway) -> None:
    """Nothing answers: neither the connection nor, where it stands, the handshake."""
    with unanswering_address() as silent:
        through = gateway(one_pool(silent).replace("cancel:", "timeouts: {connect: 300ms}\n    cancel:"))
        assert request(through.url).status == 504
        (line, *_) = eventually(lambda: through.logged("dial failed"), "the line")
    assert (line["reason"], line["cause"]) == ("connect_timeout", "timeout")

    def mute(connection: socket.socket) -> None:
        connection.recv(1 << 16)
        time.sleep(2)

    with scripted_backend(mute) as plain:
        secure = plain.replace("http:", "https:")
        through = gateway(one_pool(secure).replace("cancel:", "timeouts: {connect: 300ms}\n    cancel:"))
        assert request(through.url).status == 504
        (line, *_) = eventually(lambda: through.logged("dial failed"), "the line")
    assert (line["reason"], line["cause"]) == ("connect_timeout", "handshake_timeout")


def test_dial_whose_handshake_fails_says_why(gateway: StartGateway) -> None:
    """What answers does not speak TLS."""
    with scripted_backend(lambda connection: connection.sendall(b"not TLS at all\r\n")) as plain:
        through = gateway(one_pool(plain.replace("http:", "https:")))
        assert request(through.url).status == 502
        (line, *_) = eventually(lambda: through.logged("dial failed"), "the line")
    assert (line["reason"], line["cause"]) == ("tls_failed", "handshake")


def test_suspicion_and_its_end(gateway: StartGateway) -> None:
    """A backend that errs is told of when it is suspected, and when it is trusted again."""
    is_sick = threading.Event()

    def sick(connection: socket.socket) -> None:
        while read_head(connection):
            if is_sick.is_set():
                connection.sendall(b"HTTP/1.1 500 Sick\r\nContent-Length: 0\r\n\r\n")
            else:
                connection.sendall(ANSWER)

    with scripted_backend(sick) as one, scripted_backend(answering) as other:
        through = gateway(one_pool(one, other, limit=4))
        is_sick.set()

        def told(message: str) -> list[dict[str, str]]:
            for _ in range(10):
                request(through.url)
            return through.logged(message)

        (line, *_) = eventually(lambda: told("backend suspected"), "suspicion")
        assert line["level"] == "warning"
        assert (line["pool"], line["backend"], line["cause"]) == ("chat", one, "failures")
        assert not through.logged("backend trusted again")
        is_sick.clear()
        (line, *_) = eventually(lambda: told("backend trusted again"), "its end", 20)
        assert line["level"] == "notice"
        assert (line["pool"], line["backend"], line["cause"]) == ("chat", one, "failures")


def test_drain_that_is_cut(gateway: StartGateway) -> None:
    """Who got no answer in the time that a drain has is told of; a drain in which all got theirs is not."""
    release = threading.Event()

    def slow(connection: socket.socket) -> None:
        read_head(connection)
        release.wait(10)

    with scripted_backend(slow) as address:
        through = gateway(one_pool(address, extra="server: {drain_timeout: 500ms}\n"))
        with RawClient(through.url) as client:
            client.send(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
            eventually(lambda: through.metric("penstock_inflight") == 1, "the request at its backend")
            through.signal(signal.SIGTERM)
            (line,) = eventually(lambda: through.logged("drain cut"), "the line")
        release.set()
    assert line["level"] == "warning"
    assert line["client_connections"] == "1"
    with scripted_backend(answering) as address:
        through = gateway(one_pool(address))
        assert request(through.url).status == 200
        through.signal(signal.SIGTERM)
        eventually(lambda: through.logged("ended"), "the end")
    assert not through.logged("drain cut")
