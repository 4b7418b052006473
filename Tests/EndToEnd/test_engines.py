"""Ollama, TGI, SGLang and Triton behind the gateway: their answers and streams pass byte for byte, what they report is
counted, and what the gateway says itself is in their form. The engines are simulated, with real bodies and streams."""

from __future__ import annotations

import json
import signal
import time
from dataclasses import dataclass
from typing import Any

import pytest

from conftest import StartEngine, StartGateway
from engine_fixtures import LINES, SERVER_SENT, Fixture
from processes import Engine, Gateway, eventually, post_json
from sockets import RawClient, post_bytes

TOKENS = 5


@dataclass(frozen=True)
class Interface:
    """One way of asking an engine, and what it reports: tokens of the prompt and of the answer."""

    path: str
    body: dict[str, Any]
    model: str
    reported: tuple[int, int]

    def __str__(self) -> str:
        return self.path.strip("/").replace("/", "-")


# Triton reports no tokens: its events are counted. TGI tells those of the prompt in streams only.
WHOLE = [
    Interface("/api/generate", {"model": "llama3.2", "prompt": "why", "stream": False}, "llama3.2", (26, 290)),
    Interface("/generate", {"inputs": "why"}, "", (0, 4)),
    Interface("/generate", {"text": "why", "sampling_params": {"max_new_tokens": 9}}, "", (7, 8)),
    Interface("/v2/models/ensemble/generate", {"text_input": "why"}, "ensemble", (0, 0)),
]
STREAMS = [
    Interface("/api/generate", {"model": "llama3.2", "prompt": "why"}, "llama3.2", (26, 259)),
    Interface("/api/chat", {"model": "llama3.2", "messages": []}, "llama3.2", (31, 2)),
    Interface("/generate_stream", {"inputs": "why"}, "", (5, 2)),
    Interface("/generate", {"text": "why", "stream": True}, "", (6, 2)),
    Interface("/v2/models/ensemble/generate_stream", {"text_input": "why"}, "ensemble", (0, TOKENS + 1)),
]


def policy(engine: Engine, pool: str = "limit: 4") -> str:
    """Ollama's and Triton's models are named by bodies and paths, the others have one."""
    return f"""\
version: 1
listen: 127.0.0.1:0
admin: 127.0.0.1:0
log: {{access: {{to: off}}}}
pools:
  engine: {{backends: ["{engine.url}"], {pool}}}
routes:
  - {{path: /api/*, pool: engine, models: ["llama3.2*"]}}
  - {{path: /v2/models/*, pool: engine, models: [ensemble]}}
  - {{path: /generate, pool: engine}}
  - {{path: /generate_stream, pool: engine}}
"""


def fixture(interface: Interface) -> Fixture:
    """What the engine answers to it."""
    found = Fixture.of(interface.path, interface.body)
    assert found
    return found


def counted(gateway: Gateway, interface: Interface) -> tuple[float, float]:
    """Tokens of prompts and answers of its model."""
    names = ("penstock_input_tokens_total", "penstock_output_tokens_total")
    first, second = (gateway.metric(name, model=interface.model) for name in names)
    return first, second


@pytest.mark.parametrize("interface", WHOLE, ids=str)
def test_answers_pass_and_are_counted(
    interface: Interface, engine: StartEngine, gateway: StartGateway
) -> None:
    """In one piece."""
    through = gateway(policy(engine("--tokens", str(TOKENS))))
    answer = post_json(through.url, interface.path, interface.body)
    assert answer.status == 200
    assert answer.body == fixture(interface).whole
    assert counted(through, interface) == interface.reported
    assert through.metric("penstock_model_responses_total", model=interface.model) == 1
    assert through.metric("penstock_goodput_total", model=interface.model) == 1


@pytest.mark.parametrize("interface", STREAMS, ids=str)
def test_streams_pass_and_are_counted(
    interface: Interface, engine: StartEngine, gateway: StartGateway
) -> None:
    """Event by event, whatever an event looks like."""
    through = gateway(policy(engine("--tokens", str(TOKENS))))
    answer = post_json(through.url, interface.path, interface.body)
    expected = fixture(interface)
    assert answer.headers["content-type"] == expected.content_type
    assert answer.body == b"".join(expected.events(TOKENS))
    assert counted(through, interface) == interface.reported
    first = through.metric("penstock_time_to_first_token_seconds_count", model=interface.model)
    between = through.metric("penstock_inter_token_seconds_count", model=interface.model)
    # What ends a stream of SGLang's is no event of the model's, and Ollama's last event carries no token.
    ends = (b"[DONE]", b'"done":true', b'"done": true')
    events = [event for event in expected.events(TOKENS) if not any(end in event for end in ends)]
    assert (first, between) == (1, len(events) - 1)


def error_of(body: bytes, dialect: str) -> str:
    """What a client of the dialect reads as the error's message."""
    value = json.loads(body)
    if dialect == "tgi":
        assert value["error_type"] in ("overloaded", "generation", "validation")
    else:
        assert set(value) == {"error"}
    assert isinstance(value["error"], str)
    return value["error"]


def dialect(interface: Interface) -> str:
    """Whose errors they are: SGLang's own interface has TGI's path."""
    return "tgi" if interface.path.startswith("/generate") else "bare"


@pytest.mark.parametrize("interface", STREAMS, ids=str)
def test_refusals_are_in_the_engines_form(
    interface: Interface, engine: StartEngine, gateway: StartGateway
) -> None:
    """While one stream has the only place."""
    through = gateway(policy(engine("--tokens", "1000"), "limit: 1, queue: {max_requests: 0}"))
    with RawClient(through.url) as holder:
        holder.send(post_bytes(interface.path, interface.body))
        holder.read_until(b"\r\n\r\n")
        refused = post_json(through.url, interface.path, interface.body)
    assert refused.status == 503
    assert 1 <= int(refused.headers["retry-after"]) <= 60
    assert refused.headers["x-penstock-reason"] == "queue_full"
    assert "at its limit" in error_of(refused.body, dialect(interface))
    through.wait_until_idle()


@pytest.mark.parametrize("interface", STREAMS, ids=str)
@pytest.mark.parametrize("fault", ["killed", "stopped"])
def test_streams_that_fail_end_with_an_event(
    fault: str, interface: Interface, engine: StartEngine, gateway: StartGateway
) -> None:
    """Of an engine that dies, and of one that stands still for longer than a stream may."""
    started = engine("--tokens", "1000")
    through = gateway(policy(started, "limit: 4, timeouts: {stream_stall: 500ms}"))
    with RawClient(through.url) as client:
        client.send(post_bytes(interface.path, interface.body))
        client.read_until(fixture(interface).events(1)[0])
        if fault == "killed":
            started.kill()
        else:
            started.signal(signal.SIGSTOP)
        rest = client.read_until(b"\r\n0\r\n\r\n")
    if fault == "stopped":
        started.signal(signal.SIGCONT)
    last = rest.removesuffix(b"\r\n0\r\n\r\n").rpartition(b"\r\n")[2]
    if fixture(interface).content_type == LINES:
        assert last.endswith(b"}\n") and not last.endswith(b"\n\n")
    else:
        assert fixture(interface).content_type == SERVER_SENT
        assert last.startswith(b"data:") and last.endswith(b"}\n\n")
    reason = "upstream_closed" if fault == "killed" else "stream_stalled"
    message = "closed the connection" if fault == "killed" else "stopped in the middle"
    assert message in error_of(last.removeprefix(b"data:"), dialect(interface))
    eventually(lambda: through.metric("penstock_requests_total", reason=reason) == 1, reason)
    through.wait_until_idle()


@pytest.mark.parametrize("interface", STREAMS, ids=str)
def test_a_client_that_leaves_stops_the_engine(
    interface: Interface, engine: StartEngine, gateway: StartGateway
) -> None:
    """Within 100 ms where the machine has time for it, and its place is free."""
    started = engine("--tokens", "1000")
    through = gateway(policy(started, "limit: 1"))

    def leave() -> float:
        before = started.stats()["cancelled"]
        with RawClient(through.url) as client:
            client.send(post_bytes(interface.path, interface.body))
            client.read_until(fixture(interface).events(1)[0])
            left = time.time()
        stats = eventually(lambda: (now := started.stats())["cancelled"] > before and now, "the engine stops")
        through.wait_until_idle()
        return stats["cancelled_at"] - left

    assert min(leave() for _ in range(3)) < 0.1


@pytest.mark.parametrize("interface", STREAMS, ids=str)
def test_an_engines_own_refusal_passes(
    interface: Interface, engine: StartEngine, gateway: StartGateway
) -> None:
    """As it is, and the limit takes it for what it says."""
    started = engine("--tokens", "1000", "--slots", "1", "--refuse")
    through = gateway(policy(started, "limit: {algorithm: aimd, initial: 100}"))
    with RawClient(through.url) as holder:
        holder.send(post_bytes(interface.path, interface.body))
        holder.read_until(fixture(interface).events(1)[0])
        refused = post_json(through.url, interface.path, interface.body)
    expected = fixture(interface)
    assert (refused.status, refused.body) == (expected.overload_status, expected.overload)
    assert through.metric("penstock_limit") < 100


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/api/chat", {"messages": [], "model": "mistral"}),
        ("/v2/models/other/generate", {"text_input": "why"}),
        ("/v2/models/other/infer", {"inputs": []}),
    ],
)
def test_unknown_models_are_not_found(
    path: str, body: dict[str, Any], engine: StartEngine, gateway: StartGateway
) -> None:
    """By the name in the body or in the path."""
    started = engine()
    through = gateway(policy(started))
    answer = post_json(through.url, path, body)
    assert answer.status == 404
    assert answer.headers["x-penstock-reason"] == "model_unknown"
    assert "does not exist" in error_of(answer.body, "bare")
    assert started.stats()["models"] == []
