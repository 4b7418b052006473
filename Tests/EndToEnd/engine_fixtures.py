"""What Ollama, TGI, SGLang and Triton answer: the fixtures of the Swift tests, told apart by path and body."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

CORPUS = Path(__file__).resolve().parent.parent / "InferenceTests" / "Corpus"
SERVER_SENT = "text/event-stream; charset=utf-8"
LINES = "application/x-ndjson"


@dataclass(frozen=True)
class Fixture:
    """One engine's answer to one kind of request."""

    answer: str
    stream: str
    is_stream: bool
    overload: bytes
    overload_status: int

    @staticmethod
    def of(path: str, asked: dict[str, Any]) -> Fixture | None:
        """The answer to that request; None for OpenAI's and Anthropic's dialects."""
        if path.startswith("/api/"):
            # Ollama streams unless it is told not to.
            name, streams = path.removeprefix("/api/"), asked.get("stream", True)
            busy = b'{"error":"server busy, please try again.  maximum pending requests exceeded"}'
            return Fixture("ollama-generate.json", f"ollama-{name}.ndjson", streams, busy, 503)
        if path.startswith("/v2/models/"):
            full = b'{"error":"in ensemble \'ensemble\', inference request exceeds maximum queue size"}'
            answer = "triton-infer.json"
            return Fixture(answer, "triton-generate.sse", path.endswith("/generate_stream"), full, 503)
        if path.startswith("/generate"):
            if "text" in asked:
                full = b'{"error":{"message":"The request queue is full."}}'
                return Fixture(
                    "sglang-generate.json", "sglang-generate.sse", asked.get("stream", False), full, 503
                )
            full = b'{"error":"Model is overloaded","error_type":"overloaded"}'
            return Fixture("tgi-generate.json", "tgi-generate.sse", path.endswith("_stream"), full, 429)
        return None

    @property
    def content_type(self) -> str:
        """The stream's Content-Type."""
        return LINES if self.stream.endswith(".ndjson") else SERVER_SENT

    @property
    def whole(self) -> bytes:
        """The answer in one piece."""
        return (CORPUS / "Answers" / self.answer).read_bytes()

    def events(self, tokens: int) -> list[bytes]:
        """The stream's events: the first one for each token, and then the others."""
        mark = b"\n" if self.stream.endswith(".ndjson") else b"\n\n"
        text = (CORPUS / "Streams" / self.stream).read_bytes()
        found = [event + mark for event in text.split(mark) if event]
        return found[:1] * tokens + found[1:]
