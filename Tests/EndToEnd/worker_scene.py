"""A gateway that takes workers, engines, and `penstock worker` beside them, as tests of workers have them."""

from __future__ import annotations

import hashlib
import sys
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from processes import HERE, Answer, Gateway, Process, eventually, listening_address, parse_log_line, request

KEY = "pw_0123456789abcdefghijklmnopqrstuvwxyzABCDEFG"
# What the dialect of OpenAI's interface knows to do no harm twice.
REPEATABLE = "/v1/chat/completions"


class CountingEngine(Process):
    """One `counting_engine.py`."""

    def __init__(self, *options: str) -> None:
        super().__init__([sys.executable, str(HERE / "counting_engine.py"), *options])
        self.url: str = self.wait_for_line(listening_address, "address of the engine")

    def seen(self) -> dict[str, Any]:
        """What it has seen."""
        return request(self.url, "/seen").json()


class PenstockWorker(Process):
    """One `penstock worker`."""

    def logged(self, message: str) -> list[dict[str, Any]]:
        """The log's lines with that message."""
        return [line for line in map(parse_log_line, list(self.errors)) if line.get("message") == message]

    def told(self, message: str, count: int = 1, seconds: float = 10) -> list[dict[str, Any]]:
        """Waits for so many of them."""
        eventually(lambda: len(self.logged(message)) >= count, f"{message} {count} times", seconds)
        return self.logged(message)


StartEngine = Callable[..., CountingEngine]
StartWorker = Callable[..., PenstockWorker]


def policy(folder: Path, port: int, listener: str = "", queue: str = "max_requests: 2000, max_wait: 30s, cold_wait: 30s") -> str:
    """A pool of workers."""
    keys = folder / "workers.keys"
    keys.write_text(f"chat sha256:{hashlib.sha256(KEY.encode()).hexdigest()}\n")
    keys.chmod(0o600)
    address = listener or f"127.0.0.1:{port}"
    return f"""\
version: 1
listen: 127.0.0.1:0
admin: 127.0.0.1:0
threads: 2
workers: {{listen: {address}, keys: {keys}}}
pools:
  chat:
    workers: {{}}
    queue: {{{queue}}}
routes: [{{path: /*, pool: chat}}]
"""


def credits(gateway: Gateway) -> int:
    """How many requests the workers of the pool take."""
    return gateway.status()["pools"][0]["limit"]


def wait_for_credits(gateway: Gateway, count: int, seconds: float = 15) -> None:
    """Waits until it is so many."""
    eventually(lambda: credits(gateway) == count, f"{count} credits", seconds)


def load(gateway: Gateway, count: int, clients: int, path: str = REPEATABLE) -> Counter[int]:
    """So many requests by so many clients; how often each status came."""

    def one(_: int) -> Answer:
        return request(gateway.url, path, "POST", b'{"model": "m"}', timeout=60)

    with ThreadPoolExecutor(clients) as pool:
        return Counter(answer.status for answer in pool.map(one, range(count)))
