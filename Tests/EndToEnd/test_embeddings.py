"""Vectors of the real model, through the gateway and past it."""

from __future__ import annotations

import base64
import json
from typing import Any

import numpy as np
import pytest
from openai import OpenAI

from conftest import StartGateway
from processes import HERE, EmbeddingServer, one_pool, post_json

GOLDEN = json.loads((HERE / "golden_vectors.json").read_text())
# The reference's vectors are kept to six places.
TOLERANCE = 2e-6

INPUTS: list[Any] = [
    "A penstock leads water to a turbine.",
    ["one text", "and another", "and a third, which is longer than both of the others taken together"],
    "Größe, naïve café, 東京 ™ \u0001 \\ \" and an emoji: 🚰",
    ["word " * 400],
    [f"sentence number {number}" for number in range(40)],
]


def test_model_agrees_with_reference(model_server: EmbeddingServer) -> None:
    """The numpy model gives the vectors that the package's own torch model gives."""
    texts = [case["text"] for case in GOLDEN]
    answer = post_json(model_server.url, "/v1/embeddings", {"input": texts}).json()
    for case, item in zip(GOLDEN, answer["data"], strict=True):
        assert np.abs(np.subtract(item["embedding"], case["vector"])).max() < TOLERANCE


@pytest.mark.parametrize("encoding", ["float", "base64"])
@pytest.mark.parametrize("texts", INPUTS, ids=["one", "list", "unicode", "long", "forty"])
def test_same_bytes_as_direct(
    model_server: EmbeddingServer, gateway: StartGateway, texts: Any, encoding: str
) -> None:
    """The gateway does not change a byte of an answer's body."""
    through = gateway(one_pool(model_server.url))
    wanted = {"input": texts, "model": "all-MiniLM-L6-v2", "encoding_format": encoding}
    direct = post_json(model_server.url, "/v1/embeddings", wanted)
    proxied = post_json(through.url, "/v1/embeddings", wanted)
    assert (direct.status, proxied.status) == (200, 200)
    assert proxied.body == direct.body
    assert proxied.headers["content-type"] == direct.headers["content-type"]


def test_openai_client_gets_the_same_vectors(
    model_server: EmbeddingServer, gateway: StartGateway
) -> None:
    """The official client reads, through the gateway, what it reads directly, in both encodings."""
    through = gateway(one_pool(model_server.url))
    texts = [case["text"] for case in GOLDEN]
    with (
        OpenAI(base_url=f"{model_server.url}/v1", api_key="unused") as direct,
        OpenAI(base_url=f"{through.url}/v1", api_key="unused") as proxied,
    ):
        expected = direct.embeddings.create(model="all-MiniLM-L6-v2", input=texts)
        actual = proxied.embeddings.create(model="all-MiniLM-L6-v2", input=texts)
        assert actual == expected
        floats = proxied.embeddings.create(
            model="all-MiniLM-L6-v2", input=texts, encoding_format="float"
        )
    for case, base64_item, float_item in zip(GOLDEN, actual.data, floats.data, strict=True):
        vector = np.asarray(float_item.embedding, dtype=np.float32)
        assert np.array_equal(np.asarray(base64_item.embedding, dtype=np.float32), vector)
        assert np.abs(vector - case["vector"]).max() < TOLERANCE


def test_vectors_know_what_texts_mean(model_server: EmbeddingServer, gateway: StartGateway) -> None:
    """Related sentences lie closer together than unrelated ones: it is the real model that answers."""
    through = gateway(one_pool(model_server.url))
    texts = ["A man is eating food.", "A man is eating a piece of bread.", "The girl carries a baby."]
    wanted = {"input": texts, "encoding_format": "base64"}
    answer = post_json(through.url, "/v1/embeddings", wanted).json()
    eating, bread, baby = (
        np.frombuffer(base64.b64decode(item["embedding"]), dtype="<f4") for item in answer["data"]
    )
    assert eating @ bread > 0.7
    assert eating @ baby < 0.2


def test_backend_errors_pass_unchanged(
    model_server: EmbeddingServer, gateway: StartGateway
) -> None:
    """A backend's own 400 is the client's business, with its body as it was."""
    through = gateway(one_pool(model_server.url))
    direct = post_json(model_server.url, "/v1/embeddings", {"input": 7})
    proxied = post_json(through.url, "/v1/embeddings", {"input": 7})
    assert (direct.status, proxied.status) == (400, 400)
    assert proxied.body == direct.body
    assert "x-penstock-reason" not in proxied.headers
