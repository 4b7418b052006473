"""The engines of `work_server.py`, started and watched by a test."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

from processes import HERE, Process, request


class Engines(Process):
    """A process with engines."""

    def __init__(self, *options: str) -> None:
        super().__init__([sys.executable, str(HERE / "work_server.py"), *options])
        self.urls: list[str] = []
        self.control: str = self.wait_for_line(self._read_addresses, "addresses of the engines")

    def _read_addresses(self, line: str) -> str | None:
        if not line.startswith("{"):
            return None
        told = json.loads(line)
        self.urls = told["engines"]
        return cast(str, told["listening"])

    def stats(self) -> dict[str, Any]:
        """What each has done, and how long their process stood still."""
        return cast(dict[str, Any], request(self.control, "/stats").json())

    async def tell(self, path: str) -> Any:
        """Asks the control listener from within an event loop."""
        return (await asyncio.to_thread(request, self.control, path)).json()


@contextmanager
def running_engines(*options: str) -> Iterator[Engines]:
    """Engines that end with the block; `running_engines("--places", "8")`."""
    started = Engines(*options)
    try:
        yield started
    finally:
        started.stop()


def default_policy(urls: list[str], in_pool: str = "", extra: str = "") -> str:
    """One pool with these backends and nothing else set; `in_pool` is what a test sets all the same."""
    return f"""\
version: 1
listen: 127.0.0.1:0
admin: 127.0.0.1:0
log: {{access: {{to: off}}}}
pools:
  chat: {{backends: [{", ".join(urls)}]{", " + in_pool if in_pool else ""}}}
routes: [{{path: /*, pool: chat}}]
{extra}"""
