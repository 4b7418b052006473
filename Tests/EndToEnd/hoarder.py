"""A client that takes as many connections as it can get and does little with them, as a process of its own.

    hoarder.py URL KIND COUNT SOURCE

Keeps COUNT connections of one KIND (`silent`, `idle`, `busy`, `head`, `body`, `lingering`) from the address SOURCE there; those
that the gateway ends come again. Prints how many came again, once a second.
"""

from __future__ import annotations

import errno
import selectors
import socket
import sys
import time
from urllib.parse import urlsplit

FIRST = {
    "silent": b"",
    "idle": b"GET /hoarded HTTP/1.1\r\nHost: gateway\r\n\r\n",
    # The same twice a second, so that none rests for long.
    "busy": b"GET /hoarded HTTP/1.1\r\nHost: gateway\r\n\r\n",
    "head": b"GET /hoarded HTTP/1.1\r\nHost: gateway\r\nX-A: ",
    "body": b"POST /hoarded HTTP/1.1\r\nHost: gateway\r\nContent-Length: 100000\r\n\r\n",
    "lingering": b"nonsense\r\n\r\n",
}


def connect(address: tuple[str, int], source: str) -> socket.socket:
    """A connection that is being made."""
    link = socket.socket()
    link.setblocking(False)
    link.setsockopt(socket.IPPROTO_IP, 24, 1)  # IP_BIND_ADDRESS_NO_PORT
    link.bind((source, 0))
    assert link.connect_ex(address) in (0, errno.EINPROGRESS)
    return link


def run(url: str, kind: str, count: int, source: str) -> None:
    """Hoards until the process is ended."""
    parts = urlsplit(url)
    address = (parts.hostname or "", parts.port or 0)
    selector = selectors.DefaultSelector()
    both = selectors.EVENT_READ | selectors.EVENT_WRITE
    for _ in range(count):
        selector.register(connect(address, source), both)
    again, told = 0, time.monotonic()
    asked = told
    while True:
        for key, mask in selector.select(0.1):
            link = key.fileobj
            assert isinstance(link, socket.socket)
            try:
                if mask & selectors.EVENT_WRITE:
                    selector.modify(link, selectors.EVENT_READ)
                    if FIRST[kind]:
                        link.send(FIRST[kind])
                # One that lingers does not close its side, whatever it reads.
                if mask & selectors.EVENT_READ and not link.recv(65536):
                    if kind != "lingering":
                        raise ConnectionResetError
                    selector.unregister(link)
                    selector.register(connect(address, source), both, link)
            except OSError:
                selector.unregister(link)
                link.close()
                again += 1
                selector.register(connect(address, source), both)
        if kind == "busy" and time.monotonic() - asked > 0.5:
            asked = time.monotonic()
            for key in list(selector.get_map().values()):
                if key.events == selectors.EVENT_READ:
                    try:
                        key.fileobj.send(FIRST[kind])  # type: ignore[union-attr]
                    except OSError:
                        pass  # It is seen to have ended when it is read.
        if time.monotonic() - told > 1:
            told = time.monotonic()
            print(again, flush=True)


if __name__ == "__main__":
    run(sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4])
