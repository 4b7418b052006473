"""Clients that begin something and do not go on with it, as a process of their own, so that they share no interpreter with
the clients whose times are taken.

    slow_attack.py URL KIND COUNT

Keeps COUNT connections of one KIND there (`head`, `body`, `reader`); those that the gateway cuts come again. Prints a line
for every one that was cut: its age in seconds when it was last seen alive, and when it was seen to be cut.
"""

from __future__ import annotations

import socket
import sys
import time

from sockets import RawClient

REQUESTS = {
    "head": b"GET /attacked HTTP/1.1\r\nHost: gateway\r\nX-A: ",
    "body": b"POST /attacked HTTP/1.1\r\nHost: gateway\r\nContent-Length: 1000\r\n\r\n",
    "reader": b"GET /attacked HTTP/1.1\r\nHost: gateway\r\nX-Size: 16000000\r\n\r\n",
}


class Attacker:
    """One connection."""

    def __init__(self, url: str, kind: str) -> None:
        self.client = RawClient(url, receive_buffer=65_536 if kind == "reader" else None)
        self.reads = kind != "reader"
        self.began = self.seen = time.monotonic()
        self.client.send(REQUESTS[kind])
        self.client.socket.setblocking(False)

    def is_cut(self) -> bool:
        """Whether the gateway has ended it; a reader that does not read looks at the connection's state only."""
        link = self.client.socket
        if not self.reads:
            # TCP_INFO's first byte is the state: 1 is established.
            return link.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0] != 1
        try:
            while link.recv(65536):
                pass
            return True
        except BlockingIOError:
            return False
        except OSError:
            return True

    def trickle(self) -> None:
        """Sends a byte of a head that never ends."""
        try:
            self.client.send(b"a")
        except OSError:
            pass


def run(url: str, kind: str, count: int) -> None:
    """Attacks until the process is ended."""
    attackers = [Attacker(url, kind) for _ in range(count)]
    while True:
        # In small groups, so that the attack is no flood.
        for index, attacker in enumerate(attackers):
            if index % 10 == 0:
                time.sleep(0.01)
            looked = time.monotonic()
            if attacker.is_cut():
                print(f"{attacker.seen - attacker.began:.3f} {time.monotonic() - attacker.began:.3f}", flush=True)
                attacker.client.close()
                attackers[index] = Attacker(url, kind)
                continue
            attacker.seen = looked
            if kind == "head":
                attacker.trickle()


if __name__ == "__main__":
    run(sys.argv[1], sys.argv[2], int(sys.argv[3]))
