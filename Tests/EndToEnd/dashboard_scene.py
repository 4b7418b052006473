"""A gateway with something to see on its dashboard: two pools, one of which cannot do all that tenants ask for.

Run as a script it makes the picture of the README, of real processes under load:

    PENSTOCK=.build/release/penstock .build/end-to-end/bin/python Tests/EndToEnd/dashboard_scene.py docs/dashboard.png
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from load import Stream, offer
from processes import HERE, ROOT, Gateway, Process, listening_address

CHROMIUM = "/usr/bin/chromium"


def policy(chat: list[str], embeddings: str, admin: str = "127.0.0.1:0", tenants: str = "") -> str:
    """Two pools; `tenants` are further ones of the first."""
    return f"""\
version: 1
listen: 127.0.0.1:0
admin: {admin}
log: {{access: off}}
threads: 2
pools:
  chat:
    backends: {chat}
    limit: {{algorithm: knee, initial: 12, max: 16}}
    queue: {{max_wait: 2s}}
    tenant:
      header: x-tenant
      named:
        - {{name: acme, weight: 2}}
        - {{name: globex}}
        - {{name: initech}}
        - {{name: hooli}}
{tenants}
  embeddings:
    backends: ["{embeddings}"]
    limit: {{algorithm: fixed, limit: 12}}
routes:
  - {{path: /embed, pool: embeddings}}
  - {{path: /*, pool: chat}}
"""


def slots(stack: ExitStack, count: int, milliseconds: int) -> str:
    """A backend that does `count` requests at a time, in `milliseconds` each."""
    command = [sys.executable, str(HERE / "slot_server.py"), "--slots", str(count)]
    backend = Process([*command, "--milliseconds", str(milliseconds), "--spread", "0.3"])
    stack.callback(backend.stop)
    return backend.wait_for_line(listening_address, "address of the slot server")


def streams(acme_rate: float = 60) -> list[Stream]:
    """What tenants ask for, acme most of all, a quarter of it once more."""
    retries = Stream(acme_rate / 4, "X-Tenant: acme\r\nX-Stainless-Retry-Count: 1\r\n")
    acme = [Stream(acme_rate * 3 / 4, "X-Tenant: acme\r\n"), retries]
    others = {"globex": 13, "initech": 7, "hooli": 4}
    return [*acme, Stream(12, path="/embed")] + [Stream(rate, f"X-Tenant: {name}\r\n") for name, rate in others.items()]


@contextmanager
def offering(url: str, wanted: list[Stream], seconds: float) -> Iterator[None]:
    """Offers streams beside whatever is done within, for so many seconds at most."""
    loop = asyncio.new_event_loop()
    task = loop.create_task(offer(url, wanted, seconds, seed=1))

    def run() -> None:
        with suppress(asyncio.CancelledError):
            loop.run_until_complete(task)

    load = threading.Thread(target=run, daemon=True)
    load.start()
    try:
        yield
    finally:
        loop.call_soon_threadsafe(task.cancel)
        load.join(10)


def picture(binary: Path, file: Path, seconds: float) -> None:
    """Shows the page after so many seconds under load."""
    from playwright.sync_api import sync_playwright

    with ExitStack() as stack:
        chat = [slots(stack, 12, 300), slots(stack, 12, 300), slots(stack, 6, 1400)]
        directory = stack.enter_context(tempfile.TemporaryDirectory())
        gateway = Gateway(binary, policy(chat, slots(stack, 8, 40)), Path(directory))
        stack.callback(gateway.stop)
        stack.enter_context(offering(gateway.url, streams(acme_rate=100), seconds + 15))
        time.sleep(seconds)
        playwright = stack.enter_context(sync_playwright())
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1280, "height": 900}, color_scheme="light")
        page.goto(gateway.admin_url)
        page.get_by_role("button", name="2 min").click()
        page.wait_for_timeout(3_000)
        page.screenshot(path=str(file), clip={"x": 0, "y": 0, "width": 1280, "height": 760})
        browser.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file", type=Path)
    parser.add_argument("--seconds", type=float, default=115)
    options = parser.parse_args()
    picture(Path(os.environ.get("PENSTOCK") or ROOT / ".build/release/penstock"), options.file, options.seconds)
