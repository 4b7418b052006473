"""The official clients of OpenAI and Anthropic against simulated engines: models, usage, errors, cancelling, fallbacks."""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any

import anthropic
import httpx2
import openai
import pytest

from conftest import StartEngine, StartGateway
from processes import Engine, Gateway, eventually

MESSAGES: list[Any] = [{"role": "user", "content": "Say something."}]


def policy(large: Engine, small: Engine, pool: str = "limit: 4", fallback: str = "") -> str:
    """Two pools and an alias."""
    return f"""\
version: 1
listen: 127.0.0.1:0
admin: 127.0.0.1:0
log: {{access: {{to: off}}}}
pools:
  large: {{backends: ["{large.url}"], {pool}}}
  small: {{backends: ["{small.url}"], limit: 64}}
routes:
  - {{path: /v1/*, pool: large, models: [large]{fallback}}}
  - {{path: /v1/*, pool: small, models: ["small*"]}}
models:
  aliases: {{gpt-4o: large}}
"""


def chat(gateway: Gateway, **options: Any) -> openai.OpenAI:
    """OpenAI's client."""
    return openai.OpenAI(base_url=f"{gateway.url}/v1", api_key="unused", timeout=30, **options)


def claude(gateway: Gateway, **options: Any) -> anthropic.Anthropic:
    """Anthropic's client."""
    return anthropic.Anthropic(base_url=gateway.url, api_key="unused", timeout=30, **options)


def test_openai_finds_its_models(engine: StartEngine, gateway: StartGateway) -> None:
    """Names, aliases, patterns, the list, and what is unknown; usage is counted by model."""
    large, small = engine(), engine()
    through = gateway(policy(large, small))
    with chat(through, max_retries=0) as client:
        whole = client.chat.completions.create(model="gpt-4o", messages=MESSAGES, max_tokens=20)
        assert whole.usage is not None and whole.usage.completion_tokens == 8
        stream = client.chat.completions.create(model="small-1", messages=MESSAGES, stream=True)
        text = "".join(event.choices[0].delta.content or "" for event in stream if event.choices)
        assert text == "token " * 8
        assert [model.id for model in client.models.list()] == ["large", "gpt-4o"]
        with pytest.raises(openai.NotFoundError) as caught:
            client.chat.completions.create(model="none", messages=MESSAGES)
        assert caught.value.code == "model_not_found"
        assert caught.value.request_id
    assert large.stats()["models"] == ["large"], "an alias reaches the engine as the model's name"
    assert small.stats()["models"] == ["small-1"]
    # The client closes its stream at `[DONE]`, before the gateway sees the end.
    through.wait_until_idle()
    for pool, model in (("large", "large"), ("small", "small-1")):
        assert through.metric("penstock_input_tokens_total", pool=pool, model=model) == 11
        assert through.metric("penstock_output_tokens_total", pool=pool, model=model) == 8
    assert through.metric("penstock_time_to_first_token_seconds_count", model="small-1") == 1
    assert through.metric("penstock_inter_token_seconds_count", model="small-1") == 7


def test_usage_is_asked_for_and_kept_from_who_did_not_ask(engine: StartEngine, gateway: StartGateway) -> None:
    """The engine is asked in the client's stead, quotas have the real tokens, and clients see what they asked for."""
    large, small = engine(), engine()
    text = policy(large, small, pool="limit: 4, tenant: {header: x-tenant, named: [{name: a, tokens_per_minute: 60000}]}")
    through = gateway(text.replace("models: [large]", "models: [large], stream_usage: ask", 1))
    with chat(through, max_retries=0, default_headers={"x-tenant": "a"}) as client:
        for options, choices in (({}, 8), ({"stream_options": {"include_usage": False}}, 8)):
            stream = client.chat.completions.create(model="large", messages=MESSAGES, stream=True, **options)
            events = list(stream)
            assert len(events) == choices and all(event.choices and not event.usage for event in events)
        wanted = client.chat.completions.create(
            model="large", messages=MESSAGES, stream=True, stream_options={"include_usage": True}
        )
        last = list(wanted)[-1]
        assert last.usage is not None and last.usage.prompt_tokens == 11 and not last.choices
        whole = client.chat.completions.create(model="gpt-4o", messages=MESSAGES)
        assert whole.usage is not None
    asked = {"include_usage": True}
    assert large.stats()["stream_options"] == [asked, asked, asked, None]
    through.wait_until_idle()
    assert through.metric("penstock_input_tokens_total", pool="large", model="large") == 4 * 11
    assert through.metric("penstock_tenant_tokens_total", pool="large", tenant="a") == 4 * 19


def test_usage_is_asked_for_however_a_stream_is(engine: StartEngine, gateway: StartGateway) -> None:
    """No field, path or spelling of a client's turns it off, and what cannot be read passes as it came."""
    large, small = engine(), engine()
    text = policy(large, small).replace("  - {path: /v1/*, pool: small, models: [\"small*\"]}\n", "")
    text = text.replace(", models: [large]", ", stream_usage: ask").replace("aliases: {gpt-4o: large}", "refresh: off")
    text = text.replace(f'  small: {{backends: ["{small.url}"], limit: 64}}\n', "")
    through = gateway(text)
    whole = {"model": "large", "messages": MESSAGES}
    asked = [
        ({}, "/v1/chat/completions", {"stream": 1}),
        ({"anthropic-version": "2023-06-01"}, "/v1/chat/completions", {"stream": True}),
        ({"content-type": "text/plain"}, "/v1/chat/completions", {"stream": "yes", "stream_options": []}),
        ({"content-encoding": "gzip"}, "/v1/chat/completions", {"stream": True, "stream_options": {"include_usage": 0}}),
        ({}, "/v1/%63hat/completion%73", {"stream": True, "temperature": float("nan")}),
    ]
    for fields, path, more in asked:
        answer = httpx2.post(f"{through.url}{path}", headers=fields, content=json.dumps(whole | more))
        assert answer.status_code == 200
        assert "[DONE]" in answer.text and "prompt_tokens" not in answer.text
    assert large.stats()["stream_options"] == [{"include_usage": True}] * len(asked)
    through.wait_until_idle()
    assert through.metric("penstock_input_tokens_total", pool="large") == len(asked) * 11
    padded = json.dumps(whole | {"stream": True, "pad": "x" * (5 << 20)})
    answer = httpx2.post(f"{through.url}/v1/chat/completions", content=padded)
    assert answer.status_code == 200 and "[DONE]" in answer.text
    assert large.stats()["stream_options"][-1] is None


def test_anthropic_reads_answers_and_refusals(
    engine: StartEngine, gateway: StartGateway
) -> None:
    """Whole, streamed, unknown and overloaded."""
    large, small = engine("--tokens", "40"), engine()
    through = gateway(policy(large, small, "limit: 1, queue: {max_requests: 0}"))
    with claude(through, max_retries=0) as client:
        message = client.messages.create(model="small", max_tokens=20, messages=MESSAGES)
        assert message.usage.output_tokens == 8
        with client.messages.stream(model="small", max_tokens=20, messages=MESSAGES) as stream:
            assert "".join(stream.text_stream) == "token " * 8
        with pytest.raises(anthropic.NotFoundError):
            client.messages.create(model="none", max_tokens=20, messages=MESSAGES)
        with client.messages.stream(model="large", max_tokens=20, messages=MESSAGES) as held:
            next(iter(held))
            with pytest.raises(anthropic.InternalServerError) as caught:
                client.messages.create(model="large", max_tokens=20, messages=MESSAGES)
        assert caught.value.status_code == 529
        assert caught.value.response.headers["x-penstock-reason"] == "queue_full"
        body: Any = caught.value.body
        assert body["error"]["type"] == "overloaded_error"
    assert through.metric("penstock_output_tokens_total", model="small") == 16


def test_a_stream_whose_engine_dies_raises_an_error(
    engine: StartEngine, gateway: StartGateway
) -> None:
    """The error is an event that the libraries read, not a broken connection."""
    large, small = engine("--tokens", "1000"), engine("--tokens", "1000")
    through = gateway(policy(large, small))
    with chat(through, max_retries=0) as client:
        stream = client.chat.completions.create(model="large", messages=MESSAGES, stream=True)
        next(iter(stream))
        large.kill()
        with pytest.raises(openai.APIError, match="closed the connection"):
            for _ in stream:
                pass
    with claude(through, max_retries=0) as other:
        with other.messages.stream(model="small", max_tokens=9, messages=MESSAGES) as events:
            next(iter(events))
            small.kill()
            with pytest.raises(anthropic.APIStatusError, match="closed the connection"):
                for _ in events:
                    pass
    through.wait_until_idle()


def test_a_cancelled_stream_stops_the_engine(
    engine: StartEngine, gateway: StartGateway
) -> None:
    """Within 100 ms, and its slot is free."""
    large, small = engine("--tokens", "1000"), engine()
    through = gateway(policy(large, small))

    async def cancel() -> float:
        async with openai.AsyncOpenAI(base_url=f"{through.url}/v1", api_key="unused") as client:
            stream = await client.chat.completions.create(
                model="large", messages=MESSAGES, stream=True
            )
            await anext(aiter(stream))
            cancelled = time.time()
            await stream.close()
            return cancelled

    cancelled = asyncio.run(cancel())
    stats = eventually(lambda: (now := large.stats())["cancelled"] == 1 and now, "the engine stops")
    assert stats["cancelled_at"] - cancelled < 0.1
    through.wait_until_idle()


def test_with_the_fallback_no_client_sees_an_error(
    engine: StartEngine, gateway: StartGateway
) -> None:
    """Three times as many clients as the large model has places."""
    large, small = engine("--slots", "4"), engine("--slots", "64")
    fallback = ", fallback: {pool: small, model: small, max_wait: 50ms}"
    through = gateway(policy(large, small, "limit: 4, queue: {max_requests: 8}", fallback))

    async def ask(client: openai.AsyncOpenAI) -> list[str | None]:
        pools: list[str | None] = []
        for _ in range(10):
            answer = await client.chat.completions.with_raw_response.create(
                model="large", messages=MESSAGES
            )
            assert answer.parse().choices[0].message.content
            pools.append(answer.headers.get("x-penstock-fallback"))
        return pools

    async def load() -> list[str | None]:
        async with openai.AsyncOpenAI(
            base_url=f"{through.url}/v1", api_key="unused", max_retries=0
        ) as client:
            return sum(await asyncio.gather(*(ask(client) for _ in range(12))), [])

    pools = asyncio.run(load())
    assert set(pools) == {None, "small"}
    assert through.metric("penstock_fallbacks_total", pool="large") == pools.count("small")
    assert set(small.stats()["models"]) == {"small"}


# In the queue for longer than clients wait for a byte, with comments that come much faster.
PATIENCE_SECONDS = 2.0
KEEP_ALIVE = ", stream_keep_alive: 200ms"


def kept_alive(large: Engine, places: int, max_wait: str) -> str:
    """Some places and a queue, and comments for who waits in it."""
    return policy(large, large, f"limit: {places}, queue: {{max_wait: {max_wait}}}", KEEP_ALIVE)


def test_comments_keep_both_clients_waiting(engine: StartEngine, gateway: StartGateway) -> None:
    """A stream begins after twice the time for which its client would have waited for a byte."""
    large = engine("--tokens", "30", "--interval", "0.1")
    through = gateway(kept_alive(large, 2, "1m"))
    wait = {"timeout": PATIENCE_SECONDS, "max_retries": 0}
    with (
        openai.OpenAI(base_url=f"{through.url}/v1", api_key="unused", **wait) as first,
        openai.OpenAI(base_url=f"{through.url}/v1", api_key="unused", **wait) as second,
        anthropic.Anthropic(base_url=through.url, api_key="unused", **wait) as third,
    ):
        holders = [first.chat.completions.create(model="large", messages=MESSAGES, stream=True) for _ in range(2)]
        for holder in holders:
            next(iter(holder))
        began = time.monotonic()
        waiting = second.chat.completions.create(model="large", messages=MESSAGES, stream=True)
        with third.messages.stream(model="large", max_tokens=99, messages=MESSAGES) as events:
            assert time.monotonic() - began < 2 * PATIENCE_SECONDS, "both have their head while they wait"
            assert through.metric("penstock_queue_requests") == 2
            for holder in holders:
                list(holder)
            text = "".join(event.choices[0].delta.content or "" for event in waiting if event.choices)
            assert text == "token " * 30
            assert "".join(events.text_stream) == "token " * 30
        assert time.monotonic() - began > PATIENCE_SECONDS
    through.wait_until_idle()


def test_what_fails_after_a_comment_raises_an_error(engine: StartEngine, gateway: StartGateway) -> None:
    """Both clients read a refusal that comes as an event, and do not try again."""
    large = engine("--tokens", "1000", "--interval", "0.1")
    through = gateway(kept_alive(large, 1, "1s"))
    with chat(through) as client, claude(through) as other:
        holder = client.chat.completions.create(model="large", messages=MESSAGES, stream=True)
        next(iter(holder))
        stream = client.chat.completions.create(model="large", messages=MESSAGES, stream=True)
        with pytest.raises(openai.APIError, match="did not get to this request"):
            list(stream)
        with pytest.raises(anthropic.APIStatusError, match="did not get to this request"):
            with other.messages.stream(model="large", max_tokens=9, messages=MESSAGES) as events:
                list(events)
        assert through.metric("penstock_requests_total", code="2xx", reason="queue_timeout") == 2
        assert through.metric("penstock_shed_total", model="large", reason="queue_timeout") == 2
        holder.close()
    through.wait_until_idle()
