"""Tenants by API key, their quotas, and what the official clients of OpenAI and Anthropic make of refusals."""

from __future__ import annotations

import asyncio
import hashlib
import random
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

import anthropic
import httpx2
import openai
import pytest

from conftest import StartGateway, StartServer
from processes import eventually, one_pool, request
from sockets import RawClient, chat_bytes

pytestmark = pytest.mark.timed

CLIENTS = 200
SECRET = "penstock-5ecret-that-nobody-may-see"


def key_line(tenant: str, key: str) -> str:
    """A line of a keys file, made without the program under test."""
    return f"{tenant} sha256:{hashlib.sha256(key.encode()).hexdigest()}\n"


def with_tenants(policy: str, tenant: str, more: str = "") -> str:
    """A policy whose one pool has that `tenant` section."""
    mark = "routes: ["
    return policy.replace(mark, f"    tenant: {tenant}\n{more}{mark}", 1)


@dataclass
class Attempt:
    """One HTTP exchange of a client, as its transport saw it."""

    client: str
    sent: float
    answered: float
    headers: httpx2.Headers


class RecordingTransport(httpx2.AsyncHTTPTransport):
    """Notes each exchange below the SDK, which hides its retries from callers."""

    def __init__(self) -> None:
        super().__init__(limits=httpx2.Limits(max_connections=None))
        self.attempts: list[Attempt] = []

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        sent = time.monotonic()
        response = await super().handle_async_request(request)
        name = request.headers["x-client"]
        self.attempts.append(Attempt(name, sent, time.monotonic(), response.headers))
        return response


def test_a_new_key_opens_the_door(
    penstock: Path, server: StartServer, gateway: StartGateway, tmp_path: Path
) -> None:
    """What `penstock key new` prints works in the file and in the client; a reload takes keys in and out."""
    made = subprocess.run([penstock, "key", "new", "acme"], capture_output=True, text=True, check=True)
    key = made.stderr.split()[-1]
    assert made.stdout == key_line("acme", key)
    keys = tmp_path / "team.keys"
    keys.write_text(key_line("other", "another"))
    backend = server("--no-model")
    through = gateway(with_tenants(one_pool(backend.url, limit=4), f"{{keys: {keys}}}"))
    assert request(through.url, "/v1/models").status == 401
    with openai.OpenAI(base_url=f"{through.url}/v1", api_key=key, max_retries=0) as client:
        with pytest.raises(openai.AuthenticationError) as refused:
            client.models.list()
        assert refused.value.response.headers["x-penstock-reason"] == "key_unknown"
        keys.write_text(made.stdout)
        through.signal(signal.SIGHUP)
        eventually(lambda: through.logged("policy reloaded"), "the reload", 20)
        assert client.models.list().data
    with anthropic.Anthropic(base_url=through.url, api_key="nonsense", max_retries=0) as client:
        with pytest.raises(anthropic.AuthenticationError) as unknown:
            client.messages.create(model="m", max_tokens=5, messages=[{"role": "user", "content": "hello"}])
        assert unknown.value.body["error"]["type"] == "authentication_error"
    # A file with a fault leaves the keys in force that there were, and the log does not show what it says.
    keys.write_text(f"acme {key}\n")
    through.signal(signal.SIGHUP)
    eventually(lambda: through.metric("penstock_policy_reload_failures_total") == 1, "the refusal", 20)
    assert request(through.url, "/v1/models", headers={"x-api-key": key}).status == 200
    assert key not in "".join(through.errors)


def test_a_misspelt_tenant_is_an_error(
    penstock: Path, server: StartServer, gateway: StartGateway, tmp_path: Path
) -> None:
    """A key of a tenant that nobody named is told at the check and at a reload, which leaves the old keys in force."""
    keys = tmp_path / "team.keys"
    keys.write_text(key_line("acme", "first"))
    backend = server("--no-model")
    named = "named: [{name: acme, requests_per_minute: 1000}]"
    through = gateway(with_tenants(one_pool(backend.url, limit=4), f"{{keys: {keys}, {named}}}"))

    def status(key: str) -> int:
        return request(through.url, "/v1/models", headers={"x-api-key": key}).status

    keys.write_text(key_line("acme", "first") + key_line("amce", "second"))
    checked = subprocess.run([penstock, "check", through.policy_file], capture_output=True, text=True, check=False)
    fault = f"{keys}:2:1: error: keys file: is a key of a tenant that pool chat does not name"
    assert checked.returncode != 0 and fault in checked.stdout + checked.stderr
    through.signal(signal.SIGHUP)
    eventually(lambda: through.metric("penstock_policy_reload_failures_total") == 1, "the refusal", 20)
    eventually(lambda: any("did you mean `acme`?" in line for line in through.errors), "the fault in the log")
    assert (status("first"), status("second")) == (200, 401)
    keys.write_text(key_line("acme", "first") + key_line("acme", "second"))
    through.signal(signal.SIGHUP)
    eventually(lambda: through.logged("policy reloaded"), "the reload", 20)
    assert (status("first"), status("second")) == (200, 200)


def test_a_fallback_is_no_way_round_a_quota(server: StartServer, gateway: StartGateway) -> None:
    """Streams that fell back are charged by what they came to, and what is used up is refused in both pools."""
    backend = server("--no-model", "--concurrency", "100")
    policy = f"""
listen: 127.0.0.1:0
admin: 127.0.0.1:0
log: {{access: {{to: off}}}}
pools:
  large:
    backends: ["{backend.url}"]
    limit: 1
    queue: {{max_requests: 0}}
    tenant: {{header: x-tenant, named: [{{name: acme, tokens_per_minute: 900}}]}}
  small:
    backends: ["{backend.url}"]
    limit: 50
routes:
  - {{path: /small/*, pool: small}}
  - {{path: /*, pool: large, fallback: {{pool: small}}}}
"""
    through = gateway(policy)
    headers = {"x-tenant": "acme"}
    with RawClient(through.url) as holder:
        holder.send(chat_bytes(2_000, 0.05))
        holder.read_until(b"data: ")
        seen = []
        for _ in range(40):
            answer = request(through.url, "/v1/models", headers=headers, body=b"x" * 400)
            seen.append((answer.status, answer.headers.get("x-penstock-fallback")))
            if answer.status == 429:
                assert answer.headers["x-penstock-reason"] == "tenant_token_rate"
                break
        # A hundred tokens and more each: some of them, and then no more.
        assert seen[0] == (200, "small") and seen[-1] == (429, None) and len(seen) <= 12, seen
        other = request(through.url, "/v1/models", headers={"x-tenant": "other"})
        assert (other.status, other.headers["x-penstock-fallback"]) == (200, "small")


def test_keys_are_written_nowhere(server: StartServer, gateway: StartGateway, tmp_path: Path) -> None:
    """Neither logs at their most talkative nor the admin pages show a key, known or not, and the backend gets none."""
    keys = tmp_path / "team.keys"
    keys.write_text(key_line("acme", SECRET))
    backend = server("--no-model")
    policy = with_tenants(one_pool(backend.url, max_requests=0), f"{{keys: {keys}, named: [{{name: acme}}]}}")
    policy = policy.replace("log: {access: {to: off}}", "log: {level: trace, access: {to: stdout}}")
    through = gateway(policy)
    wrong = SECRET + "-wrong"
    for field, scheme in (("Authorization", "Bearer "), ("x-api-key", ""), ("api-key", "")):
        for key, status in ((SECRET, 200), (wrong, 401)):
            answer = request(through.url, "/v1/models", headers={field: scheme + key})
            assert answer.status == status
            assert SECRET not in str(dict(answer.headers)) + answer.body.decode()
    pages = [request(through.admin_url, path).body.decode() for path in ("/metrics", "/status")]
    assert 'tenant="acme"' in pages[0]
    eventually(lambda: len(through.output) >= 6, "six lines of the access log")
    through.stop()
    for text in [*pages, *through.output, *through.errors, *backend.errors, *backend.output]:
        assert SECRET not in text


def test_a_burst_is_told_to_come_back_spread_out(server: StartServer, gateway: StartGateway) -> None:
    """Two hundred clients shed at once are given times all over the window, none outside of 1 to 60 s."""
    backend = server("--no-model", "--concurrency", "100")
    through = gateway(one_pool(backend.url, limit=1, max_requests=0))
    with RawClient(through.url) as holder:
        holder.send(chat_bytes(2_000, 0.05))
        holder.read_until(b"data: ")
        clients = [RawClient(through.url) for _ in range(CLIENTS)]
        for client in clients:
            client.send(b"GET /v1/models HTTP/1.1\r\nHost: g\r\n\r\n")
        waits = []
        for client in clients:
            head = client.read_until(b"\r\n\r\n").decode().lower()
            fields = dict(line.split(": ", 1) for line in head.split("\r\n")[1:] if ": " in line)
            assert head.split()[1] == "503"
            assert 1 <= int(fields["retry-after"]) <= 60
            milliseconds = int(fields["retry-after-ms"])
            assert 1_000 <= milliseconds <= 1_000 * int(fields["retry-after"])
            waits.append(milliseconds)
            client.close()
    low, high = min(waits), max(waits)
    assert high >= 1.35 * low
    # Of ten equal parts of the window none gets more than twice its share, and none is empty.
    parts = [0] * 10
    for wait in waits:
        parts[min(9, 10 * (wait - low) // (high - low))] += 1
    assert max(parts) <= 2 * CLIENTS / 10 and min(parts) > 0, parts


@pytest.mark.limit(120)
def test_both_clients_obey(server: StartServer, gateway: StartGateway) -> None:
    """OpenAI's and Anthropic's clients come back when they were told to, and the gateway sees that they do."""
    backend = server("--no-model", "--concurrency", "100")
    policy = one_pool(backend.url, limit=1, max_requests=0)
    through = gateway(with_tenants(policy, "{header: x-tenant, named: [{name: acme}]}"))
    transport = RecordingTransport()
    counts = {"openai": 20, "anthropic": 20}

    async def ask() -> None:
        http = httpx2.AsyncClient(transport=transport)
        calls = []
        first = openai.AsyncOpenAI(base_url=f"{through.url}/v1", api_key="k", max_retries=1, http_client=http)
        second = anthropic.AsyncAnthropic(base_url=through.url, api_key="k", max_retries=1, http_client=http)
        message = [{"role": "user", "content": "hello"}]
        for number in range(counts["openai"]):
            headers = {"X-Tenant": "acme", "X-Client": f"openai-{number}"}
            calls.append(first.chat.completions.create(model="m", messages=message, extra_headers=headers))
        for number in range(counts["anthropic"]):
            headers = {"X-Tenant": "acme", "X-Client": f"anthropic-{number}"}
            calls.append(
                second.messages.create(model="m", max_tokens=9, messages=message, extra_headers=headers)
            )
        outcomes = await asyncio.gather(*calls, return_exceptions=True)
        for outcome in outcomes[: counts["openai"]]:
            assert isinstance(outcome, openai.InternalServerError), outcome
            assert outcome.status_code == 503
        for outcome in outcomes[counts["openai"] :]:
            assert isinstance(outcome, anthropic.APIStatusError), outcome
            assert outcome.status_code == 529
            assert outcome.body["error"]["type"] == "overloaded_error"
        await http.aclose()

    with RawClient(through.url) as holder:
        holder.send(chat_bytes(2_000, 0.05))
        holder.read_until(b"data: ")
        asyncio.run(ask())
    by_client: dict[str, list[Attempt]] = {}
    for attempt in transport.attempts:
        by_client.setdefault(attempt.client, []).append(attempt)
    assert len(by_client) == sum(counts.values())
    for attempts in by_client.values():
        assert len(attempts) == 2
        told = int(attempts[0].headers["retry-after-ms"]) / 1_000
        waited = attempts[1].sent - attempts[0].answered
        # Never before the time; later only by what a busy machine needs.
        assert told - 0.02 <= waited <= told + 10, (told, waited)
    retries = sum(counts.values())
    assert through.metric("penstock_tenant_retries_total", tenant="acme") == retries
    assert through.metric("penstock_tenant_requests_total", tenant="acme") == 2 * retries
    assert through.metric("penstock_client_retries_total") == retries


class Gate:
    """Stands in front of the gateway and holds each connection's first request until all have one, so that the requests of
    as many clients as one process can have arrive together."""

    def __init__(self, url: str, count: int) -> None:
        self.host, port = url.removeprefix("http://").split(":")
        self.port = int(port)
        self.count = count
        self.held: list[tuple[asyncio.StreamWriter, bytes]] = []
        self.is_open = asyncio.Event()
        self.opening_seconds = 0.0

    async def start(self) -> str:
        """Listens, and answers with its URL."""
        self.server = await asyncio.start_server(self.serve, "127.0.0.1", 0, backlog=2 * self.count)
        return f"http://127.0.0.1:{self.server.sockets[0].getsockname()[1]}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        from_gateway, to_gateway = await asyncio.open_connection(self.host, self.port)
        if not self.is_open.is_set():
            head = await reader.readuntil(b"\r\n\r\n")
            length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
            body = await reader.readexactly(int(length.partition(b":")[2]))
            self.held.append((to_gateway, head + body))
            if len(self.held) == self.count:
                began = time.monotonic()
                for other, sent in self.held:
                    other.write(sent)
                self.opening_seconds = time.monotonic() - began
                self.is_open.set()
        await asyncio.gather(self.relay(reader, to_gateway), self.relay(from_gateway, writer))

    @staticmethod
    async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Passes on what comes, and the end."""
        try:
            while data := await reader.read(65_536):
                writer.write(data)
        except ConnectionError:
            pass
        writer.close()


def parts_of(values: list[float], parts: int = 10) -> list[int]:
    """How many values are in each of so many equal parts of their range."""
    low, high = min(values), max(values)
    counts = [0] * parts
    for value in values:
        counts[min(parts - 1, int(parts * (value - low) / (high - low)))] += 1
    return counts


@pytest.mark.limit(240)
def test_two_hundred_clients_come_back_spread_out(server: StartServer, gateway: StartGateway) -> None:
    """A hundred clients of OpenAI's and a hundred of Anthropic's, shed together, come back all over the window that they
    were told."""
    backend = server("--no-model", "--concurrency", "100")
    message = [{"role": "user", "content": "hello"}]

    async def burst(url: str) -> list[list[Attempt]]:
        gate = Gate(url, CLIENTS)
        through = await gate.start()
        transport = RecordingTransport()
        http = httpx2.AsyncClient(transport=transport)
        calls = []
        for number in range(CLIENTS // 2):
            first = openai.AsyncOpenAI(base_url=f"{through}/v1", api_key="k", max_retries=1, http_client=http)
            headers = {"X-Client": f"openai-{number}"}
            calls.append(first.chat.completions.create(model="m", messages=message, extra_headers=headers))
            second = anthropic.AsyncAnthropic(base_url=through, api_key="k", max_retries=1, http_client=http)
            headers = {"X-Client": f"anthropic-{number}"}
            calls.append(
                second.messages.create(model="m", max_tokens=9, messages=message, extra_headers=headers)
            )
        outcomes = await asyncio.gather(*calls, return_exceptions=True)
        assert {getattr(outcome, "status_code", outcome) for outcome in outcomes} <= {429, 503, 529}
        await http.aclose()
        gate.server.close()
        print(f"{CLIENTS} requests were let go within {1_000 * gate.opening_seconds:.1f} ms")
        by_client: dict[str, list[Attempt]] = {}
        for attempt in transport.attempts:
            by_client.setdefault(attempt.client, []).append(attempt)
        return list(by_client.values())

    def measure() -> None:
        through = gateway(one_pool(backend.url, limit=1, max_requests=0))
        with RawClient(through.url) as holder:
            holder.send(chat_bytes(2_000, 0.05))
            holder.read_until(b"data: ")
            clients = asyncio.run(burst(through.url))
        assert len(clients) == CLIENTS and all(len(attempts) == 2 for attempts in clients)
        assert through.metric("penstock_client_retries_total") == CLIENTS
        told = [int(first.headers["retry-after-ms"]) / 1_000 for first, _ in clients]
        for (first, second), seconds in zip(clients, told, strict=True):
            assert 1 <= int(first.headers["retry-after"]) <= 60
            assert second.sent - first.answered >= seconds - 0.02, "a client came back early"
        assert max(told) >= 1.35 * min(told)
        assert max(parts_of(told)) <= 2 * CLIENTS / 10 and min(parts_of(told)) > 0, parts_of(told)
        # What a busy machine does to clients is not the gateway's: the returns are measured again.
        returns = [second.sent for _, second in clients]
        print(f"told {min(told):.2f} to {max(told):.2f} s; back by tenths of the window: {parts_of(returns)}")
        spread.append(max(parts_of(returns)) <= 3 * CLIENTS / 10)

    spread: list[bool] = []
    while not any(spread) and len(spread) < 3:
        measure()
    assert any(spread), "many came back at once"


def test_made_up_tenants_add_no_series(server: StartServer, gateway: StartGateway) -> None:
    """Whatever clients put into the tenant's field, metrics have as many series as before."""
    backend = server("--no-model")
    policy = one_pool(backend.url, limit=4)
    through = gateway(with_tenants(policy, "{header: x-tenant, named: [{name: acme}]}"))

    def series() -> set[tuple[str, str]]:
        return {(sample.name, str(sorted(sample.labels.items()))) for sample in through.metrics()}

    # Both, those who are named and the others, have their series from their first request on.
    for tenant in ("acme", "somebody"):
        request(through.url, "/v1/models", headers={"X-Tenant": tenant})
    before = series()
    chance = random.Random(1)
    with RawClient(through.url) as client:
        for _ in range(300):
            name = "".join(chance.choices("abcdefghijklmnopqrstuvwxyz0123456789-", k=chance.randint(1, 64)))
            client.send(f"GET /v1/models HTTP/1.1\r\nHost: g\r\nX-Tenant: {name}\r\n\r\n".encode())
            client.read_until(b"]}")
    assert series() == before
    assert "acme" in str(before) and len(before) < 2_000


def test_quotas_are_given_back(server: StartServer, gateway: StartGateway) -> None:
    """A client that leaves before its answer has used nothing; one that got it has, and reads what is left."""
    backend = server("--no-model", "--concurrency", "100")
    policy = one_pool(backend.url, limit=1, max_wait="20s")
    terms = "{name: acme, requests_per_minute: 5, tokens_per_minute: 100000}"
    through = gateway(with_tenants(policy, f"{{header: x-tenant, named: [{terms}]}}"))
    tenant = {"X-Tenant": "acme"}
    holder = RawClient(through.url)
    holder.send(chat_bytes(2_000, 0.05))
    holder.read_until(b"data: ")
    waiting = [RawClient(through.url) for _ in range(4)]
    for client in waiting:
        client.send(b"GET /v1/models HTTP/1.1\r\nHost: g\r\nX-Tenant: acme\r\n\r\n")
    eventually(lambda: through.metric("penstock_queue_requests") == 4, "four waiting")
    for client in waiting:
        client.close()
    eventually(lambda: through.metric("penstock_queue_requests") == 0, "nobody waiting")
    holder.close()
    through.wait_until_idle()
    with openai.OpenAI(base_url=f"{through.url}/v1", api_key="k", max_retries=0, default_headers=tenant) as client:
        left = []
        for _ in range(5):
            raw = client.models.with_raw_response.list()
            assert raw.headers["x-ratelimit-limit-requests"] == "5"
            left.append(int(raw.headers["x-ratelimit-remaining-requests"]))
        assert left[0] == 4 and left == sorted(left, reverse=True)
        with pytest.raises(openai.RateLimitError) as refused:
            for _ in range(5):
                client.models.list()
        headers = refused.value.response.headers
        assert headers["x-penstock-reason"] == "tenant_request_rate"
        assert 1 <= int(headers["retry-after"]) <= 60
        assert headers["x-ratelimit-remaining-requests"] == "0"


@pytest.mark.limit(120)
@pytest.mark.parametrize("classes", ["", "priority: {header: x-class, classes: [high, low], default: high}"])
def test_one_request_gets_through_a_flood(classes: str, server: StartServer, gateway: StartGateway) -> None:
    """Tenant A floods with a thousand; B's one is served after few others, also from a lower class."""
    backend = server("--no-model", "--concurrency", "100")
    policy = one_pool(backend.url, limit=4, max_requests=2_000, max_wait="100s")
    more = f"    {classes}\n" if classes else ""
    through = gateway(with_tenants(policy, "{header: x-tenant}", more))
    flood = [RawClient(through.url) for _ in range(1_000)]
    one = RawClient(through.url)

    def chat(tenant: str, priority: str) -> bytes:
        """A request of 200 ms."""
        claims = f"X-Tenant: {tenant}\r\nX-Class: {priority}\r\nHost: ".encode()
        return chat_bytes(2, 0.1, stream=False).replace(b"Host: ", claims, 1)

    for client in flood:
        client.send(chat("a", "high"))
    eventually(lambda: through.metric("penstock_queue_requests") > 300, "a long queue", 20)
    before = through.metric("penstock_decisions_total", outcome="forwarded")
    one.send(chat("b", "low"))
    assert b" 200 " in one.read_until(b"\r\n\r\n").partition(b"\r\n")[0]
    after = through.metric("penstock_decisions_total", outcome="forwarded")
    assert through.metric("penstock_queue_requests") > 0, "the flood was over before the one was served"
    # What was in flight, a turn of the flood's or sixteen of a higher class (starvation_bound), and what was
    # started while this test looked.
    assert 0 < after - before <= 100
    for client in [*flood, one]:
        client.close()
    through.wait_until_idle(20)


@pytest.mark.limit(120)
def test_long_prompts_and_short_ones_get_the_same_tokens(server: StartServer, gateway: StartGateway) -> None:
    """Two tenants that always want more get as many tokens each, though one's prompts are ten times as long."""
    backend = server("--no-model", "--concurrency", "100")
    policy = one_pool(backend.url, limit=4, max_requests=1_000, max_wait="60s")
    through = gateway(
        with_tenants(policy, "{header: x-tenant, share_by: tokens, named: [{name: long}, {name: short}]}")
    )
    host, port = through.url.removeprefix("http://").split(":")

    async def loop(tenant: str, padding: int) -> None:
        reader, writer = await asyncio.open_connection(host, int(port))
        claim = f"X-Tenant: {tenant}\r\nHost: ".encode()
        wanted = chat_bytes(1, 0.05, stream=False)
        head, _, body = wanted.partition(b"\r\n\r\n")
        # White space behind JSON is part of the body, and costs the backend nothing.
        body += b" " * padding
        lines = [line for line in head.split(b"\r\n") if not line.startswith(b"Content-Length")]
        sent = b"\r\n".join([*lines, f"Content-Length: {len(body)}".encode(), b"", body])
        sent = sent.replace(b"Host: ", claim, 1)
        while True:
            writer.write(sent)
            answer = await reader.readuntil(b"\r\n\r\n")
            assert answer.startswith(b"HTTP/1.1 200"), answer
            fields = dict(line.split(b": ", 1) for line in answer.lower().split(b"\r\n")[1:] if b": " in line)
            await reader.readexactly(int(fields[b"content-length"]))

    def used() -> dict[str, float]:
        return {name: through.metric("penstock_tenant_tokens_total", tenant=name) for name in ("long", "short")}

    async def measure() -> tuple[dict[str, float], dict[str, float]]:
        loops = [asyncio.create_task(loop("long", 8_000)) for _ in range(24)]
        loops += [asyncio.create_task(loop("short", 650)) for _ in range(24)]
        await asyncio.sleep(5)
        before = await asyncio.to_thread(used)
        await asyncio.sleep(25)
        after = await asyncio.to_thread(used)
        for task in loops:
            assert not task.done(), task
            task.cancel()
        return before, after

    before, after = asyncio.run(measure())
    long, short = (after[name] - before[name] for name in ("long", "short"))
    assert long > 50_000
    assert abs(long / short - 1) < 0.05, (long, short)
