"""Writes a small Llama of random weights as GGUF: llamacpp_model.py FILE

Greedy answers of it are words and never end by themselves: the rows of the output that belong to bytes and to the tokens of
control are zero, and among so many random rows there is always a higher one. It runs in the environment of llama.cpp.
"""

from __future__ import annotations

import sys

import gguf
import numpy

WORDS = 2048
WIDTH = 256
LAYERS = 6
HEADS = 4
INNER = 704
CONTEXT = 2048
SEED = 17


def vocabulary(writer: gguf.GGUFWriter) -> int:
    """Control tokens, the 256 bytes and words that are made up; returns how many tokens come before the words."""
    kinds = gguf.TokenType
    control = [(b"<unk>", kinds.UNKNOWN), (b"<s>", kinds.CONTROL), (b"</s>", kinds.CONTROL)]
    alphabet = [(f"<0x{byte:02X}>".encode(), kinds.BYTE) for byte in range(256)]
    words = [(f"\u2581word{index}".encode(), kinds.NORMAL) for index in range(WORDS)]
    tokens = control + alphabet + words
    writer.add_tokenizer_model("llama")
    writer.add_token_list([text for text, _ in tokens])
    writer.add_token_scores([-float(index) for index in range(len(tokens))])
    writer.add_token_types([kind for _, kind in tokens])
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_unk_token_id(0)
    return len(tokens) - WORDS


def tensors(tokens: int, silent: int) -> dict[str, numpy.ndarray]:
    """The weights by name; `silent` tokens are never the likeliest."""
    chance = numpy.random.default_rng(SEED)

    def matrix(rows: int, columns: int) -> numpy.ndarray:
        return (chance.standard_normal((rows, columns)) / columns**0.5).astype(numpy.float16)

    ones = numpy.ones(WIDTH, dtype=numpy.float32)
    output = matrix(tokens, WIDTH)
    output[:silent] = 0
    weights = {"token_embd": matrix(tokens, WIDTH), "output_norm": ones, "output": output}
    for layer in range(LAYERS):
        block = f"blk.{layer}"
        weights |= {f"{block}.{name}": ones for name in ("attn_norm", "ffn_norm")}
        weights |= {f"{block}.attn_{name}": matrix(WIDTH, WIDTH) for name in ("q", "k", "v", "output")}
        weights |= {f"{block}.ffn_{name}": matrix(INNER, WIDTH) for name in ("gate", "up")}
        weights[f"{block}.ffn_down"] = matrix(WIDTH, INNER)
    return weights


def write(path: str) -> int:
    """Writes the file; returns the number of parameters."""
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_name("random")
    writer.add_context_length(CONTEXT)
    writer.add_embedding_length(WIDTH)
    writer.add_block_count(LAYERS)
    writer.add_feed_forward_length(INNER)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_dimension_count(WIDTH // HEADS)
    silent = vocabulary(writer)
    weights = tensors(silent + WORDS, silent)
    for name, weight in weights.items():
        writer.add_tensor(f"{name}.weight", weight)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return sum(weight.size for weight in weights.values())


if __name__ == "__main__":
    print(f"{write(sys.argv[1]) / 1e6:.1f} million parameters")
