"""Checks affinity before two real engines with caches of prompts: affinity.py PENSTOCK ENGINE ENVIRONMENT

Conversations of six turns go through a gateway with `affinity: {by: prefix}` to two engines, a few at a time, so that nothing is
full. By the engines' own words at least .95 of the tokens must come from their caches that one engine alone would have had, and
95 of 100 next turns must be answered by the same engine. Without affinity they must not: that is the negative control.
The last line is "N passed, N failed, N skipped".
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from engines import ENGINES, MODEL, Engine

from processes import Gateway, request

CONVERSATIONS = 12
TURNS = 6
AT_ONCE = 3
LEAST_CACHED = 0.95
LEAST_STAYING = 0.95
TOKENS = 8
# Words of the instructions and of a question. llama.cpp's model takes each letter for a token, and vLLM caches blocks of 128.
WORDS = {"llamacpp": (40, 12), "vllm": (200, 30)}


@dataclass
class Told:
    """What the engines said of all conversations."""

    cached: int = 0
    prompt: int = 0
    stayed: int = 0
    moved: int = 0
    statuses: set[int] = field(default_factory=set)

    def add(self, other: Told) -> None:
        """Takes another one in."""
        self.cached += other.cached
        self.prompt += other.prompt
        self.stayed += other.stayed
        self.moved += other.moved
        self.statuses |= other.statuses

    def line(self) -> str:
        """The numbers."""
        return f"{self.cached} of {self.prompt} tokens cached, {self.stayed} turns stayed, {self.moved} moved"


def converse(url: str, name: str, words: tuple[int, int], where: Callable[[str], str]) -> Told:
    """One conversation; `where` says who has answered the request of an id."""
    told = Told()
    first = sum(name.encode()) * 31
    messages = [{"role": "system", "content": " ".join(f"word{(first + word) % 2000}" for word in range(words[0]))}]
    home = ""
    for turn in range(TURNS):
        question = " ".join(f"word{(first + 97 * turn + word) % 2000}" for word in range(words[1]))
        messages.append({"role": "user", "content": question})
        identity = f"{name}-{turn}"
        body = {"model": MODEL, "messages": messages, "max_tokens": TOKENS, "temperature": 0, "ignore_eos": True}
        headers = {"Content-Type": "application/json", "X-Request-ID": identity}
        answer = request(url, "/v1/chat/completions", "POST", json.dumps(body).encode(), headers, 60)
        told.statuses.add(answer.status)
        if answer.status != 200:
            print(f"  {answer.status}: {answer.body[:300]!r}", flush=True)
            return told
        said = answer.json()
        usage = said["usage"]
        details = usage.get("prompt_tokens_details") or {}
        told.cached += int(details.get("cached_tokens") or said.get("timings", {}).get("cache_n") or 0)
        told.prompt += int(usage["prompt_tokens"])
        place = where(identity)
        if turn > 0:
            told.stayed += int(place == home)
            told.moved += int(place != home)
        home = place
        messages.append({"role": "assistant", "content": str(said["choices"][0]["message"]["content"])})
    return told


def all_conversations(url: str, engine: str, kind: str, where: Callable[[str], str]) -> Told:
    """All of them, some at a time."""
    told = Told()
    with ThreadPoolExecutor(AT_ONCE) as pool:
        names = [f"{kind}-{number}" for number in range(CONVERSATIONS)]
        for one in pool.map(lambda name: converse(url, name, WORDS[engine], where), names):
            told.add(one)
    return told


def policy(engines: list[Engine], affinity: str) -> str:
    """Two engines, which have room for all."""
    backends = ", ".join(f'"{engine.url}"' for engine in engines)
    return f"""\
listen: 127.0.0.1:0
admin: 127.0.0.1:0
log: {{access: stdout}}
pools:
  chat: {{backends: [{backends}], limit: 8, affinity: {affinity}}}
routes: [{{path: /*, pool: chat}}]
"""


def through_gateway(binary: Path, engines: list[Engine], affinity: str, kind: str) -> Told:
    """All conversations through a gateway with that affinity."""
    with tempfile.TemporaryDirectory() as directory:
        gateway = Gateway(binary, policy(engines, affinity), Path(directory))

        def where(identity: str) -> str:
            for _ in range(200):
                for line in list(gateway.output):
                    if f'"{identity}"' in line and '"backend"' in line:
                        return str(json.loads(line)["backend"])
                time.sleep(0.02)
            raise AssertionError(f"no line of {identity} in the log")

        try:
            return all_conversations(gateway.url, engines[0].name, kind, where)
        finally:
            gateway.stop()


def check(binary: Path, engines: list[Engine]) -> list[bool]:
    """Whether each thing holds."""
    for engine in engines:
        engine.wait_until_ready()
    alone = all_conversations(engines[0].url, engines[0].name, "alone", lambda _: "alone")
    print(f"  one engine alone: {alone.line()}", flush=True)
    known = through_gateway(binary, engines, "{by: prefix}", "known")
    print(f"  affinity: {known.line()}", flush=True)
    without = through_gateway(binary, engines, "{by: off}", "blind")
    print(f"  without affinity: {without.line()}", flush=True)
    staying = known.stayed / max(1, known.stayed + known.moved)
    control = without.stayed / max(1, without.stayed + without.moved)
    share, share_alone = known.cached / max(1, known.prompt), alone.cached / max(1, alone.prompt)
    return [
        told(alone.statuses | known.statuses | without.statuses == {200}, "all requests are answered"),
        told(alone.cached > 0 and share >= LEAST_CACHED * share_alone, f"cached {share:.3f}, alone {share_alone:.3f}"),
        told(staying >= LEAST_STAYING, f"{staying:.0%} of the next turns stay"),
        told(control < LEAST_STAYING, f"{control:.0%} without affinity"),
    ]


def told(holds: bool, what: str) -> bool:
    """Says whether something holds."""
    print(f"{'passed' if holds else 'FAILED'}: affinity: {what}", flush=True)
    return holds


def main(binary: str, name: str, environment: str) -> int:
    """Starts the engines and checks; the exit status."""
    results: list[bool] = []
    engines: list[Engine] = []
    with tempfile.TemporaryDirectory() as scratch:
        try:
            for number in range(2):
                place = Path(scratch) / str(number)
                place.mkdir()
                engines.append(ENGINES[name](Path(environment), place, caches=True))
            results = check(Path(binary), engines)
        except AssertionError as error:
            print(f"FAILED: {name}: {error}", flush=True)
            results.append(False)
        finally:
            for engine in engines:
                engine.stop()
    print(f"{sum(results)} passed, {len(results) - sum(results)} failed, 0 skipped")
    return int(not all(results))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
