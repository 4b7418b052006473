"""Clients that read slowly have their time."""

from __future__ import annotations

import socket
import time
from pathlib import Path

import pytest

from conftest import StartGateway
from processes import one_pool
from sockets import RawClient, read_head, scripted_backend


@pytest.mark.limit(60)
@pytest.mark.parametrize("kind", ["tcp", "unix"])
def test_write_stall_counts_what_the_client_takes(gateway: StartGateway, tmp_path: Path, kind: str) -> None:
    """20 kB/s of ten megabytes is never too slow, long before the kernel says that it has room; nothing at all is."""

    def large(connection: socket.socket) -> None:
        read_head(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 10000000\r\n\r\n" + b"~" * 10_000_000)

    with scripted_backend(large) as address:
        path = tmp_path / "gateway"
        listen = "127.0.0.1:0" if kind == "tcp" else f'["127.0.0.1:0", "unix:{path}"]'
        times = "server: {timeouts: {write_stall: 3s}}\n"
        through = gateway(one_pool(address, limit=10, listen=listen, extra=times))

        def connect() -> socket.socket:
            if kind == "tcp":
                return RawClient(through.url).socket
            link = socket.socket(socket.AF_UNIX)
            link.connect(str(path))
            return link

        steady, silent = connect(), connect()
        for link in (steady, silent):
            link.settimeout(10)
            link.sendall(b"GET / HTTP/1.1\r\nHost: gateway\r\n\r\n")
        began = time.monotonic()
        cut_after = 0.0
        got = 0
        while time.monotonic() - began < 15:
            wanted = int(20_000 * (time.monotonic() - began)) - got
            if wanted > 0:
                more = len(steady.recv(wanted))
                assert more, f"cut after {got} bytes"
                got += more
            if not cut_after and through.metric("penstock_requests_total", reason="write_timeout"):
                cut_after = time.monotonic() - began
            time.sleep(0.1)
        print(f"the one that takes nothing was cut after {cut_after:.1f} s")
        assert 2.9 < cut_after < 12
        assert through.metric("penstock_requests_total", reason="write_timeout") == 1
        steady.close()
        silent.close()
        through.wait_until_idle()
