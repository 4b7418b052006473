"""Event streams pass through as they are made."""

from __future__ import annotations

import statistics
import time
from concurrent.futures import ThreadPoolExecutor

from openai import OpenAI

from conftest import StartGateway, StartServer
from processes import one_pool

MODEL = "all-MiniLM-L6-v2"


def client(url: str) -> OpenAI:
    """An official client without retries: a failure shows."""
    return OpenAI(base_url=f"{url}/v1", api_key="unused", max_retries=0, timeout=30)


def ask(text: str) -> list[dict[str, str]]:
    """A chat of one message."""
    return [{"role": "user", "content": text}]


def test_first_event_arrives_before_the_last_is_made(
    server: StartServer, gateway: StartGateway
) -> None:
    """Nothing on the way waits for more of a stream than is there."""
    backend = server("--no-model")
    through = gateway(one_pool(backend.url))
    words = [f"word{number}" for number in range(20)]
    arrivals: list[float] = []
    text = ""
    with client(through.url) as chat:
        stream = chat.chat.completions.create(
            model=MODEL,
            messages=ask(" ".join(words)),
            stream=True,
            extra_body={"token_delay": 0.05},
        )
        for event in stream:
            if content := event.choices[0].delta.content:
                arrivals.append(time.monotonic())
                text += content
                if len(arrivals) == 1:
                    made = len(backend.stats()["streams"][0]["made_at"])
                    assert 1 <= made < len(words), "the first event came with the last one made"
    assert text == " ".join(words)
    made_at = backend.stats()["streams"][0]["made_at"]
    assert len(arrivals) == len(made_at) == len(words)
    assert arrivals[0] < made_at[-1]
    # Each event by itself, not in batches: the usual lag is far below the time between two events.
    assert statistics.median(after - made for after, made in zip(arrivals, made_at)) < 0.025


def test_whole_chat_answer(server: StartServer, gateway: StartGateway) -> None:
    """The same chat without streaming."""
    backend = server("--no-model", "--token-delay", "0")
    through = gateway(one_pool(backend.url))
    with client(through.url) as chat:
        answer = chat.chat.completions.create(model=MODEL, messages=ask("all at once, please"))
    assert answer.choices[0].message.content == "all at once, please"


def test_thirty_streams_at_once(server: StartServer, gateway: StartGateway) -> None:
    """Concurrent streams do not mix, whatever their lengths."""
    backend = server("--no-model", "--concurrency", "30", "--token-delay", "0.005")
    through = gateway(one_pool(backend.url, limit=30))
    texts = [" ".join(f"s{stream}w{word}" for word in range(20 + 5 * stream)) for stream in range(30)]

    def read(text: str) -> str:
        with client(through.url) as chat:
            stream = chat.chat.completions.create(model=MODEL, messages=ask(text), stream=True)
            return "".join(event.choices[0].delta.content or "" for event in stream)

    with ThreadPoolExecutor(len(texts)) as threads:
        assert list(threads.map(read, texts)) == texts
    through.wait_until_idle()
    stats = backend.stats()
    assert (stats["finished"], stats["aborted"]) == (30, 0)
