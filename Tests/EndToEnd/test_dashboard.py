"""The dashboard as a browser shows it: Debian's Chromium, a gateway under load, and what axe-core finds wrong."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from conftest import StartGateway
from dashboard_scene import CHROMIUM, offering, policy, slots, streams
from fleet import free_port
from load import ATTEMPTS, Stream
from processes import Gateway, Process, eventually, request

# A name that a policy may give a tenant, and that would be run if it were taken for markup.
HOSTILE = "<img/src=x/onerror=alert(1)>"
HOSTILE_TENANT = f"        - {{name: '{HOSTILE}'}}\n"
SIZES = {"phone": (390, 844), "desk": (1280, 900)}


@pytest.fixture(scope="module")
def scene(penstock: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """A gateway that can do about half of what it is asked for, mostly by acme."""
    with ExitStack() as stack:
        backends = [slots(stack, 4, 200), slots(stack, 4, 200)]
        text = policy(backends, slots(stack, 8, 20), tenants=HOSTILE_TENANT)
        started = Gateway(penstock, text, tmp_path_factory.mktemp("scene"))
        stack.callback(started.stop)
        wanted = [*streams(), Stream(6, f"X-Tenant: {HOSTILE}\r\n")]
        stack.enter_context(offering(started.url, wanted, 100))
        yield started


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Chromium without a window; skips where it or what drives it is missing."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if not Path(CHROMIUM).exists():
        pytest.skip(f"there is no {CHROMIUM} (Debian: apt-get install chromium)")
    with playwright.sync_playwright() as started:
        running = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield running
        running.close()


def violations(page: Any) -> str:
    """What axe-core finds wrong with a page, in words; empty for nothing."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe-playwright-python is missing")
    results = axe.Axe().run(page)
    return results.generate_report() if results.violations_count else ""


class Watched:
    """A page of the dashboard, with everything that went wrong on it."""

    def __init__(self, browser: Any, **settings: Any) -> None:
        self.faults: list[str] = []
        self.page = browser.new_page(**settings)
        self.page.on("console", lambda line: self.faults.append(line.text) if line.type in ("error", "warning") else None)
        self.page.on("pageerror", lambda error: self.faults.append(str(error)))
        self.page.on("dialog", lambda dialog: self.faults.append(f"dialog: {dialog.message}"))


def test_what_a_browser_may_do_with_the_page(gateway: StartGateway) -> None:
    """It is small, its rules name the digest of its script, and other names lead nowhere."""
    through = gateway(policy(["http://127.0.0.1:9"], "http://127.0.0.1:9"))
    page = request(through.admin_url)
    assert page.status == 200 and len(page.body) <= 60_000
    script = page.body.split(b"<script>")[1].split(b"</script>")[0]
    digest = base64.b64encode(hashlib.sha256(script).digest()).decode()
    assert page.headers["content-security-policy"] == (
        f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digest}'; "
        "connect-src 'self'; frame-ancestors 'none'"
    )
    assert page.headers["x-content-type-options"] == "nosniff"
    assert page.headers["cache-control"] == "no-store"
    for path in ("/", "/events", "/status", "/metrics"):
        assert request(through.admin_url, path, headers={"Host": "rebound.example"}).status == 421
        assert request(through.admin_url, path, "POST", b"x").status == 405
    assert request(through.admin_url, "/healthz", headers={"Host": "rebound.example"}).status == 200


def seconds_until_data(page: Any, url: str) -> float:
    """From the page's being asked for to the first sentence."""
    begun = time.monotonic()
    page.goto(url, wait_until="commit")
    page.wait_for_selector(".sentence:not(:empty)", timeout=10_000)
    return time.monotonic() - begun


def test_it_is_there_at_once_and_for_everybody(scene: Gateway, browser: Any) -> None:
    """On phone and desk, dark and light: data within a second, nothing on the console, nothing that axe-core minds."""
    eventually(lambda: "sheds" in scene.status()["pools"][0]["sentence"], "the pool sheds")
    for scheme in ("light", "dark"):
        for width, height in SIZES.values():
            watched = Watched(browser, viewport={"width": width, "height": height}, color_scheme=scheme)
            page = watched.page
            took = min(seconds_until_data(page, scene.admin_url) for _ in range(ATTEMPTS))
            assert took <= 1.0, f"{took:.2f} s until the first data"
            assert page.evaluate("document.documentElement.scrollWidth") <= width
            assert violations(page) == "", f"{scheme} {width}"
            assert watched.faults == []
            page.close()


def test_it_says_why_and_to_whom(scene: Gateway, browser: Any) -> None:
    """The sentence names who asks for most; a name that looks like markup is text; the rows grow by themselves."""
    watched = Watched(browser)
    page = watched.page
    page.goto(scene.admin_url)
    sentence = page.locator(".sentence").first
    named = eventually(
        lambda: (text := sentence.text_content() or "") and "is tenant acme" in text and text, "acme is named", 12
    )
    assert named.startswith("chat sheds ") and page.title().startswith("chat shedding")
    assert page.get_by_text(HOSTILE, exact=True).is_visible()
    assert page.locator("img").count() == 0
    assert page.locator("#state").text_content() == "ready"
    page.get_by_text("as a table").first.click()
    figures = page.locator("details[open] td").all_text_contents()
    assert len(figures) >= 30 and figures[0] == "0 s"
    assert page.locator("section").nth(1).locator(".word").first.text_content() in ("serving", "idle")
    rows = page.evaluate("kept.get('chat').length")
    eventually(lambda: page.evaluate("kept.get('chat').length") > rows, "a row more")
    # A reload that fails is told with its fault.
    scene.policy_file.write_text(scene.policy_file.read_text() + "nonsense: 1\n")
    os.kill(scene.pid, 1)
    fault = page.locator("#reload")
    eventually(lambda: fault.is_visible() and "nonsense" in (fault.text_content() or ""), "the fault is shown")
    assert watched.faults == []


def stream(url: str) -> socket.socket:
    """A watcher, which has had the head of its stream."""
    address = urlsplit(url)
    connection = socket.create_connection((address.hostname or "", address.port or 0), timeout=10)
    connection.sendall(b"GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert connection.recv(15).startswith(b"HTTP/1.1 200 ")
    return connection


@pytest.mark.timed
def test_the_ninth_is_told(gateway: StartGateway, browser: Any) -> None:
    """Eight may watch; the page of the ninth says so, and begins when there is room."""
    through = gateway(policy(["http://127.0.0.1:9"], "http://127.0.0.1:9"))
    watchers = [stream(through.admin_url) for _ in range(8)]
    page = browser.new_page()
    page.goto(through.admin_url)
    fault = page.locator("#fault")
    eventually(lambda: "8 are watching already" in (fault.text_content() or ""), "the ninth is told")
    for watcher in watchers:
        watcher.close()
    eventually(lambda: page.locator(".sentence").count() == 2, "there is room", 15)
    assert not fault.is_visible()
    page.close()


def test_a_browser_asks_for_the_token(gateway: StartGateway, browser: Any, tmp_path: Path) -> None:
    """Where the policy wants it, as a password: with it the page and its events come, without it nothing does."""
    token = tmp_path / "admin.token"
    token.write_text("0123456789abcdef\n")
    token.chmod(0o600)
    text = policy(["http://127.0.0.1:9"], "http://127.0.0.1:9", "{address: '127.0.0.1:0', token_for: pages}")
    through = gateway(f"{text}admin_token_file: {token}\n")
    refused = request(through.admin_url)
    assert refused.status == 401 and b"chat" not in refused.body
    assert request(through.admin_url, "/readyz").status == 200
    context = browser.new_context(http_credentials={"username": "anyone", "password": "0123456789abcdef"})
    page = context.new_page()
    page.goto(through.admin_url)
    eventually(lambda: page.locator(".sentence").count() == 2, "the events come")
    context.close()


def processor_seconds(process: Process) -> float:
    """What a process has used so far."""
    fields = Path(f"/proc/{process.pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@pytest.mark.long
@pytest.mark.limit(300)
def test_what_eight_watchers_cost(scene: Gateway) -> None:
    """At most a hundredth of a core more than without them, for a gateway that rests and remembers what it did."""
    time.sleep(100)  # Until the load is over.
    seconds = 30.0

    def used() -> float:
        before = processor_seconds(scene)
        time.sleep(seconds)
        return (processor_seconds(scene) - before) / seconds

    alone = used()
    watchers = [stream(scene.admin_url) for _ in range(8)]
    for watcher in watchers:
        watcher.settimeout(0.01)

    received = [b""] * len(watchers)

    def drain() -> None:
        for index, watcher in enumerate(watchers):
            try:
                while some := watcher.recv(1 << 20):
                    received[index] += some
            except TimeoutError:
                pass

    before = processor_seconds(scene)
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        drain()
        time.sleep(0.2)
    watched = (processor_seconds(scene) - before) / seconds
    print(f"of a core: alone {alone:.2%}, with eight watchers {watched:.2%}")
    assert watched - alone <= 0.01
    assert all(events.count(b"\nid: ") >= seconds - 3 for events in received)
    for watcher in watchers:
        watcher.close()


# What each pool's sentence has to say, by what is wrong there; `{bad}` is the backend that is at fault.
PLANTED = {
    "slow": "{bad}'s first byte takes ",
    "refusing": "{bad} refuses connections, tried again in ",
    "hole": "{bad} is silent",
    "greedy": " is tenant acme",
    "deadline": "deadlines end before the wait of ",
    "pinned": "the policy fixes the limit",
    "well": "well refuses nothing: ",
}


@pytest.mark.timed
def test_the_planted_cause_is_named(gateway: StartGateway) -> None:
    """Six pools, each with a fault of its own, and one without any."""
    with ExitStack() as stack:
        bad = {"slow": slots(stack, 8, 1500), "hole": slots(stack, 8, 50), "refusing": f"http://127.0.0.1:{free_port()}"}
        fixed = "limit: {algorithm: fixed, limit: 4}"
        pools = {
            "slow": f'backends: ["{slots(stack, 8, 50)}", "{bad["slow"]}"]',
            "refusing": f'backends: ["{slots(stack, 8, 50)}", "{bad["refusing"]}"]',
            "hole": f'backends: ["{slots(stack, 8, 50)}", "{bad["hole"]}"]',
            "greedy": f'backends: ["{slots(stack, 4, 200)}"], {fixed}, tenant: {{header: x-tenant, named: '
            "[{name: acme}, {name: globex}]}",
            "deadline": f'backends: ["{slots(stack, 4, 200)}"], {fixed}, queue: {{max_wait: 5s}}',
            "pinned": f'backends: ["{slots(stack, 8, 100)}"], limit: {{algorithm: fixed, limit: 1}}',
            "well": f'backends: ["{slots(stack, 8, 50)}"]',
        }
        listed = "".join(f"  {name}: {{{pool}}}\n" for name, pool in pools.items())
        routes = "".join(f"  - {{path: /{name}, pool: {name}}}\n" for name in pools)
        through = gateway(
            f"version: 1\nlisten: 127.0.0.1:0\nadmin: 127.0.0.1:0\nlog: {{access: off}}\n"
            f"pools:\n{listed}routes:\n{routes}"
        )
        rates = {"slow": 20, "refusing": 10, "hole": 20, "deadline": 40, "pinned": 25, "well": 8}
        wanted = [Stream(rate, path=f"/{name}") for name, rate in rates.items()]
        wanted[3].fields = "grpc-timeout: 300m\r\n"
        wanted.append(Stream(30, "X-Tenant: acme\r\n", "/greedy"))
        wanted.append(Stream(8, "X-Tenant: globex\r\n", "/greedy"))
        stack.enter_context(offering(through.url, wanted, 50))
        time.sleep(2)
        request(bad["hole"], "/slots/0", "PUT")
        missing = {name: text.format(bad=bad.get(name, "")) for name, text in PLANTED.items()}
        seen: dict[str, str] = {}

        def all_named() -> bool:
            for pool in through.status()["pools"]:
                seen[pool["name"]] = pool["sentence"]
                if missing.get(pool["name"], "") in pool["sentence"]:
                    missing.pop(pool["name"], None)
            time.sleep(0.2)
            return not missing

        eventually(all_named, f"every fault is named: {seen}", 30)


@pytest.mark.timed
def test_a_break_is_filled(gateway: StartGateway) -> None:
    """Who names the last event that it had gets the seconds since, each once."""
    through = gateway(policy(["http://127.0.0.1:9"], "http://127.0.0.1:9"))

    def event(last: int | None) -> tuple[int, list[int]]:
        address = urlsplit(through.admin_url)
        field = f"Last-Event-ID: {last}\r\n" if last else ""
        with socket.create_connection((address.hostname or "", address.port or 0), timeout=10) as connection:
            connection.sendall(f"GET /events HTTP/1.1\r\nHost: localhost\r\n{field}\r\n".encode())
            lines = connection.makefile("r").__iter__()
            second = int(next(line for line in lines if line.startswith("id: "))[4:])
            data = json.loads(next(lines)[6:])
        steps = data["history"]["pools"][0]["seconds"]
        return second, [sum(steps[: index + 1]) for index in range(len(steps))]

    first, _ = eventually(lambda: (got := event(None))[1] and got, "a row")
    second, rows = eventually(lambda: (got := event(first))[0] >= first + 2 and got, "two seconds later")
    assert rows == list(range(first + 1, second + 1))
